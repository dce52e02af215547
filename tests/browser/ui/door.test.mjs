// The community's door in headless Chromium against a fake server, which the test controls: node --test door.test.mjs
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { NOON, MINUTE, signIn, startBrowser } from './door-server.mjs';
import { here, pause, press, ui } from './window.mjs';

const require = createRequire(path.join(process.env.MODULES ?? path.join(here, '..'), 'package.json'));
const words = {};
let browser;
before(async () => {
  for (const language of ['en', 'ko']) {
    const source = await readFile(path.join(ui, `shared/strings/${language}.js`), 'utf8');
    words[language] = (await import(`data:text/javascript;base64,${Buffer.from(source).toString('base64')}`))[language];
  }
  browser = await startBrowser();
});
after(() => browser.close());

async function opened(options) {
  const all = await browser.door(options);
  return { ...all, t: words[options?.language ?? 'en'], async end() {
    assert.deepEqual(all.complaints, []);
    await all.page.browserContext().close();
    all.server.stop();
  } };
}
async function member(options) {
  const all = await opened(options);
  await signIn(all.page);
  return all;
}
const until = async (what, run) => {
  for (let n = 0; n < 200; n++) {
    if (await run()) return;
    await pause(50);
  }
  assert.fail(`${what} did not happen`);
};
const seen = (page, selector) => page.$eval(selector, one => one.innerText);
/** Sends the screens the state that they have. */
const sendUnchanged = page => page.evaluate(async () => {
  const { backend } = await import(new URL('../shared/backend.js', document.querySelector('script[type=module]').src));
  backend.update({});
});
const shows = (page, selector, text) => until(text, () => page.$eval(selector, (one, text) => one.checkVisibility() && one.innerText.includes(text), text).catch(() => false));
const card = id => `lr-card:has([aria-label*="${id}"])`;
const SOUP = card('김치찌개'), BOOKS = card('Book club');

