// The protocol library with a fake socket, clock and random source: node --test protocol.test.mjs
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { Clock, SessionHarness as BareHarness, pageModule, root } from './fakes.mjs';

const { Session, deviceKeyOf, newDeviceKey } = await pageModule('shared/protocol.js');

const CHALLENGE = { type: 'challenge', nonce: 'BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU', versions: [1] };
const WELCOME = { type: 'welcome', session: 's1', resume_ms: 30_000, ice_servers: [], limits: { max_message_bytes: 65_536, max_participants: 12, max_chat_chars: 4000 } };
const RESUMED = { type: 'resumed', ice_servers: [] };
const JOIN = { type: 'join', room: 'soup' };

class Harness extends BareHarness {
  constructor(options) { super(Session, options); }

  async connect(answer = WELCOME) {
    this.openSocket();
    await this.receive(CHALLENGE, answer);
  }
}

test('only a join is sent before the welcome', async () => {
  const harness = new Harness();
  harness.session.send(JOIN);
  harness.session.send({ type: 'chat', text: 'early' });
  harness.openSocket();
  await harness.receive(CHALLENGE);
  assert.deepEqual(harness.sent.map(one => one.type), ['hello', 'join']);
  await harness.receive(WELCOME);
  assert.deepEqual(harness.sent.map(one => [one.type, one.seq]), [['hello', undefined], ['join', 1], ['chat', 2]]);
});

test('a line queued before a broken handshake is sent once in total', async () => {
  const harness = new Harness();
  harness.session.send({ type: 'chat', text: 'once' });
  harness.openSocket();
  await harness.receive(CHALLENGE);
  harness.closeByServer();
  await harness.clock.advance(300);
  await harness.connect();
  const lines = harness.sockets.flatMap(socket => socket.sent.filter(one => one.type === 'chat'));
  assert.deepEqual(lines, [{ seq: 1, ack: 0, type: 'chat', text: 'once' }]);
});

test('a join during the wait for the welcome is sent immediately', async () => {
  const harness = new Harness();
  harness.openSocket();
  await harness.receive(CHALLENGE);
  harness.session.send(JOIN);
  assert.deepEqual(harness.sent.map(one => one.type), ['hello', 'join']);
  await harness.receive(WELCOME);
  assert.equal(harness.sent.length, 2, 'the join is not sent twice');
});

test('a resumed session sends the messages that did not arrive, and no others', async () => {
  const harness = new Harness();
  await harness.connect();
  for (const text of ['one', 'two']) harness.session.send({ type: 'chat', text });
  harness.closeByServer();
  harness.session.send({ type: 'chat', text: 'three' });
  await harness.clock.advance(300);
  harness.openSocket();
  await harness.receive(CHALLENGE);
  assert.deepEqual(harness.sent.map(one => one.type), ['hello'], 'nothing follows the hello before its answer');
  assert.deepEqual(harness.sent[0].resume, { session: 's1', received: 0 });
  await harness.receive({ ...RESUMED, received: 1 });
  assert.deepEqual(harness.sent.slice(1).map(one => [one.seq, one.text]), [[2, 'two'], [3, 'three']]);
});

for (const code of ['rate_limited', 'server_full', 'timeout', 'internal', 'too_slow', 'of_a_later_version']) {
  test(`“${code}” in the handshake is retried`, async () => {
    const harness = new Harness();
    await harness.connect({ type: 'error', code, message: '' });
    assert.equal(harness.session.state, 'backoff');
    assert.equal(harness.events[0][1].code, code);
    await harness.clock.advance(300);
    await harness.connect();
    assert.equal(harness.session.state, 'open');
    assert.equal(harness.eventNames.includes('ended'), false);
  });
}

for (const code of ['malformed', 'unsupported_version', 'bad_signature', 'bad_name', 'replaced']) {
  test(`“${code}” in the handshake ends the session`, async () => {
    const harness = new Harness();
    await harness.connect({ type: 'error', code, message: 'why' });
    assert.deepEqual(harness.events, [['ended', { code, message: 'why' }]]);
    await harness.clock.advance(60_000);
    assert.equal(harness.sockets.length, 1);
  });
}

test('a close code alone can end the session', async () => {
  const harness = new Harness();
  await harness.connect();
  harness.closeByServer(4014, 'taken over');
  assert.deepEqual(harness.events.at(-1), ['ended', { code: 'replaced', message: 'taken over' }]);
});

test('a session without a common version ends', async () => {
  const harness = new Harness();
  harness.openSocket();
  await harness.receive({ ...CHALLENGE, versions: [2, 3] });
  assert.equal(harness.events[0][1].code, 'unsupported_version');
  assert.deepEqual(harness.sent, []);
});

