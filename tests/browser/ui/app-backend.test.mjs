// The window's state, merged from the updates of the channel: node --test app-backend.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageModule } from './fakes.mjs';

class Observer {}
const timers = [];
Object.assign(globalThis, {
  ResizeObserver: Observer,
  IntersectionObserver: Observer,
  document: { addEventListener() {} },
  setTimeout: call => timers.push(call), // the automatic connection is not tested here
});

/** Returns a started backend, the states that its listener received, and a function that sends an update. */
async function started() {
  const invoked = [];
  let send = message => void message;
  globalThis.__TAURI_INTERNALS__ = {
    invoke: (name, args) => (invoked.push([name, args]), Promise.resolve(null)),
    transformCallback: callback => ((send = callback), 1),
  };
  const { AppBackend } = await pageModule('app/backend.js');
  const backend = new AppBackend();
  const states = [];
  backend.start();
  backend.subscribe(state => states.push(state));
  assert.equal(invoked[0][0], 'subscribe');
  return { backend, states, send: (index, message) => send({ index, message }) };
}

const board = { tables: [{ id: 'soup' }] };
const whole = { call: { room: '' }, chat: { keep: 0, lines: [] }, board, link: null, frames: null };
const shown = { ...whole, chat: [] };

test('an update replaces the fields that it names and keeps the other objects', async () => {
  const { backend, states, send } = await started();
  send(0, whole);
  send(1, { call: { room: 'soup' } });
  assert.deepEqual(states, [shown, { ...shown, call: { room: 'soup' } }]);
  assert.equal(states[1].board, board);
  send(2, { board: null });
  assert.deepEqual(backend.state, { call: { room: 'soup' }, chat: [], board: null, link: null, frames: null });
});

test('updates that arrive out of order are all merged, and only the newest state is drawn', async () => {
  const { states, send } = await started();
  send(0, whole);
  send(2, { link: { room: 'tea' } });
  assert.equal(states.length, 1, 'one before it is missing');
  send(1, { call: { room: 'soup' } });
  assert.deepEqual(states.slice(1), [{ ...shown, call: { room: 'soup' }, link: { room: 'tea' } }]);
});

test('a line of chat comes alone, and the oldest ones go', async () => {
  const { backend, send } = await started(), text = () => backend.state.chat.map(line => line.text).join();
  send(0, { ...whole, chat: { keep: 0, lines: [{ text: 'a' }, { text: 'b' }] } });
  send(1, { chat: { keep: 2, lines: [{ text: 'c' }] } });
  assert.equal(text(), 'a,b,c');
  const [, b] = backend.state.chat;
  send(2, { chat: { keep: 2, lines: [{ text: 'd' }] } });
  assert.equal(text(), 'b,c,d');
  assert.equal(backend.state.chat[0], b);
  send(3, { call: { room: 'soup' } });
  assert.equal(text(), 'b,c,d');
  send(4, { chat: { keep: 0, lines: [] } });
  assert.equal(text(), '');
});
