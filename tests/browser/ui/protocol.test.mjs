// The pages' protocol code with a fake socket, clock and random source: node --test protocol.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Clock, World as Bare, pageModule } from './fakes.mjs';

const { Session } = await pageModule('shared/protocol.js');

const CHALLENGE = { type: 'challenge', nonce: 'BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU', versions: [1] };
const WELCOME = { type: 'welcome', session: 's1', resume_ms: 30_000, ice_servers: [], limits: { max_message_bytes: 65_536, max_participants: 12, max_chat_chars: 4000 } };
const RESUMED = { type: 'resumed', ice_servers: [] };
const JOIN = { type: 'join', room: 'soup' };

class World extends Bare {
  constructor(options) { super(Session, options); }

  async greet(answer = WELCOME) {
    this.opened();
    await this.says(CHALLENGE, answer);
  }
}

test('only a join leaves before the welcome', async () => {
  const world = new World();
  world.session.send(JOIN);
  world.session.send({ type: 'chat', text: 'early' });
  world.opened();
  await world.says(CHALLENGE);
  assert.deepEqual(world.sent.map(one => one.type), ['hello', 'join']);
  await world.says(WELCOME);
  assert.deepEqual(world.sent.map(one => [one.type, one.seq]), [['hello', undefined], ['join', 1], ['chat', 2]]);
});

test('a line that broke off before the welcome is said once in all', async () => {
  const world = new World();
  world.session.send({ type: 'chat', text: 'once' });
  world.opened();
  await world.says(CHALLENGE);
  world.breaks();
  await world.clock.pass(300);
  await world.greet();
  const lines = world.sockets.flatMap(socket => socket.sent.filter(one => one.type === 'chat'));
  assert.deepEqual(lines, [{ seq: 1, ack: 0, type: 'chat', text: 'once' }]);
});

test('a join that is said while the hello waits for its answer leaves at once', async () => {
  const world = new World();
  world.opened();
  await world.says(CHALLENGE);
  world.session.send(JOIN);
  assert.deepEqual(world.sent.map(one => one.type), ['hello', 'join']);
  await world.says(WELCOME);
  assert.equal(world.sent.length, 2, 'and not again');
});

test('a resumed session says what had not arrived, and only that', async () => {
  const world = new World();
  await world.greet();
  for (const text of ['one', 'two']) world.session.send({ type: 'chat', text });
  world.breaks();
  world.session.send({ type: 'chat', text: 'three' });
  await world.clock.pass(300);
  world.opened();
  await world.says(CHALLENGE);
  assert.deepEqual(world.sent.map(one => one.type), ['hello'], 'nothing follows the hello until its answer');
  assert.deepEqual(world.sent[0].resume, { session: 's1', received: 0 });
  await world.says({ ...RESUMED, received: 1 });
  assert.deepEqual(world.sent.slice(1).map(one => [one.seq, one.text]), [[2, 'two'], [3, 'three']]);
});

for (const code of ['rate_limited', 'server_full', 'timeout', 'internal', 'too_slow', 'of_a_later_version']) {
  test(`“${code}” in the handshake is tried again`, async () => {
    const world = new World();
    await world.greet({ type: 'error', code, message: '' });
    assert.equal(world.session.state, 'backoff');
    assert.equal(world.events[0][1].code, code);
    await world.clock.pass(300);
    await world.greet();
    assert.equal(world.session.state, 'open');
    assert.equal(world.eventNames.includes('ended'), false);
  });
}

for (const code of ['malformed', 'unsupported_version', 'bad_signature', 'bad_name', 'replaced']) {
  test(`“${code}” in the handshake is the end`, async () => {
    const world = new World();
    await world.greet({ type: 'error', code, message: 'why' });
    assert.deepEqual(world.events, [['ended', { code, message: 'why' }]]);
    await world.clock.pass(60_000);
    assert.equal(world.sockets.length, 1);
  });
}

test('a close code alone can be the end, too', async () => {
  const world = new World();
  await world.greet();
  world.breaks(4014, 'taken over');
  assert.deepEqual(world.events.at(-1), ['ended', { code: 'replaced', message: 'taken over' }]);
});

test('no version in common is the end', async () => {
  const world = new World();
  world.opened();
  await world.says({ ...CHALLENGE, versions: [2, 3] });
  assert.equal(world.events[0][1].code, 'unsupported_version');
  assert.deepEqual(world.sent, []);
});

test('a bye is waited for as long as it says', async () => {
  const world = new World();
  await world.greet();
  world.session.send(JOIN);
  await world.says({ seq: 0, ack: 1, type: 'bye', code: 'server_stopping', retry_after_ms: 2000 });
  assert.deepEqual(world.eventNames, ['welcome', 'disconnected', 'lost']);
  await world.clock.pass(1999);
  assert.equal(world.sockets.length, 1);
  await world.clock.pass(300);
  assert.equal(world.sockets.length, 2);
  world.opened();
  await world.says(CHALLENGE);
  assert.equal(world.sent[0].resume, undefined, 'a new session');
});

