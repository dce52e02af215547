// The board of a session, with a fake session: node --test board-session.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageModule } from './fakes.mjs';

const { BoardSession } = await pageModule('shared/board-session.js');

/** A board with a session that numbers what it sends. */
function begun() {
  const sent = [], board = new BoardSession();
  board.begin({ send: message => sent.push(message) }, 'me');
  return { board, sent };
}
const snapshot = more => ({ type: 'board', news: 'snapshot', first: true, last: true, now_ms: 1, zone: 'Asia/Seoul', member: true, tables: [], people: [], free_count: 0, hungry_count: 0, ...more });
const codeOf = request => request.then(() => null, error => error.code);

test('answers and errors settle the requests that they are about', async () => {
  const { board } = begun();
  const all = ['take', 'leave', 'delete'].map(name => board.request({ type: 'board', do: name, table: 't' }));
  board.handle({ type: 'board', news: 'done', about: 2 }, 0);
  assert.equal(board.refused({ code: 'table_full', about: 3 }), true);
  assert.deepEqual([board.refused({ code: 'rate_limited', about: 3 }), board.refused({ code: 'rate_limited' })], [false, false]);
  board.lost();
  assert.deepEqual(await Promise.all(all.map(codeOf)), ['unanswered', null, 'table_full']);
});

test('an invite answers the request for its room', async () => {
  const { board } = begun();
  const soup = board.request({ type: 'board', do: 'invite', room: 'soup' }), taken = board.request({ type: 'board', do: 'take', table: 't' });
  board.handle({ type: 'board', news: 'invite', room: 'cake', invite: 'no' }, 0);
  board.handle({ type: 'board', news: 'invite', room: 'soup', invite: 'yes' }, 0);
  for (const about of [1, 2]) board.handle({ type: 'board', news: 'done', about }, 0);
  assert.equal((await soup).invite, 'yes');
  assert.equal(await taken, undefined);
});

test('what the server knows answers the request for it, and a server that does not know the request is too old', async () => {
  const { board } = begun(), ask = name => board.request({ type: 'board', do: name });
  const [taken, about, old, other] = ['take', 'about_me', 'about_me', 'forget_me'].map(ask);
  board.handle({ type: 'board', news: 'about_me', key: 'me' }, 0);
  for (const about of [1, 2]) board.handle({ type: 'board', news: 'done', about }, 0);
  for (const about of [3, 4]) board.refused({ code: 'malformed', about });
  assert.deepEqual([await taken, (await about).key], [undefined, 'me']);
  assert.deepEqual([await codeOf(old), await codeOf(other)], ['server_too_old', 'malformed']);
});

test('the token of a calendar answers the request for it', async () => {
  const { board } = begun();
  const revoked = board.request({ type: 'board', do: 'revoke_calendar' }), asked = board.request({ type: 'board', do: 'calendar' });
  board.handle({ type: 'board', news: 'calendar', token: 'T0k' }, 0);
  board.handle({ type: 'board', news: 'done', about: 1 }, 0);
  assert.equal((await asked).token, 'T0k');
  assert.equal(await revoked, undefined);
});

test('a new session fails what the old one did not answer, and keeps the old board until the new one is whole', async () => {
  const { board } = begun();
  assert.equal(board.handle(snapshot({ free_count: 3 }), 0), true);
  const taken = board.request({ type: 'board', do: 'take', table: 't' });
  board.begin({ send: () => 1 }, 'me');
  assert.equal(await codeOf(taken), 'unanswered');
  assert.equal(board.handle(snapshot({ last: false, free_count: 4 }), 0), false);
  assert.equal(board.state.free_count, 3);
  assert.equal(board.handle(snapshot({ first: false, free_count: 5 }), 0), true);
  assert.equal(board.state.free_count, 5);
  board.end();
  assert.deepEqual([board.state, board.reminders], [null, []]);
});

test('without a session a request fails, and of too many the oldest fails', async () => {
  assert.equal(await codeOf(new BoardSession().request({ type: 'board', do: 'take' })), 'not_connected');
  const closed = new BoardSession();
  closed.begin({ send: () => 0 }, 'me');
  assert.equal(await codeOf(closed.request({ type: 'board', do: 'take' })), 'not_connected');
  const { board } = begun(), all = [...Array(33).keys()].map(() => board.request({ type: 'board', do: 'take' }));
  assert.equal(await codeOf(all[0]), 'unanswered');
  for (let about = 2; about <= 33; about++) board.handle({ type: 'board', news: 'done', about }, 0);
  assert.deepEqual(await Promise.all(all.slice(1).map(codeOf)), Array(32).fill(null));
});

test('notices become reminders until they are dismissed, the newest eight', () => {
  const { board } = begun(), notice = kind => board.handle({ type: 'board', news: 'notice', kind, table: 't', room: 't-x', topic: 'Soup', starts_ms: 5 }, 0);
  assert.equal(notice('soon'), true);
  assert.deepEqual(board.reminders, [{ number: 0, kind: 'soon', table: 't', room: 't-x', topic: 'Soup', starts_ms: 5 }]);
  assert.equal(notice('a kind of a later version'), false);
  for (let n = 0; n < 9; n++) notice('begins');
  assert.deepEqual(board.reminders.map(one => one.number), [2, 3, 4, 5, 6, 7, 8, 9]);
  board.dismiss(8);
  assert.deepEqual(board.reminders.map(one => one.number), [9]);
});