for (const language of ['en', 'ko']) {
  test(`a wrong passphrase is refused in words, and the browser remembers a member (${language})`, async () => {
    const { server, page, t, end } = await opened({ language });
    assert.equal(await page.evaluate(() => document.activeElement.id), 'sign-in-name');
    await page.keyboard.press('Enter');
    await shows(page, 'lr-sign-in [role=alert]', t.nameMissing);
    await sendUnchanged(page);
    assert.equal(await seen(page, 'lr-sign-in [role=alert]'), t.nameMissing, 'news do not hide what is missing');
    await page.type('#sign-in-name', '김민지');
    await page.keyboard.press('Enter');
    await shows(page, 'lr-sign-in [role=alert]', t.secretMissing);
    await page.keyboard.type('bibimbap');
    await page.keyboard.press('Enter');
    await shows(page, 'lr-sign-in [role=alert]', t.problems.wrong_secret);
    assert.equal(server.of('subscribe').length, 0);
    await page.keyboard.type('kimchi'); // the wrong one is selected
    await page.keyboard.press('Enter');
    await page.waitForSelector(SOUP);
    const { key } = server.hellos.at(-1);
    await page.reload();
    await page.waitForSelector(SOUP);
    assert.deepEqual([server.hellos.at(-1).key, server.hellos.at(-1).name], [key, '김민지']);
    assert.ok(!JSON.stringify(await page.evaluate(() => ({ ...localStorage }))).includes('kimchi'), 'the passphrase itself is not kept');
    await end();
  });

  test(`a changed passphrase is asked for again, and the device stays the same (${language})`, async () => {
    const { server, page, t, end } = await member({ language });
    const { key } = server.hellos.at(-1);
    server.secret = 'doenjang';
    server.disconnect();
    await shows(page, 'lr-sign-in [role=alert]', t.problems.secret_changed);
    assert.equal(await page.$eval('#sign-in-name', one => one.value), '김민지');
    await page.type('lr-sign-in input[type=password]', 'doenjang');
    await page.keyboard.press('Enter');
    await page.waitForSelector(SOUP);
    assert.equal(server.hellos.at(-1).key, key);
    await end();
  });

  test(`a server out of reach is named, and signing in goes on when it is back (${language})`, async () => {
    const { server, page, t, end } = await opened({ language });
    server.up = false;
    await page.type('#sign-in-name', '김민지');
    await page.type('lr-sign-in input[type=password]', 'kimchi');
    await page.keyboard.press('Enter');
    await shows(page, 'lr-sign-in [role=alert]', t.problems.server_unreachable);
    await shows(page, 'lr-sign-in [role=alert]', t.tryingAgain);
    server.up = true;
    await page.waitForSelector(SOUP, { timeout: 20_000 });
    server.up = false;
    server.disconnect();
    await shows(page, 'lr-board [role=alert]', t.problems.server_unreachable);
    assert.ok(await page.$(SOUP), 'the board stays readable');
    server.up = true;
    await until('the board', () => page.$eval('lr-board [role=alert]', one => one.hidden));
    await end();
  });

  test(`by keyboard alone: sign in, take a seat, into the call and back (${language})`, async () => {
    const { server, page, t, end } = await member({ language });
    const tabTo = async selector => {
      for (let n = 0; n < 60; n++) {
        if (await page.evaluate(wanted => document.activeElement?.matches(wanted), selector)) return;
        await page.keyboard.press('Tab');
      }
      assert.fail(`${selector} is not reached by Tab`);
    };
    await tabTo(`${SOUP} .take`);
    await page.keyboard.press('Enter');
    await shows(page, SOUP, t.yourSeat);
    await shows(page, `${SOUP} .take`, t.goToTable);
    await page.keyboard.press('Enter');
    await page.waitForSelector('lr-check');
    assert.equal(await page.$eval('#open-in-app', one => one.getAttribute('href')), 'lunchroom://join/t-aaaaaaaaaaaaaaaa?server=wss://lunch.example');
    await tabTo('#join');
    await page.keyboard.press('Enter');
    await page.waitForSelector('lr-call', { timeout: 20_000 });
    assert.equal(server.of('join')[0].room, 't-aaaaaaaaaaaaaaaa');
    await tabTo('#leave');
    await page.keyboard.press('Enter');
    await page.waitForSelector('lr-board');
    await end();
  });
}

test('an open server asks for a name only', async () => {
  const { server, page, end } = await opened({ prepare: server => { server.secret = null; } });
  assert.equal(await page.$('lr-sign-in input[type=password]'), null);
  await signIn(page);
  assert.equal(server.hellos.at(-1).member, undefined);
  await end();
});

test('the whole board: lay, cancel, eat now, presence, waitlist, invite, calendar', async () => {
  const { server, page, t, end } = await member();
  await press(page, ['#eat-now']);
  await shows(page, '.waiting', t.looking);
  await press(page, ['.waiting button', '#presence']);
  await until('away', () => page.$eval('#presence', one => one.getAttribute('aria-checked') === 'false'));
  assert.equal(server.of('stop_waiting').length, 1);
  await press(page, ['#lay-table', 'dialog button[type=submit]']);
  await until('the table', () => server.of('lay').length === 1);
  assert.deepEqual([server.of('lay')[0].now, server.of('lay')[0].topic, server.of('lay')[0].seats], [true, t.usualTopic, 4]);
  await until('it is closed', () => page.evaluate(() => !document.querySelector('dialog')));
  server.refuses.take = 'table_full';
  await press(page, [`${BOOKS} .take`]);
  await page.waitForSelector('dialog[open]');
  server.refuses = {};
  await press(page, ['dialog .primary']);
  await until('the line', () => server.of('take').at(-1).wait === true);
  await page.evaluate(() => { navigator.clipboard.writeText = async text => { window.copied = text; }; HTMLAnchorElement.prototype.click = function () { window.saved = { name: this.download, url: this.href }; }; });
  await press(page, [`${BOOKS} .more`, '.menu:popover-open button:first-child']);
  await until('the link', () => page.evaluate(() => window.copied));
  assert.equal(await page.evaluate(() => window.copied), `${server.origin}/r/t-bbbbbbbbbbbbbbbb?invite=T0k3n`);
  await press(page, [`${BOOKS} .more`, '.menu:popover-open button:nth-child(2)']);
  await until('the file', () => page.evaluate(() => window.saved));
  const file = await page.evaluate(async () => (await fetch(window.saved.url)).text());
  assert.match(file, /^BEGIN:VCALENDAR\r\n[^]*SUMMARY:Book club\r\n[^]*END:VCALENDAR\r\n$/);
  server.refuses.lay = 'too_many_tables';
  await press(page, ['#lay-table', 'dialog button[type=submit]']);
  await shows(page, 'dialog [role=alert]', t.problems.too_many_tables);
  await end();
});