test('a bye in the handshake is waited for, too, and one without a time is the end', async () => {
  const world = new World();
  await world.greet({ type: 'bye', code: 'server_full', retry_after_ms: 60_000 });
  await world.clock.pass(59_000);
  assert.equal(world.sockets.length, 1);
  await world.clock.pass(1_500);
  await world.greet({ type: 'bye', code: 'replaced' });
  assert.deepEqual(world.events.at(-1), ['ended', { code: 'replaced', message: '' }]);
});

test('no server makes anybody wait longer than five minutes', async () => {
  const world = new World();
  await world.greet({ type: 'bye', code: 'server_stopping', retry_after_ms: 1e12 });
  await world.clock.pass(301_000);
  assert.equal(world.sockets.length, 2);
});

const silent = {
  'before the socket is open': async () => {},
  'before the challenge': async world => world.opened(),
  'after the hello': async world => { world.opened(); await world.says(CHALLENGE); },
};
for (const [when, begin] of Object.entries(silent)) {
  test(`a server that is silent ${when} is given up after ten seconds`, async () => {
    const world = new World();
    await begin(world);
    await world.clock.pass(9_900);
    assert.equal(world.session.state, 'connecting');
    await world.clock.pass(200);
    assert.deepEqual(world.events[0], ['disconnected', { code: 'server_silent', message: '' }]);
    assert.equal(world.sockets[0].closed, 4013, 'not 1000, which would give the seat away');
    await world.clock.pass(300);
    assert.equal(world.sockets.length, 2);
  });
}

test('an open socket without an answer to pings is given up after ten seconds', async () => {
  const world = new World();
  await world.greet();
  await world.clock.pass(9_900);
  assert.equal(world.session.state, 'open');
  await world.clock.pass(200);
  assert.equal(world.session.state, 'backoff');
  assert.equal(world.sockets[0].closed, 4013);
});

test('a page whose clock is slowed down does not take its own silence for the server’s', async () => {
  const clock = new Clock(), world = new World({ clock: { now: clock.now, after: (ms, run) => clock.after(Math.max(ms, 60_000), run) } });
  await world.greet();
  for (let n = 0; n < 5; n++) {
    await clock.pass(60_000);
    await world.says({ seq: 0, ack: 0, type: 'pong', nonce: n });
  }
  assert.equal(world.session.state, 'open');
});

test('who is tired of waiting is tried again at once; an open socket has two seconds to answer', async () => {
  const world = new World();
  await world.greet({ type: 'error', code: 'server_full', message: '' });
  world.session.probe();
  assert.equal(world.sockets.length, 2);
  await world.greet();
  world.session.probe();
  await world.clock.pass(1_000);
  await world.says({ seq: 0, ack: 0, type: 'pong', nonce: 0 });
  await world.clock.pass(1_500);
  assert.equal(world.session.state, 'open');
  world.session.probe();
  await world.clock.pass(2_100);
  assert.equal(world.session.state, 'backoff');
});

test('a session that is forgotten says so, and a join in answer leaves before the welcome', async () => {
  const world = new World();
  await world.greet();
  world.session.addEventListener('lost', () => world.session.send(JOIN));
  world.session.send({ type: 'chat', text: 'gone with it' });
  world.breaks();
  await world.clock.pass(300);
  await world.greet({ type: 'error', code: 'cannot_resume', message: '' });
  assert.deepEqual(world.sent.map(one => [one.type, one.seq]), [['hello', undefined], ['join', 1]]);
  await world.says({ ...WELCOME, session: 's2' });
  assert.deepEqual(world.sent.map(one => one.type), ['hello', 'join']);
  assert.equal(world.session.session, 's2');
});

test('a welcome alone in answer to a resume means the same', async () => {
  const world = new World();
  await world.greet();
  world.session.addEventListener('lost', () => world.session.send(JOIN));
  world.breaks();
  await world.clock.pass(300);
  await world.greet({ ...WELCOME, session: 's2' });
  assert.deepEqual(world.eventNames, ['welcome', 'disconnected', 'lost', 'welcome']);
  assert.deepEqual(world.sent.map(one => [one.type, one.seq]), [['hello', undefined], ['join', 1]]);
});

test('a session is lost when its time is up, without a server to say so', async () => {
  const world = new World();
  await world.greet();
  world.breaks();
  await world.clock.pass(29_900);
  assert.equal(world.eventNames.includes('lost'), false);
  await world.clock.pass(200);
  assert.equal(world.eventNames.filter(name => name === 'lost').length, 1);
});