test('the retry time of a bye is respected', async () => {
  const harness = new Harness();
  await harness.connect();
  harness.session.send(JOIN);
  await harness.receive({ seq: 0, ack: 1, type: 'bye', code: 'server_stopping', retry_after_ms: 2000 });
  assert.deepEqual(harness.eventNames, ['welcome', 'disconnected', 'lost']);
  await harness.clock.advance(1999);
  assert.equal(harness.sockets.length, 1);
  await harness.clock.advance(300);
  assert.equal(harness.sockets.length, 2);
  harness.openSocket();
  await harness.receive(CHALLENGE);
  assert.equal(harness.sent[0].resume, undefined, 'a new session');
});

test('the retry time of a bye in the handshake is respected, and a bye without one ends the session', async () => {
  const harness = new Harness();
  await harness.connect({ type: 'bye', code: 'server_full', retry_after_ms: 60_000 });
  await harness.clock.advance(59_000);
  assert.equal(harness.sockets.length, 1);
  await harness.clock.advance(1_500);
  await harness.connect({ type: 'bye', code: 'replaced' });
  assert.deepEqual(harness.events.at(-1), ['ended', { code: 'replaced', message: '' }]);
});

test('a server cannot delay a client longer than five minutes', async () => {
  const harness = new Harness();
  await harness.connect({ type: 'bye', code: 'server_stopping', retry_after_ms: 1e12 });
  await harness.clock.advance(301_000);
  assert.equal(harness.sockets.length, 2);
});

const silences = {
  'before the socket is open': async () => {},
  'before the challenge': async harness => harness.openSocket(),
  'after the hello': async harness => { harness.openSocket(); await harness.receive(CHALLENGE); },
};
for (const [when, begin] of Object.entries(silences)) {
  test(`a server that is silent ${when} times out after ten seconds`, async () => {
    const harness = new Harness();
    await begin(harness);
    await harness.clock.advance(9_900);
    assert.equal(harness.session.state, 'connecting');
    await harness.clock.advance(200);
    assert.deepEqual(harness.events[0], ['disconnected', { code: 'server_silent', message: '' }]);
    assert.equal(harness.sockets[0].closed, 4013, 'not 1000, which would free the seat');
    await harness.clock.advance(300);
    assert.equal(harness.sockets.length, 2);
  });
}

test('an open session without an answer to pings times out after ten seconds', async () => {
  const harness = new Harness();
  await harness.connect();
  await harness.clock.advance(9_900);
  assert.equal(harness.session.state, 'open');
  await harness.clock.advance(200);
  assert.equal(harness.session.state, 'backoff');
  assert.equal(harness.sockets[0].closed, 4013);
});

test('throttled timers of a hidden page do not count as the server’s silence', async () => {
  const clock = new Clock(), harness = new Harness({ clock: { now: clock.now, after: (ms, run) => clock.after(Math.max(ms, 60_000), run) } });
  await harness.connect();
  for (let n = 0; n < 5; n++) {
    await clock.advance(60_000);
    await harness.receive({ seq: 0, ack: 0, type: 'pong', nonce: n });
  }
  assert.equal(harness.session.state, 'open');
});

test('probe connects immediately during backoff, and times out after 1.5 seconds while open', async () => {
  const harness = new Harness();
  await harness.connect({ type: 'error', code: 'server_full', message: '' });
  harness.session.probe();
  assert.equal(harness.sockets.length, 2);
  await harness.connect();
  harness.session.probe();
  await harness.clock.advance(1_000);
  await harness.receive({ seq: 0, ack: 0, type: 'pong', nonce: 0 });
  await harness.clock.advance(1_500);
  assert.equal(harness.session.state, 'open');
  harness.session.probe();
  await harness.clock.advance(1_600);
  assert.equal(harness.session.state, 'backoff');
});

test('a rejected resume emits lost, and a join in its listener precedes the welcome', async () => {
  const harness = new Harness();
  await harness.connect();
  harness.session.addEventListener('lost', () => harness.session.send(JOIN));
  harness.session.send({ type: 'chat', text: 'gone with it' });
  harness.closeByServer();
  await harness.clock.advance(300);
  await harness.connect({ type: 'error', code: 'cannot_resume', message: '' });
  assert.deepEqual(harness.sent.map(one => [one.type, one.seq]), [['hello', undefined], ['join', 1]]);
  await harness.receive({ ...WELCOME, session: 's2' });
  assert.deepEqual(harness.sent.map(one => one.type), ['hello', 'join']);
  assert.equal(harness.session.session, 's2');
});

