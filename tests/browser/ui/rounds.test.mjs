// Planned rounds, in the app and at the door: node --test rounds.test.mjs
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { MINUTE, NOON, signIn, startBrowser } from './door-server.mjs';
import { calls, said, says, until, words } from './page.mjs';
import { scenes } from './scenes.mjs';
import { here, open, press } from './window.mjs';

const require = createRequire(path.join(process.env.MODULES ?? path.join(here, '..'), 'package.json'));
let app, browser;
before(async () => {
  [app, browser] = [await open(), await startBrowser()];
});
after(() => Promise.all([app.close(), browser.close()]));

const ZONE = 'Asia/Seoul';
const change = (page, id, more) => page.evaluate((id, more) => {
  const { state } = window.mock, rounds = state.board.rounds.map(one => one.id === id ? { ...one, ...more } : one);
  window.mock.push({ ...state, board: { ...state.board, rounds } });
}, id, more);
const rounds = scenes['board-rounds'].state.board.rounds;
const [closed, mine, own] = rounds;

for (const language of ['en', 'ko']) {
  test(`a round shows when it is, who has signed up, and until when one can (${language})`, async () => {
    const { page, complaints } = await app.page({ ...scenes['board-rounds'], language, zone: ZONE });
    const t = words[language], shown = await page.$$eval('lr-round', all => all.map(one => one.innerText));
    assert.equal(shown.length, 3, 'the first two, and the one with a sign-up');
    const [first, second, third] = shown;
    for (const text of [closed.title, '12:50', t.weekly, t.rounds.sizes.threes, t.rounds.signedUp(4), t.rounds.closed]) assert.ok(first.includes(text), `${text} in ${first}`);
    for (const text of [mine.title, '12:00', '24', t.rounds.youAreIn, t.rounds.signedUp(13), '11:00', t.rounds.withdraw]) assert.ok(second.includes(text), `${text} in ${second}`);
    for (const text of [own.title, t.rounds.sizes.fours, t.rounds.signedUp(0), t.rounds.signUp]) assert.ok(third.includes(text), `${text} in ${third}`);
    assert.ok(!third.includes(t.weekly));
    assert.equal(await page.$eval('lr-round .act', one => one.disabled), true, 'sign-up is over');
    await press(page, ['#all-rounds']);
    await until(page, () => document.querySelectorAll('lr-round').length === 5);
    assert.equal(await page.$eval('#all-rounds', one => one.getAttribute('aria-expanded')), 'true');
    await says(page, t.rounds.one, 'lr-round h3'); // the one without a title
    assert.ok(!/undefined|\[object|NaN/.test(await page.$eval('lr-rounds', one => one.innerText)));
    assert.deepEqual(complaints.filter(one => !/404/.test(one)), []); // there is no favicon
    await page.close();
  });

  test(`one signs up and withdraws with one button, by keyboard (${language})`, async () => {
    const { page } = await app.page({ ...scenes['board-rounds'], language, zone: ZONE });
    const t = words[language], act = `lr-round:nth-child(3) .act`;
    await page.waitForSelector(act);
    assert.ok((await page.$eval(act, one => one.getAttribute('aria-label'))).includes(own.title), 'a screen reader hears for what');
    await page.focus(act);
    await page.keyboard.press('Enter');
    await said(page, t.rounds.youAreSignedUp);
    await change(page, own.id, { joined: true, signed_up: 1 });
    await says(page, t.rounds.withdraw, act);
    assert.equal(await page.evaluate(() => document.activeElement.className), 'small act', 'the focus stays');
    await page.keyboard.press('Enter');
    await said(page, t.rounds.withdrawn);
    assert.deepEqual([await calls(page, 'sign_up'), await calls(page, 'withdraw')], [[{ round: own.id }], [{ round: own.id }]]);
    await page.evaluate(() => { window.mock.refuse.withdraw = { code: 'sign_up_closed', message: '' }; });
    await page.keyboard.press('Enter');
    await says(page, t.problems.sign_up_closed, '.notices [role=alert]');
    await page.close();
  });

  test(`a round is planned in a form that keeps what was typed (${language})`, async () => {
    const { page } = await app.page({ ...scenes['lay-round'], language, zone: ZONE });
    const t = words[language];
    await press(page, ['#lay-round']);
    await says(page, t.rounds.words, 'dialog[open]');
    await page.keyboard.type('Dumplings');
    const fields = await page.$$eval('dialog .field select, dialog .field input', all => all.map(one => one.labels[0]?.innerText));
    assert.deepEqual(fields, [t.rounds.name, t.day, t.time, t.howLong, t.rounds.groups]);
    await page.evaluate(() => { window.mock.refuse.lay_round = { code: 'too_many_rounds', message: '' }; });
    await page.select('dialog select:nth-of-type(1)', '2026-11-26');
    const selects = await page.$$('dialog select');
    await selects[2].select('fours');
    await page.keyboard.press('Enter');
    await press(page, ['dialog button[type=submit]']);
    await says(page, t.problems.too_many_rounds, 'dialog [role=alert]');
    await page.evaluate(() => { window.mock.refuse = {}; });
    await press(page, ['dialog button[type=submit]']);
    await said(page, t.rounds.laid);
    const { draft } = (await calls(page, 'lay_round')).at(-1);
    assert.deepEqual(draft, { title: 'Dumplings', starts_ms: Date.parse('2026-11-26T03:00:00Z'), minutes: 60, weekly: true, size: 'fours' });
    await page.close();
  });
}

test('a round that would close at once is not sent', async () => {
  const { page } = await app.page({ ...scenes['lay-round'], language: 'en', zone: ZONE });
  await press(page, ['#lay-round']);
  await page.keyboard.type('Too late');
  await page.select('dialog select:nth-of-type(1)', '2026-11-23');
  await page.$eval('dialog input[type=time]', one => { one.value = '13:00'; });
  await press(page, ['dialog button[type=submit]']);
  await says(page, words.en.problems.sign_up_closed, 'dialog [role=alert]');
  assert.deepEqual(await calls(page, 'lay_round'), []);
  await page.close();
});

test('only whoever planned a round, and stewards, can cancel it', async () => {
  const { page } = await app.page({ ...scenes['board-rounds'], language: 'en', zone: ZONE }), t = words.en;
  const offered = () => page.$$eval('lr-round .more', all => all.map(one => one.checkVisibility()));
  await page.waitForSelector('lr-round');
  assert.deepEqual(await offered(), [false, false, true]);
  await press(page, ['lr-round .more:not([hidden])', '.menu:popover-open button']);
  await says(page, t.rounds.cancelSure(0, false), 'dialog[open]');
  await press(page, ['dialog .danger']);
  await said(page, t.rounds.cancelled);
  assert.deepEqual(await calls(page, 'cancel_round'), [{ round: own.id }]);
  await page.evaluate(() => { const { state } = window.mock; window.mock.push({ ...state, board: { ...state.board, order: { ...state.board.order, steward: true } } }); });
  await until(page, () => [...document.querySelectorAll('lr-round .more')].every(one => one.checkVisibility()));
  await page.close();
});

test('the outcome of a round is said like a reminder', async () => {
  const { page } = await app.page({ ...scenes['board-rounds'], language: 'en', zone: ZONE }), t = words.en;
  for (const [number, kind] of ['matched', 'unmatched', 'round_missed', 'round_cancelled'].entries()) {
    await page.evaluate((number, kind) => window.mock.push({ ...window.mock.state, reminders: [{ number, kind, table: '', room: '', topic: 'Tuesday', starts_ms: 0 }] }), number, kind);
    await says(page, t.reminders[kind]('Tuesday'), 'lr-reminders');
  }
  await page.close();
});

test('at the door the server receives what was asked for, and cleans what it says', async () => {
  const prepare = server => { server.rounds = [{ id: 'r', title: '\u202eTuesday', starts_ms: NOON + 1500 * MINUTE, ends_ms: NOON + 1560 * MINUTE, closes_ms: NOON + 1440 * MINUTE, weekly: true, size: 'threes', host: 'p1', signed_up: 2 }]; };
  const { server, page, complaints } = await browser.door({ prepare }), t = words.en;
  await signIn(page);
  await says(page, 'Tuesday', 'lr-round h3');
  assert.equal(await page.$eval('lr-round h3', one => one.textContent), 'Tuesday');
  await press(page, ['lr-round .act']);
  await says(page, t.rounds.signedUp(3), 'lr-round');
  await says(page, t.rounds.withdraw, 'lr-round .act');
  await press(page, ['lr-round .act']);
  await says(page, t.rounds.signUp, 'lr-round .act');
  await press(page, ['#lay-round']);
  await page.keyboard.type('Fridays');
  await press(page, ['dialog button[type=submit]']);
  await says(page, 'Fridays', 'lr-round h3');
  assert.deepEqual(['sign_up', 'withdraw', 'lay_round'].map(one => server.of(one).length), [1, 1, 1]);
  server.send({ type: 'board', news: 'notice', kind: 'unmatched', topic: 'Tuesday', starts_ms: NOON });
  await says(page, t.reminders.unmatched('Tuesday'), 'lr-reminders');
  assert.deepEqual(complaints, []);
  await page.browserContext().close();
  server.stop();
});

test('axe finds no serious problem', async () => {
  const axe = await readFile(require.resolve('axe-core/axe.min.js'), 'utf8');
  for (const scene of ['board-rounds', 'all-rounds', 'rounds-alone', 'lay-round', 'cancel-round']) {
    for (const theme of ['light', 'dark']) {
      const { page } = await app.page({ ...scenes[scene], language: 'ko', theme, zone: ZONE });
      await press(page, scenes[scene].press);
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
      const serious = violations.filter(one => ['serious', 'critical'].includes(one.impact));
      assert.deepEqual(serious.map(one => `${scene}: ${one.id} ${one.nodes.map(node => node.html).join(' ')}`), []);
      await page.close();
    }
  }
});
