// What the server knows about a person, in the app and at the door: node --test about-me.test.mjs
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { signIn, startBrowser } from './door-server.mjs';
import { calls, words } from './page.mjs';
import { aboutMe, scenes } from './scenes.mjs';
import { here, open, pause, press } from './window.mjs';

const require = createRequire(path.join(process.env.MODULES ?? path.join(here, '..'), 'package.json'));
let app, browser;
before(async () => {
  [app, browser] = [await open(), await startBrowser()];
});
after(() => Promise.all([app.close(), browser.close()]));

const settings = ['#board-more', '.menu:popover-open button:last-child'];
const sheet = 'dialog.about-sheet';
const says = (page, text, selector = sheet) => page.waitForFunction((selector, text) => document.querySelector(selector)?.innerText.includes(text), { timeout: 20_000 }, selector, text);
const focused = page => page.evaluate(() => document.activeElement.id || document.activeElement.className);

/** Opens the app's settings, and the dialog by keyboard. */
async function opened(language, more = {}) {
  const { page, complaints } = await app.page({ ...scenes['about-me'], language, ...more });
  await press(page, settings);
  await page.focus('#about-me');
  await page.keyboard.press('Enter');
  await page.waitForSelector(`${sheet}[open]`);
  return { page, complaints, t: words[language] };
}

for (const language of ['en', 'ko']) {
  test(`everything is listed with times of the community's zone, and saved as a file (${language})`, async () => {
    const { page, complaints, t } = await opened(language, { zone: 'Europe/Berlin' });
    await says(page, t.about.all);
    for (const text of [t.about.you, '김민지', aboutMe().key, t.about.member, t.about.connections(2), t.about.host, t.about.seat, t.about.inLine(2), t.about.removed, t.weekly,
      t.about.chosen(2), t.about.chosenBy(1), t.about.people(3), t.about.metKept(30), t.about.leftOut(2), '12:20–13:20']) await says(page, text);
    await says(page, t.about.times(language === 'en' ? 'Korean Standard Time' : '한국 표준시'));
    const list = await page.$eval(sheet, one => one.innerText);
    assert.ok(!list.includes('undefined') && !list.includes('[object'), list);
    assert.deepEqual(await page.$$eval(`${sheet} [role=status]`, all => all.map(one => one.textContent)), [t.about.all, ''], 'only these are spoken by themselves');
    await page.evaluate(() => { window.mock.refuse.save_about_me = { code: 'about_not_written', message: '' }; });
    await press(page, ['#about-save']);
    await says(page, t.problems.about_not_written);
    await page.evaluate(() => { window.mock.refuse = {}; });
    await page.focus('#about-save');
    await page.keyboard.press('Enter');
    await says(page, t.about.saved('Downloads/lunchroom-about-me.json'), `${sheet} .outcome[role=status]`);
    assert.equal((await calls(page, 'save_about_me')).length, 2);
    assert.deepEqual(complaints.filter(one => !/404/.test(one)), []); // there is no favicon
    await page.close();
  });

  test(`erasing is confirmed, and then nothing is left (${language})`, async () => {
    const { page, t } = await opened(language);
    await says(page, t.about.all);
    await press(page, ['#about-erase']);
    await says(page, t.about.eraseWords, 'dialog.question');
    assert.equal(await page.$eval('dialog.question', one => document.getElementById(one.getAttribute('aria-describedby')).textContent), t.about.eraseWords);
    await page.keyboard.press('Escape');
    await page.waitForSelector('dialog.question', { hidden: true });
    assert.deepEqual([await focused(page), await calls(page, 'forget_me')], ['about-erase', []], 'nothing happens before the confirmation');
    await press(page, ['#about-erase', 'dialog.question .danger']);
    await says(page, t.about.nothing);
    await says(page, t.about.erased, `${sheet} .outcome[role=status]`);
    assert.equal((await calls(page, 'forget_me')).length, 1);
    await page.waitForFunction(() => document.activeElement.classList.contains('lead'));
    assert.equal(await page.$('#about-erase'), null, 'there is nothing to erase');
    assert.ok(await page.$('#about-save'));
    await page.close();
  });

  test(`a server from before this says nothing, and the dialog says why (${language})`, async () => {
    const { page, t } = await opened(language, { setup: () => { window.mock.refuse.about_me = { code: 'server_too_old', message: '' }; } });
    await says(page, t.problems.server_too_old);
    assert.deepEqual([await page.$('#about-save'), await page.$('#about-erase')], [null, null]);
    await page.close();
  });
}

test('without a connection there is nothing to ask', async () => {
  const { page } = await app.page({ ...scenes['board-offline'], language: 'en' });
  await press(page, settings);
  await page.waitForSelector('lr-settings');
  assert.equal(await page.$('#about-me'), null);
  await page.close();
});

/** A member at the door, with the dialog open. */
async function atTheDoor(prepare) {
  const { server, page, complaints } = await browser.door({ prepare });
  await signIn(page);
  await press(page, [...settings, '#about-me']);
  await page.waitForSelector(`${sheet}[open]`);
  return { server, page, t: words.en, async end() {
    assert.deepEqual(complaints, []);
    await page.browserContext().close();
    server.stop();
  } };
}

test('at the door the file has what the server sent, and erasing asks the server', async () => {
  const { server, page, t, end } = await atTheDoor(server => { server.about = aboutMe(); });
  await says(page, t.about.all);
  await page.evaluate(() => { HTMLAnchorElement.prototype.click = function () { window.saved = { name: this.download, url: this.href }; }; });
  await press(page, ['#about-save']);
  await page.waitForFunction(() => window.saved);
  assert.equal(await page.evaluate(() => window.saved.name), 'lunchroom-about-me.json');
  assert.deepEqual(JSON.parse(await page.evaluate(async () => (await fetch(window.saved.url)).text())), aboutMe());
  await press(page, ['#about-erase', 'dialog.question .danger']);
  await says(page, t.about.nothing);
  assert.equal(server.of('forget_me').length, 1);
  await end();
});

test('at the door an old server and one that refuses are told apart', async () => {
  for (const [code, shown] of [['malformed', 'server_too_old'], ['rate_limited', 'rate_limited']]) {
    const { page, t, end } = await atTheDoor(server => { server.refuses.about_me = code; });
    await says(page, t.problems[shown]);
    await end();
  }
});

test('markup in what a hostile server sends is shown as text', async () => {
  const nasty = '<img src=x onerror="window.hacked=1"><b>x</b>', { tables: [table], ...rest } = aboutMe();
  const { page, end } = await atTheDoor(server => { server.about = { ...rest, names: [nasty], tables: [{ ...table, topic: nasty, place: nasty }] }; });
  await says(page, nasty);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  await end();
});

test('axe finds no serious problem in the dialog, and it fits a small window', async () => {
  const axe = await readFile(require.resolve('axe-core/axe.min.js'), 'utf8');
  for (const theme of ['light', 'dark']) for (const language of ['en', 'ko']) {
    const { page, t } = await opened(language, { theme, width: 480, height: 360 });
    await says(page, t.about.all);
    await pause(300); // the dialog moves in
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run('dialog.about-sheet', { resultTypes: ['violations'] }));
    assert.deepEqual(violations.filter(one => ['serious', 'critical'].includes(one.impact)).map(one => `${theme}: ${one.id} ${one.nodes[0].target}`), []);
    assert.equal(await page.$$eval(`${sheet} *`, all => all.some(one => one.getBoundingClientRect().right > innerWidth + 2)), false);
    await page.close();
  }
});