for (const language of ['en', 'ko']) {
  test(`the address of the own calendar, by keyboard: made, kept, replaced, and refused by an older server (${language})`, async () => {
    const { server, page, t, end } = await member({ language });
    const openCalendar = async () => {
      await page.focus('#board-more');
      for (const key of ['Enter', 'End', 'ArrowUp', 'Enter']) await page.keyboard.press(key);
      await page.waitForSelector('.my-calendar[open]');
    };
    await openCalendar();
    await shows(page, '.my-calendar output', `${server.origin}/calendar/T0k3n-1.ics`);
    assert.equal(await page.$eval('.my-calendar a.button', one => one.href), `webcal:${server.origin.slice('http:'.length)}/calendar/T0k3n-1.ics`);
    await page.keyboard.press('Escape');
    await page.reload();
    await page.waitForSelector('#board-more');
    await until('the board', () => page.$eval('#eat-now', one => one.checkVisibility()));
    await openCalendar();
    await shows(page, '.my-calendar output', 'T0k3n-1');
    assert.deepEqual(server.of('calendar').map(one => one.token), [undefined, 'T0k3n-1']);
    await page.evaluate(words => [...document.querySelectorAll('.my-calendar button')].find(one => one.innerText === words).focus(), t.replaceAddress);
    await page.keyboard.press('Enter');
    await page.waitForSelector('dialog.question[open]');
    await page.focus('dialog.question .danger');
    await page.keyboard.press('Enter');
    await shows(page, '.my-calendar output', 'T0k3n-2');
    assert.equal(server.of('revoke_calendar').length, 1);
    await page.keyboard.press('Escape');
    await until('it is closed', () => page.evaluate(() => !document.querySelector('dialog')));
    server.refuses.calendar = 'malformed';
    await page.focus('#board-more');
    for (const key of ['Enter', 'End', 'ArrowUp', 'Enter']) await page.keyboard.press(key);
    await shows(page, '.errors', t.problems.calendar_unsupported);
    await press(page, ['#board-more', '.menu:popover-open button:last-child', '#sign-out', 'dialog:last-of-type .danger']);
    await page.waitForSelector('lr-sign-in');
    assert.equal(server.of('revoke_calendar').length, 2, 'nobody could void the address without the key');
    await end();
  });
}

test('a table that begins is reminded of, and a seat that is unanswered is said to be', async () => {
  const { server, page, t, end } = await member();
  const notice = { type: 'board', news: 'notice', kind: 'soon', table: 'b', room: 't-bbbbbbbbbbbbbbbb', topic: 'Book club', starts_ms: NOON + 5 * MINUTE };
  server.send(notice);
  await shows(page, 'lr-reminders', t.reminders.soon('Book club'));
  await press(page, ['#reminder-close']);
  await until('closed', () => page.$eval('lr-reminders', one => one.hidden));
  server.send({ ...notice, kind: 'a later kind' });
  const send = server.send.bind(server);
  server.send = message => message.news === 'done' ? server.disconnect() : send(message);
  await press(page, [`${BOOKS} .take`]);
  await shows(page, '.errors', t.problems.unanswered);
  server.send = send;
  await until('the seat', () => page.$eval(BOOKS, one => one.classList.contains('mine')));
  await end();
});