test('waits grow to five seconds, and begin anew after a connection that held', async () => {
  const world = new World(), waits = [];
  for (let n = 0; n < 7; n++) {
    world.breaks();
    const before = world.sockets.length;
    let waited = 0;
    while (world.sockets.length === before) { await world.clock.pass(50); waited += 50; }
    waits.push(waited);
  }
  assert.deepEqual(waits, [250, 500, 1000, 2000, 4000, 5000, 5000]);
  await world.greet();
  world.breaks();
  await world.clock.pass(4_900);
  assert.equal(world.sockets.length, 8, 'one that is dropped at once still waits');
  await world.clock.pass(200);
  await world.greet({ ...RESUMED, received: 0 });
  await world.clock.pass(5_100);
  world.breaks();
  await world.clock.pass(300);
  assert.equal(world.sockets.length, 10);
});

test('what comes twice is heard once, and a gap ends the connection', async () => {
  const world = new World();
  await world.greet();
  const line = seq => ({ seq, ack: 0, type: 'chat', from: 'p1', text: String(seq), at: 1 });
  await world.says(line(1), line(1), line(2));
  assert.deepEqual(world.events.filter(([name]) => name === 'message').map(([, detail]) => detail.text), ['1', '2']);
  await world.says(line(4));
  assert.equal(world.session.state, 'backoff');
  assert.equal(world.sockets[0].closed, 4000);
});

const nonsense = ['', '[]', 'null', '{', '{"seq":0}', '{"seq":0,"ack":9,"type":"pong"}', '{"seq":-1,"ack":0,"type":"chat"}', '{"seq":0,"ack":0,"type":"chat"}', '{"seq":0.5,"ack":0,"type":"x"}', '{"type":"welcome"}'];
for (const text of nonsense) {
  test(`${text || 'nothing'} from an open server breaks the connection, not the page`, async () => {
    const world = new World();
    await world.greet();
    world.socket.onmessage({ data: text });
    assert.equal(world.session.state, 'backoff');
  });
  test(`${text || 'nothing'} instead of a challenge is tried again`, async () => {
    const world = new World();
    world.opened();
    world.socket.onmessage({ data: text });
    assert.equal(world.events[0][1].code, 'not_a_lunchroom_server');
  });
}

test('acknowledgements go alone after a second, or at once after 32 messages', async () => {
  const world = new World();
  await world.greet();
  await world.says({ seq: 1, ack: 0, type: 'x' });
  assert.equal(world.sent.filter(one => one.type === 'ack').length, 0);
  await world.clock.pass(1_000);
  assert.deepEqual(world.sent.at(-1), { seq: 0, ack: 1, type: 'ack' });
  for (let seq = 2; seq <= 33; seq++) await world.says({ seq, ack: 0, type: 'x' });
  assert.deepEqual(world.sent.at(-1), { seq: 0, ack: 33, type: 'ack' });
});

test('at most sixteen ICE servers are passed on', async () => {
  const servers = Array.from({ length: 20 }, (_, n) => ({ urls: [`stun:s${n}.example`] })), world = new World();
  await world.greet({ ...WELCOME, ice_servers: servers });
  assert.deepEqual(world.events[0][1].ice_servers, servers.slice(0, 16));
  world.breaks();
  await world.clock.pass(300);
  await world.greet({ ...RESUMED, received: 0, ice_servers: servers });
  assert.deepEqual(world.events.at(-1)[1].ice_servers, servers.slice(0, 16));
});

test('a message of a later version is counted and ignored', async () => {
  const world = new World();
  await world.greet();
  await world.says({ seq: 1, ack: 0, type: 'of_a_later_version' }, { seq: 2, ack: 0, type: 'left', reason: 'left' });
  assert.deepEqual(world.events.slice(1), [['message', { type: 'left', reason: 'left' }]]);
});

test('what waits is bounded in number and bytes, and what fits no frame is refused', async () => {
  const world = new World();
  for (let n = 0; n < 512; n++) world.session.send({ type: 'chat', text: 'x' });
  assert.throws(() => world.session.send({ type: 'chat', text: 'x' }), { code: 'send_queue_full' });
  const heavy = new World(), text = '한'.repeat(20_000);
  assert.throws(() => heavy.session.send({ type: 'chat', text: '한'.repeat(22_000) }), { code: 'too_large' });
  let fitted = 0;
  assert.throws(() => { for (;; fitted++) heavy.session.send({ type: 'chat', text }); }, { code: 'send_queue_full' });
  assert.equal(fitted, 34);
});

test('closing gives the seat back and says nothing more', async () => {
  const world = new World();
  await world.greet();
  world.session.send({ type: 'leave' });
  world.session.close();
  assert.equal(world.socket.sent.at(-1).type, 'leave');
  assert.equal(world.socket.closed, 1000);
  world.breaks(1000);
  await world.clock.pass(60_000);
  assert.equal(world.sockets.length, 1);
  assert.equal(world.session.send({ type: 'chat', text: 'late' }), 0);
});