test('a welcome in answer to a resume means a lost session', async () => {
  const harness = new Harness();
  await harness.connect();
  harness.session.addEventListener('lost', () => harness.session.send(JOIN));
  harness.closeByServer();
  await harness.clock.advance(300);
  await harness.connect({ ...WELCOME, session: 's2' });
  assert.deepEqual(harness.eventNames, ['welcome', 'disconnected', 'lost', 'welcome']);
  assert.deepEqual(harness.sent.map(one => [one.type, one.seq]), [['hello', undefined], ['join', 1]]);
});

test('a session is lost when its resume time has passed without a connection', async () => {
  const harness = new Harness();
  await harness.connect();
  harness.closeByServer();
  await harness.clock.advance(29_900);
  assert.equal(harness.eventNames.includes('lost'), false);
  await harness.clock.advance(200);
  assert.equal(harness.eventNames.filter(name => name === 'lost').length, 1);
});

test('the backoff grows to four seconds, and a stable connection resets it', async () => {
  const harness = new Harness(), delays = [];
  for (let n = 0; n < 7; n++) {
    harness.closeByServer();
    const before = harness.sockets.length;
    let waited = 0;
    while (harness.sockets.length === before) { await harness.clock.advance(50); waited += 50; }
    delays.push(waited);
  }
  assert.deepEqual(delays, [250, 500, 1000, 2000, 4000, 4000, 4000]);
  await harness.connect();
  harness.closeByServer();
  await harness.clock.advance(3_900);
  assert.equal(harness.sockets.length, 8, 'a connection that breaks immediately does not reset the backoff');
  await harness.clock.advance(200);
  await harness.connect({ ...RESUMED, received: 0 });
  await harness.clock.advance(5_100);
  harness.closeByServer();
  await harness.clock.advance(300);
  assert.equal(harness.sockets.length, 10);
});

test('a duplicate is emitted once, and a gap breaks the connection', async () => {
  const harness = new Harness();
  await harness.connect();
  const line = seq => ({ seq, ack: 0, type: 'chat', from: 'p1', text: String(seq), at: 1 });
  await harness.receive(line(1), line(1), line(2));
  assert.deepEqual(harness.events.filter(([name]) => name === 'message').map(([, detail]) => detail.text), ['1', '2']);
  await harness.receive(line(4));
  assert.equal(harness.session.state, 'backoff');
  assert.equal(harness.sockets[0].closed, 4000);
});

const malformed = ['', '[]', 'null', '{', '{"seq":0}', '{"seq":0,"ack":9,"type":"pong"}', '{"seq":-1,"ack":0,"type":"chat"}', '{"seq":0,"ack":0,"type":"chat"}', '{"seq":0.5,"ack":0,"type":"x"}', '{"type":"welcome"}'];
for (const text of malformed) {
  test(`${text || 'an empty frame'} in an open session breaks the connection`, async () => {
    const harness = new Harness();
    await harness.connect();
    harness.socket.onmessage({ data: text });
    assert.equal(harness.session.state, 'backoff');
  });
  test(`${text || 'an empty frame'} instead of a challenge is retried`, async () => {
    const harness = new Harness();
    harness.openSocket();
    harness.socket.onmessage({ data: text });
    assert.equal(harness.events[0][1].code, 'not_a_lunchroom_server');
  });
}

test('an acknowledgement is sent after a second, or immediately after 32 messages', async () => {
  const harness = new Harness();
  await harness.connect();
  await harness.receive({ seq: 1, ack: 0, type: 'x' });
  assert.equal(harness.sent.filter(one => one.type === 'ack').length, 0);
  await harness.clock.advance(1_000);
  assert.deepEqual(harness.sent.at(-1), { seq: 0, ack: 1, type: 'ack' });
  for (let seq = 2; seq <= 33; seq++) await harness.receive({ seq, ack: 0, type: 'x' });
  assert.deepEqual(harness.sent.at(-1), { seq: 0, ack: 33, type: 'ack' });
});

test('at most sixteen ICE servers are passed on', async () => {
  const servers = Array.from({ length: 20 }, (_, n) => ({ urls: [`stun:s${n}.example`] })), harness = new Harness();
  await harness.connect({ ...WELCOME, ice_servers: servers });
  assert.deepEqual(harness.events[0][1].ice_servers, servers.slice(0, 16));
  harness.closeByServer();
  await harness.clock.advance(300);
  await harness.connect({ ...RESUMED, received: 0, ice_servers: servers });
  assert.deepEqual(harness.events.at(-1)[1].ice_servers, servers.slice(0, 16));
});

