// Reporting, blocking, and the stewards' page, in the app and at the door: node --test order.test.mjs
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { signIn, startBrowser } from './door-server.mjs';
import { calls, said, says, until, words } from './page.mjs';
import { order, orderBook, scenes } from './scenes.mjs';
import { here, open, press } from './window.mjs';

const require = createRequire(path.join(process.env.MODULES ?? path.join(here, '..'), 'package.json'));
let app, browser;
before(async () => {
  [app, browser] = [await open(), await startBrowser()];
});
after(() => Promise.all([app.close(), browser.close()]));

const items = page => page.$$eval('.menu:popover-open button', all => all.map(one => one.textContent));

for (const language of ['en', 'ko']) {
  test(`somebody on the board is reported by keyboard, with a line (${language})`, async () => {
    const { page, complaints } = await app.page({ ...scenes['board'], language });
    const t = words[language];
    await page.waitForSelector('lr-free-people li .more');
    await page.focus('lr-free-people li .more');
    const name = await page.$eval('lr-free-people li .name', one => one.textContent);
    await page.keyboard.press('Enter');
    assert.deepEqual(await items(page), [t.order.report, t.order.block]);
    await page.keyboard.press('Enter');
    await says(page, t.order.reportTitle(name));
    await says(page, t.order.reportWords);
    await page.keyboard.press('Enter');
    assert.deepEqual(await calls(page, 'report'), [], 'a report without a line is not sent');
    await page.keyboard.type('ads');
    await page.evaluate(() => { window.mock.refuse.report = { code: 'too_many_reports', message: '' }; });
    await page.keyboard.press('Enter');
    await says(page, t.problems.too_many_reports, 'dialog [role=alert]');
    await page.evaluate(() => { window.mock.refuse = {}; });
    await page.keyboard.press('Enter');
    await until(page, () => document.querySelector('dialog') === null);
    await said(page, t.order.reported);
    const sent = (await calls(page, 'report')).at(-1);
    assert.equal(sent.text, 'ads');
    assert.match(sent.person, /^p\d/);
    assert.deepEqual(complaints.filter(one => !/404/.test(one)), []); // there is no favicon
    await page.close();
  });

  test(`the stewards' page lists everything, and every entry can be dealt with (${language})`, async () => {
    const { page } = await app.page({ ...scenes['board-steward'], book: orderBook(), language });
    const t = words[language];
    await says(page, t.order.waiting(2), '.banner.reports');
    await page.focus('#look-at-reports');
    await page.keyboard.press('Enter');
    await says(page, t.order.waiting(2), '.order-sheet .lead');
    const { reports, suspended, acts } = orderBook();
    for (const text of [reports[0].text, t.order.by(`\u2068${reports[0].by.name}\u2069`), t.order.inCall, t.order.onBoard, suspended[0].reason, t.order.untilLifted, t.order.erased, t.order.did.closed(`\u2068${acts[1].name}\u2069`, `\u2068${acts[1].topic}\u2069`), t.order.kept]) await says(page, text, '.order-sheet');
    const text = await page.$eval('.order-sheet', one => one.innerText);
    assert.ok(!/undefined|\[object|NaN/.test(text), text);
    await press(page, ['.order-sheet li button.small']);
    await says(page, t.order.waiting(1), '.order-sheet .lead');
    assert.ok(await page.evaluate(() => document.activeElement.classList.contains('lead')), 'the focus stays in the dialog');
    await press(page, ['.order-sheet li .danger-text']);
    await says(page, t.order.suspendTitle(reports[1].of.name), 'dialog.ask-line');
    await page.select('dialog.ask-line select', '168');
    await page.type('dialog.ask-line input', 'enough');
    await page.keyboard.press('Enter');
    await until(page, () => document.querySelector('dialog.ask-line') === null);
    await press(page, ['.order-sheet section:nth-of-type(2) li button']);
    await until(page, () => document.querySelectorAll('.order-sheet section:nth-of-type(2) li').length === 1);
    assert.deepEqual(await calls(page, 'close_report'), [{ report: 7 }]);
    assert.deepEqual(await calls(page, 'suspend'), [{ person: reports[1].of.id, hours: 168, reason: 'enough' }]);
    assert.deepEqual(await calls(page, 'lift'), [{ person: suspended[0].id }]);
    await page.close();
  });

  test(`a suspended person reads why and until when, and nothing else (${language})`, async () => {
    const { page } = await app.page({ ...scenes['board-suspended'], language, zone: 'Asia/Seoul' });
    const t = words[language], { suspension } = scenes['board-suspended'].state.board.order;
    for (const text of [t.order.youAre, suspension.reason, '12:00', t.order.youAreWords]) await says(page, text, '.suspended');
    for (const part of ['lr-day', 'lr-free-people', '#eat-now', '#lay-table', '#presence']) assert.equal(await page.$eval(part, one => one.checkVisibility()), false, part);
    await says(page, suspension.reason, '.banner.acts[role=status]');
    await press(page, ['#acts-seen']);
    assert.deepEqual(await calls(page, 'acts_seen'), [{}]);
    await page.close();
  });
}

test('whoever is taken out of a call reads a steward’s reason, also if it comes later', async () => {
  const { page } = await app.page({ ...scenes['ended-suspended'], language: 'en', zone: 'Asia/Seoul' }), t = words.en;
  const { suspension } = scenes['ended-suspended'].state.board.order;
  for (const text of [t.ends.suspended, t.guestProblems.suspended, t.order.because(suspension.reason), '12:00']) await says(page, text, 'lr-ended');
  await page.evaluate(one => window.mock.push({ ...window.mock.state, call: { ...window.mock.state.call, stage: { kind: 'ended', code: 'table_closed' } }, board: { ...window.mock.state.board, order: one } }),
    order({ acts: [{ at_ms: 1, kind: 'closed', topic: 'Soup', reason: 'no ads' }] }));
  await says(page, t.order.because('no ads'), 'lr-ended');
  await page.close();
});

test('only stewards see what only stewards can do', async () => {
  for (const [scene, is] of [['board', false], ['board-steward', true]]) {
    const { page } = await app.page({ ...scenes[scene], language: 'en' }), t = words.en;
    await press(page, ['#board-more']);
    assert.equal((await items(page)).includes(t.order.page), is);
    await page.keyboard.press('Escape');
    await press(page, ['lr-card .more']);
    assert.equal((await items(page)).includes(t.order.closeTable), is);
    await page.keyboard.press('Escape');
    await press(page, ['lr-free-people li .more']);
    assert.equal((await items(page)).includes(t.order.suspend), is);
    assert.equal(await page.$eval('.banner.reports', one => one.checkVisibility()), is);
    await page.close();
  }
});

test('a steward closes a table with a reason', async () => {
  const { page } = await app.page({ ...scenes['close-table'], language: 'en' });
  await press(page, scenes['close-table'].press);
  await page.type('dialog.ask-line input', 'no ads');
  await page.keyboard.press('Enter');
  await said(page, words.en.order.closed);
  const [{ table, reason }] = await calls(page, 'close_table');
  assert.ok(scenes['close-table'].state.board.tables.some(one => one.id === table));
  assert.equal(reason, 'no ads');
  await page.close();
});

test('people in a call are reported and blocked by their place in it', async () => {
  const { page } = await app.page({ ...scenes['call-person-menu'], language: 'en' }), t = words.en;
  await press(page, scenes['call-person-menu'].press);
  assert.deepEqual((await items(page)).slice(-2), [t.order.report, t.order.block]);
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  await says(page, t.order.blockWords, 'dialog.question');
  await press(page, ['dialog.question .danger']);
  await until(page, () => document.querySelector('dialog') === null);
  assert.deepEqual(await calls(page, 'block'), [{ participant: 'q0' }]);
  await page.close();
});

test('blocked people are listed and unblocked', async () => {
  const { page } = await app.page({ ...scenes['blocked'], language: 'en' }), t = words.en;
  await press(page, scenes['blocked'].press);
  await says(page, t.order.blockedWords);
  const before = await page.$$eval('.blocked li', all => all.length);
  await press(page, ['.blocked li button']);
  assert.deepEqual(await calls(page, 'unblock'), [{ person: 'p2' }]);
  await page.evaluate(one => window.mock.push({ ...window.mock.state, board: { ...window.mock.state.board, order: one } }), order());
  await says(page, t.order.nobodyBlocked);
  assert.equal(before, 2);
  await page.close();
});

test('at the door the server receives what was asked for', async () => {
  const { server, page, complaints } = await browser.door({});
  await signIn(page);
  await page.waitForSelector('lr-free-people li .more');
  await press(page, ['lr-free-people li .more', '.menu:popover-open button']);
  await page.type('dialog.ask-line input', 'rude');
  await page.keyboard.press('Enter');
  await until(page, () => document.querySelector('dialog') === null);
  const [report] = server.of('report');
  assert.deepEqual([report.text, typeof report.person, report.participant], ['rude', 'string', undefined]);
  assert.deepEqual(complaints, []);
  await page.browserContext().close();
  server.stop();
});

test('axe finds no serious problem', async () => {
  const axe = await readFile(require.resolve('axe-core/axe.min.js'), 'utf8');
  for (const scene of ['board-steward', 'board-acts', 'board-suspended', 'order-book', 'order-book-empty', 'suspend', 'report', 'person-menu', 'close-table', 'blocked']) {
    const { page } = await app.page({ ...scenes[scene], language: 'ko' });
    await press(page, scenes[scene].press);
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
    const serious = violations.filter(one => ['serious', 'critical'].includes(one.impact));
    assert.deepEqual(serious.map(one => `${scene}: ${one.id} ${one.nodes.map(node => node.html).join(' ')}`), []);
    await page.close();
  }
});
