// When the door sends the own avatar to its server: node --test avatar-copy.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageModule } from './fakes.mjs';

const { AvatarCopy, requestOf } = await pageModule('door/avatar-copy.js');

const none = { color: null, glyph: null, photo: null }, green = { ...none, color: 2 };
const board = avatar => ({ people: [{ id: 'other' }, { id: 'me', ...(avatar ? { avatar } : {}) }] });

test('a server that shows nothing receives the avatar once in each session', () => {
  const copy = new AvatarCopy();
  assert.equal(copy.isDue(null, 'me', green), false);
  assert.equal(copy.isDue(board(), 'me', green), true);
  assert.equal(copy.isDue(board(), 'me', green), false, 'it is on its way');
  copy.begin();
  assert.equal(copy.isDue(board(), 'me', green), true);
  copy.begin();
  assert.equal(copy.isDue(board({ color: 5 }), 'me', green), false, 'another device of the account chose it');
  copy.begin();
  assert.equal(copy.isDue(board(), 'me', none), false);
});

test('a change without a connection is sent when the board is back, also a removal', () => {
  const copy = new AvatarCopy();
  copy.isDue(board({ color: 2 }), 'me', green);
  copy.changed();
  assert.equal(copy.isDue(null, 'me', none), false);
  assert.equal(copy.isDue(board({ color: 2 }), 'me', none), true);
  assert.equal(copy.isDue(board({ color: 2 }), 'me', none), false);
});

test('a request has only what was chosen', () => {
  assert.deepEqual(requestOf(none), {});
  assert.deepEqual(requestOf({ color: 0, glyph: '🍜', photo: '_9j_' }), { color: 0, glyph: '🍜', jpeg: '_9j_' });
});