test('a message of an unknown type is acknowledged and ignored', async () => {
  const harness = new Harness();
  await harness.connect();
  await harness.receive({ seq: 1, ack: 0, type: 'of_a_later_version' }, { seq: 2, ack: 0, type: 'left', reason: 'left' });
  assert.deepEqual(harness.events.slice(1), [['message', { type: 'left', reason: 'left' }]]);
});

test('unacknowledged messages are bounded in number and bytes, and a message larger than a frame is rejected', async () => {
  const harness = new Harness();
  for (let n = 0; n < 512; n++) harness.session.send({ type: 'chat', text: 'x' });
  assert.throws(() => harness.session.send({ type: 'chat', text: 'x' }), { code: 'send_queue_full' });
  const large = new Harness(), text = '한'.repeat(20_000);
  assert.throws(() => large.session.send({ type: 'chat', text: '한'.repeat(22_000) }), { code: 'too_large' });
  let accepted = 0;
  assert.throws(() => { for (;; accepted++) large.session.send({ type: 'chat', text }); }, { code: 'send_queue_full' });
  assert.equal(accepted, 34);
});

test('closing frees the seat, and nothing follows', async () => {
  const harness = new Harness();
  await harness.connect();
  harness.session.send({ type: 'leave' });
  harness.session.close();
  assert.equal(harness.socket.sent.at(-1).type, 'leave');
  assert.equal(harness.socket.closed, 1000);
  harness.closeByServer(1000);
  await harness.clock.advance(60_000);
  assert.equal(harness.sockets.length, 1);
  assert.equal(harness.session.send({ type: 'chat', text: 'late' }), 0);
});

test('a device key signs with the public key that it announces', async () => {
  const key = await newDeviceKey(), bytes = Uint8Array.of(1, 2, 3);
  assert.match(key.publicKey, /^[\w-]{43}$/);
  const imported = await crypto.subtle.importKey('raw', Buffer.from(key.publicKey, 'base64url'), { name: 'Ed25519' }, true, ['verify']);
  assert.equal(await crypto.subtle.verify({ name: 'Ed25519' }, imported, Buffer.from(await key.sign(bytes), 'base64url'), bytes), true);
  assert.equal(key.pair.privateKey.extractable, false);
  assert.equal((await deviceKeyOf(key.pair)).publicKey, key.publicKey);
});

test('the hello signs the server’s nonce for this protocol version', async () => {
  const signed = [], harness = new Harness({ key: { publicKey: 'key', pair: null, sign: async bytes => (signed.push(bytes), 'signature') } });
  await harness.connect();
  assert.deepEqual(Buffer.concat(signed), Buffer.concat([Buffer.from('lunchroom-hello-v1\0'), Buffer.alloc(32, 5)]));
  assert.deepEqual(harness.sent[0], { type: 'hello', version: 1, key: 'key', signature: 'signature', name: 'Ada', client: 'lunchroom-web' });
});

test('a nonce that is not 32 bytes is a protocol error', async () => {
  for (const nonce of ['AAAA', '', '?', 7, null, undefined]) {
    const harness = new Harness();
    harness.openSocket();
    await harness.receive({ ...CHALLENGE, nonce });
    assert.deepEqual(harness.events, [['disconnected', { code: 'not_a_lunchroom_server', message: '' }]], String(nonce));
  }
});

test('a socket that closes while the key signs is ignored', async () => {
  let sign;
  const harness = new Harness({ key: { publicKey: 'key', pair: null, sign: () => new Promise(resolve => { sign = resolve; }) } });
  harness.openSocket();
  await harness.receive(CHALLENGE);
  harness.closeByServer();
  sign('late');
  await harness.clock.advance(300);
  assert.equal(harness.sockets.length, 2);
  assert.deepEqual(harness.sockets.flatMap(socket => socket.sent), []);
});

test('the library and its imports use no global of the DOM', async () => {
  const seen = new Set(), found = [];
  const scan = async name => {
    if (seen.has(name)) return;
    seen.add(name);
    const text = await readFile(path.join(root, 'ui/shared', name), 'utf8'), code = text.replace(/\/\*[^]*?\*\/|\/\/.*$/gm, '');
    found.push(...[...code.matchAll(/\b(document|window|navigator|localStorage|HTML\w*Element|RTC\w+|MediaStream)\b/g)].map(([word]) => `${name}: ${word}`));
    await Promise.all([...code.matchAll(/from '\.\/([^']+)'/g)].map(([, imported]) => scan(imported)));
  };
  await scan('protocol.js');
  assert.deepEqual(found, []);
  assert.deepEqual([...seen].sort(), ['base64url.js', 'clock.js', 'protocol.js', 'reactions.js', 'sanitize.js', 'text.js']);
});
