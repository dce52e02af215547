// Delivery of chat lines in the pages' call code: node --test chat.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Clock, pageModule } from './fakes.mjs';

const { Call } = await pageModule('shared/call.js');

/** A fake session. The test acts as the server. */
class FakeSession extends EventTarget {
  state = 'open';
  clock = new Clock();
  sent = [];
  full = false;
  #seq = 0;

  send(message) {
    if (this.full) throw Object.assign(new Error('full'), { code: 'send_queue_full' });
    this.sent.push({ seq: ++this.#seq, ...message });
    return this.#seq;
  }

  emit(type, detail) {
    if (type === 'lost') this.#seq = 0;
    this.state = type === 'disconnected' ? 'backoff' : type === 'lost' ? 'connecting' : 'open';
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  receive(message) { this.emit('message', message); }

  get chats() { return this.sent.filter(one => one.type === 'chat').map(one => one.text); }
}

const joined = you => ({ type: 'joined', room: 'soup', you, participants: [] });

function inCall() {
  const session = new FakeSession(), call = new Call(session);
  call.join('soup', { microphone: false, camera: false });
  session.receive(joined('p1'));
  return { session, call, clock: session.clock };
}

const linesOf = call => call.unsent.map(one => [one.text, one.failed]);

test('a line stays unsent until the server confirms it', () => {
  const { session, call } = inCall();
  call.sendChat('one');
  call.sendChat('two');
  assert.deepEqual(linesOf(call), [['one', null], ['two', null]]);
  session.receive({ type: 'chat', from: 'p2', text: 'one', at: 1 });
  assert.equal(call.unsent.length, 2, 'a line of another participant is not ours');
  session.receive({ type: 'chat', from: 'p1', text: 'one', at: 2 });
  assert.deepEqual(linesOf(call), [['two', null]]);
});

test('a line written while disconnected waits, and is sent once', () => {
  const { session, call } = inCall();
  session.emit('disconnected');
  call.sendChat('meanwhile');
  assert.deepEqual(session.chats, []);
  assert.deepEqual(linesOf(call), [['meanwhile', null]]);
  session.emit('resumed', {});
  session.emit('disconnected');
  session.emit('resumed', {});
  assert.deepEqual(session.chats, ['meanwhile']);
});

test('after a lost session, lines in flight fail and waiting lines are sent after the rejoin', () => {
  const { session, call } = inCall();
  call.sendChat('before');
  session.emit('disconnected');
  call.sendChat('meanwhile');
  session.emit('lost');
  call.sendChat('after');
  assert.deepEqual(linesOf(call), [['before', 'chat_unconfirmed'], ['meanwhile', null], ['after', null]]);
  assert.deepEqual(session.chats, ['before'], 'nothing is sent without a seat');
  session.emit('welcome', {});
  session.receive(joined('p9'));
  for (const text of ['meanwhile', 'after']) session.receive({ type: 'chat', from: 'p9', text, at: 3 });
  assert.deepEqual(session.chats, ['before', 'meanwhile', 'after']);
  assert.deepEqual(linesOf(call), [['before', 'chat_unconfirmed']]);
  call.dropLine(call.unsent[0].number);
  assert.deepEqual(call.unsent, []);
});

test('a rejected line has the error code, and the others are not affected', () => {
  const { session, call } = inCall();
  call.sendChat('long');
  call.sendChat('fine');
  const [{ seq }] = session.sent.filter(one => one.type === 'chat');
  session.receive({ type: 'error', code: 'too_large', message: '', about: seq });
  session.receive({ type: 'chat', from: 'p1', text: 'fine', at: 2 });
  assert.deepEqual(linesOf(call), [['long', 'too_large']], 'it is not taken for the one that came back');
});

test('lines respect the rate limit, and a rate-limited line is sent again', async () => {
  const { session, call, clock } = inCall();
  for (let n = 0; n < 12; n++) call.sendChat(String(n));
  assert.equal(session.chats.length, 8);
  await clock.advance(1_000);
  assert.equal(session.chats.length, 10);
  const last = session.sent.at(-1);
  session.receive({ type: 'error', code: 'rate_limited', message: '', about: last.seq });
  assert.equal(session.chats.length, 10);
  await clock.advance(5_000);
  assert.deepEqual(session.chats.slice(8), ['8', '9', '9', '10', '11']);
  assert.equal(linesOf(call).some(([, why]) => why), false);
});

test('a line is sent later if the session’s queue is full', async () => {
  const { session, call, clock } = inCall();
  session.full = true;
  call.sendChat('patience');
  assert.deepEqual(linesOf(call), [['patience', null]]);
  session.full = false;
  await clock.advance(3_000);
  assert.deepEqual(session.chats, ['patience']);
});

test('an error about another message does not end a join', () => {
  const { session, call } = inCall(), ends = [], others = [];
  call.addEventListener('ended', event => ends.push(event.detail));
  call.addEventListener('rejected', event => others.push(event.detail.code));
  session.emit('lost');
  session.receive({ type: 'error', code: 'rate_limited', message: '', about: 77 });
  assert.deepEqual([ends, others], [[], ['rate_limited']]);
  const join = session.sent.findLast(one => one.type === 'join');
  session.receive({ type: 'error', code: 'room_full', message: '', about: join.seq });
  assert.deepEqual(ends, ['room_full']);
});

test('waiting lines fail when the call ends', () => {
  const { session, call } = inCall();
  session.emit('disconnected');
  call.sendChat('late');
  session.emit('ended', { code: 'replaced', message: '' });
  assert.deepEqual(linesOf(call), [['late', 'chat_call_ended']]);
  assert.throws(() => call.sendChat('later'), { code: 'chat_no_call' });
});

test('the number of unsent lines is bounded', () => {
  const { session, call } = inCall();
  session.emit('disconnected');
  for (let n = 0; n < 50; n++) call.sendChat('x');
  assert.throws(() => call.sendChat('x'), { code: 'chat_full' });
});