test('a new name is used at once, and signing out forgets the device', async () => {
  const { server, page, t, end } = await member();
  const { key } = server.hellos.at(-1);
  await press(page, ['#board-more', '.menu:popover-open button:last-child']);
  await page.waitForSelector('#settings-name');
  await page.$eval('#settings-name', one => { one.value = '민지'; one.dispatchEvent(new Event('change')); });
  await until('the name', () => server.hellos.at(-1).name === '민지');
  await press(page, ['#sign-out']);
  await shows(page, 'dialog:last-of-type', t.signOutSure(0));
  await press(page, ['dialog:last-of-type .danger']);
  await page.waitForSelector('lr-sign-in');
  assert.equal(await page.$eval('#sign-in-name', one => one.value), '');
  await signIn(page, { name: 'Bo' });
  assert.notEqual(server.hellos.at(-1).key, key);
  await end();
});

test('a page of an older version says so after the server was restarted, and loses nothing', async () => {
  const { server, page, t, end } = await member();
  await press(page, ['#lay-table']);
  await page.type('dialog input[type=text]', 'Soup');
  server.version = 'v2';
  server.disconnect();
  await shows(page, '.version-note', t.newVersion);
  assert.equal(await page.$eval('dialog input[type=text]', one => one.value), 'Soup');
  await page.keyboard.press('Escape');
  await press(page, ['#reload']);
  await until('the new version', () => page.evaluate(() => [...document.scripts].some(one => one.src.includes('/assets/v2/'))).catch(() => false));
  await page.waitForSelector(SOUP);
  server.disconnect();
  await pause(1500);
  assert.equal(await page.$('.version-note'), null);
  await end();
});

test('markup from a hostile server is shown as text', async () => {
  const nasty = '<img src=x onerror="window.hacked=1"><b>x</b>';
  const { page, end } = await member({ prepare: server => { Object.assign(server.tables[0], { topic: nasty, place: nasty }); server.people[0].name = nasty; } }).catch(error => assert.fail(String(error)));
  await until('the text', () => page.evaluate(text => document.body.innerText.includes(text), nasty));
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  await end();
});

test('axe finds no serious problem, and on a phone everything fits and is large enough for fingers', { timeout: 300_000 }, async () => {
  const axe = await readFile(require.resolve('axe-core/axe.min.js'), 'utf8');
  for (const phone of [false, true]) for (const theme of ['light', 'dark']) {
    const { page, end } = await opened({ language: 'ko', theme, phone });
    const check = async where => {
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
      assert.deepEqual(violations.filter(one => ['serious', 'critical'].includes(one.impact)).map(one => `${where}: ${one.id} ${one.nodes[0].target}`), []);
      if (!phone) return;
      const [wide, small] = await page.evaluate(() => {
        const visible = [...document.querySelectorAll('lunch-room *, dialog *')].filter(one => one.checkVisibility({ visibilityProperty: true }) && !one.closest('.days, .visually-hidden') && one.getBoundingClientRect().width > 0);
        const name = one => `${one.tagName}#${one.id}.${one.className?.baseVal ?? one.className}`;
        return [visible.filter(one => one.getBoundingClientRect().right > innerWidth + 2), visible.filter(one => one.matches('button, input:not([type=checkbox], [type=radio]), select') && one.getBoundingClientRect().height < 43.5)].map(all => all.map(name).slice(0, 5));
      });
      assert.deepEqual({ where, wide, small }, { where, wide: [], small: [] });
    };
    await check('sign in');
    await signIn(page);
    await check('board');
    await press(page, ['#lay-table']);
    await page.waitForSelector('dialog[open]');
    await check('lay a table');
    await press(page, ['dialog header button', '#board-more', '.menu:popover-open button:last-child']);
    await page.waitForSelector('lr-settings');
    await check('settings');
    await end();
  }
});

