// Delivery of chat lines in the pages' call code: node --test chat.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Clock, pageModule } from './fakes.mjs';

const { Call } = await pageModule('shared/call.js');

/** A session; the test is the server. */
class Fake extends EventTarget {
  state = 'open';
  clock = new Clock();
  said = [];
  full = false;
  #seq = 0;

  send(message) {
    if (this.full) throw Object.assign(new Error('full'), { code: 'send_queue_full' });
    this.said.push({ seq: ++this.#seq, ...message });
    return this.#seq;
  }

  hears(type, detail) {
    if (type === 'lost') this.#seq = 0;
    this.state = type === 'disconnected' ? 'backoff' : type === 'lost' ? 'connecting' : 'open';
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  says(message) { this.hears('message', message); }

  get chats() { return this.said.filter(one => one.type === 'chat').map(one => one.text); }
}

const joined = you => ({ type: 'joined', room: 'soup', you, participants: [] });

function inCall() {
  const session = new Fake(), call = new Call(session);
  call.join('soup', { microphone: false, camera: false });
  session.says(joined('p1'));
  return { session, call, clock: session.clock };
}

const failed = call => call.unsent.map(one => [one.text, one.failed]);

test('a line waits until it comes back from the server', () => {
  const { session, call } = inCall();
  call.sendChat('one');
  call.sendChat('two');
  assert.deepEqual(failed(call), [['one', null], ['two', null]]);
  session.says({ type: 'chat', from: 'p2', text: 'one', at: 1 });
  assert.equal(call.unsent.length, 2, 'a line of another participant is not ours');
  session.says({ type: 'chat', from: 'p1', text: 'one', at: 2 });
  assert.deepEqual(failed(call), [['two', null]]);
});

test('a line that is written while the connection is broken waits, and is said once', () => {
  const { session, call } = inCall();
  session.hears('disconnected');
  call.sendChat('meanwhile');
  assert.deepEqual(session.chats, []);
  assert.deepEqual(failed(call), [['meanwhile', null]]);
  session.hears('resumed', {});
  session.hears('disconnected');
  session.hears('resumed', {});
  assert.deepEqual(session.chats, ['meanwhile']);
});

test('what was on its way when the server forgot us comes back, what waited is said in the room that is joined again', () => {
  const { session, call } = inCall();
  call.sendChat('before');
  session.hears('disconnected');
  call.sendChat('meanwhile');
  session.hears('lost');
  call.sendChat('after');
  assert.deepEqual(failed(call), [['before', 'chat_unconfirmed'], ['meanwhile', null], ['after', null]]);
  assert.deepEqual(session.chats, ['before'], 'nothing is said without a room');
  session.hears('welcome', {});
  session.says(joined('p9'));
  for (const text of ['meanwhile', 'after']) session.says({ type: 'chat', from: 'p9', text, at: 3 });
  assert.deepEqual(session.chats, ['before', 'meanwhile', 'after']);
  assert.deepEqual(failed(call), [['before', 'chat_unconfirmed']]);
  call.dropLine(call.unsent[0].number);
  assert.deepEqual(call.unsent, []);
});

test('a line that the server refuses says why, and the others go on', () => {
  const { session, call } = inCall();
  call.sendChat('long');
  call.sendChat('fine');
  const [{ seq }] = session.said.filter(one => one.type === 'chat');
  session.says({ type: 'error', code: 'too_large', message: '', about: seq });
  session.says({ type: 'chat', from: 'p1', text: 'fine', at: 2 });
  assert.deepEqual(failed(call), [['long', 'too_large']], 'it is not taken for the one that came back');
});

test('lines go out no faster than a server takes them, and one that was too fast is said again', async () => {
  const { session, call, clock } = inCall();
  for (let n = 0; n < 12; n++) call.sendChat(String(n));
  assert.equal(session.chats.length, 8);
  await clock.pass(1_000);
  assert.equal(session.chats.length, 10);
  const last = session.said.at(-1);
  session.says({ type: 'error', code: 'rate_limited', message: '', about: last.seq });
  assert.equal(session.chats.length, 10);
  await clock.pass(5_000);
  assert.deepEqual(session.chats.slice(8), ['8', '9', '9', '10', '11']);
  assert.equal(failed(call).some(([, why]) => why), false);
});

test('a session that takes no more is asked again later', async () => {
  const { session, call, clock } = inCall();
  session.full = true;
  call.sendChat('patience');
  assert.deepEqual(failed(call), [['patience', null]]);
  session.full = false;
  await clock.pass(3_000);
  assert.deepEqual(session.chats, ['patience']);
});

test('an error about something else is not the end of a join', () => {
  const { session, call } = inCall(), ends = [], others = [];
  call.addEventListener('ended', event => ends.push(event.detail));
  call.addEventListener('rejected', event => others.push(event.detail.code));
  session.hears('lost');
  session.says({ type: 'error', code: 'rate_limited', message: '', about: 77 });
  assert.deepEqual([ends, others], [[], ['rate_limited']]);
  const join = session.said.findLast(one => one.type === 'join');
  session.says({ type: 'error', code: 'room_full', message: '', about: join.seq });
  assert.deepEqual(ends, ['room_full']);
});

test('a call that ends gives back what was not said', () => {
  const { session, call } = inCall();
  session.hears('disconnected');
  call.sendChat('late');
  session.hears('ended', { code: 'replaced', message: '' });
  assert.deepEqual(failed(call), [['late', 'chat_call_ended']]);
  assert.throws(() => call.sendChat('later'), { code: 'chat_no_call' });
});

test('what waits is bounded', () => {
  const { session, call } = inCall();
  session.hears('disconnected');
  for (let n = 0; n < 50; n++) call.sendChat('x');
  assert.throws(() => call.sendChat('x'), { code: 'chat_full' });
});