for (const language of ['en', 'ko']) {
  const account = () => ({ name: '김민지', devices: new Map([['phone', 'KakaoTalk, Android']]) });

  test(`with an account, by keyboard: signed in, the seat of all devices, and a device removed (${language})`, async () => {
    const { server, page, t, end } = await opened({ language, prepare: server => { server.secret = null; server.account = account(); server.tables[1].taken = [{ id: 'the-person', name: '김민지' }]; } });
    assert.equal(await page.$('#sign-in-name'), null, 'the name comes from the account');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'sign-in-account');
    await page.keyboard.press('Enter');
    await page.waitForSelector(SOUP);
    assert.equal(await page.evaluate(() => location.search), '');
    assert.equal(server.hellos.length, 2, 'a guest, then a member');
    assert.match(server.of('add_device')[0].name, /Chrome/);
    await shows(page, BOOKS, t.yourSeat);
    await page.reload();
    await page.waitForSelector(SOUP);
    assert.equal(server.of('add_device').length, 1);
    await press(page, ['#board-more', '.menu:popover-open button:last-child']);
    await shows(page, '.account', t.signedInAccount('김민지'));
    assert.ok(await page.$eval('#settings-name', one => one.readOnly && one.value === '김민지'));
    await page.focus('#my-devices');
    await page.keyboard.press('Enter');
    await shows(page, '.my-devices', 'KakaoTalk, Android');
    await shows(page, '.my-devices', t.thisDevice);
    await page.focus(`[aria-label="${t.removeDeviceOf('KakaoTalk, Android')}"]`);
    await page.keyboard.press('Enter');
    await page.waitForSelector('dialog.question[open]');
    await page.focus('dialog.question .danger');
    await page.keyboard.press('Enter');
    await until('the phone is gone', () => page.$eval('.my-devices', one => !one.innerText.includes('KakaoTalk')));
    assert.equal(server.of('remove_device')[0].key, 'phone');
    await end();
  });

  test(`a device that is removed elsewhere learns why, and signs in again (${language})`, async () => {
    const { server, page, t, end } = await opened({ language, prepare: server => { server.secret = null; server.account = account(); } });
    await page.click('#sign-in-account');
    await page.waitForSelector(SOUP);
    const { key } = server.hellos.at(-1);
    server.account.devices.delete(key);
    server.bye('device_removed');
    await shows(page, 'lr-sign-in [role=alert]', t.problems.device_removed);
    const before = server.hellos.length;
    await pause(1500);
    assert.equal(server.hellos.length, before, 'it does not try by itself');
    await page.click('#sign-in-account');
    await page.waitForSelector(SOUP);
    assert.equal(server.hellos.at(-1).key, key);
    // It was removed while the page was closed.
    server.account.devices.delete(key);
    await page.reload();
    await shows(page, 'lr-sign-in [role=alert]', t.problems.device_removed);
    await end();
  });

  test(`each way in which an account is refused has words (${language})`, async () => {
    const { server, page, t, end } = await opened({ language, prepare: server => { server.account = account(); } });
    for (const code of ['sign_in_expired', 'sign_in_denied', 'issuer_unreachable', 'issuer_wrong', 'account_refused', 'sign_in_busy']) {
      server.signInEnds = `/?sign-in=${code}`;
      await page.click('#sign-in-account');
      await shows(page, 'lr-sign-in [role=alert]', t.problems[code]);
    }
    await page.goto(`${server.origin}/?sign-in=%3Cb%3Emade%20up`);
    await page.waitForSelector('#sign-in-account');
    assert.ok(await page.$eval('lr-sign-in [role=alert]', one => one.hidden));
    for (const code of ['device_taken', 'too_many_devices']) {
      server.signInEnds = '/?signed-in';
      server.refuses.add_device = code;
      await page.click('#sign-in-account');
      await shows(page, 'lr-sign-in [role=alert]', t.problems[code]);
    }
    server.refuses = {};
    await page.goto(`${server.origin}/?signed-in`);
    await page.reload();
    await page.waitForSelector('#sign-in-name');
    await signIn(page, { secret: 'kimchi' });
    assert.equal(server.of('subscribe').length > 0, true, 'the passphrase is enough');
    await end();
  });
}
