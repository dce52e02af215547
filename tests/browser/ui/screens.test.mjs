// Behaviour of the screens, in headless Chromium with a mock of Tauri: node --test screens.test.mjs
//   MODULES  the folder with node_modules (puppeteer-core, axe-core, ws); by default tests/browser
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { calls, until } from './page.mjs';
import { base, board, scenes, NOON } from './scenes.mjs';
import { here, open, pause, press, ui } from './window.mjs';

const require = createRequire(path.join(process.env.MODULES ?? path.join(here, '..'), 'package.json'));
let harness;
before(async () => { harness = await open(); });
after(() => harness.close());


test('files are answered, paused, sent to chosen people and taken from a drop', async () => {
  const { state } = scenes['call-files'];
  const { page } = await harness.page({ state, language: 'en' });
  await press(page, ['#call-chat']);
  const rows = () => page.$$eval('.transfers li', all => all.map(row => [...row.querySelectorAll('button:not([hidden])')].map(button => button.dataset.choice).join(' ')));
  assert.deepEqual(await rows(), ['accept decline', 'pause cancel', 'resume cancel', 'show remove', 'remove']);
  assert.match(await page.$eval('lr-transfers [role=status]', one => one.textContent), /wants to send you 점심 메뉴/);
  assert.equal(await page.$eval('.transfers li:last-child strong', one => one.innerHTML), '&lt;b&gt;x&lt;/b&gt;.bin');
  await page.focus('.transfers [data-choice=accept]');
  await page.keyboard.press('Enter');
  await press(page, ['.transfers [data-state=moving] [data-choice=pause]', '.transfers [data-state=done] [data-choice=show]']);
  assert.deepEqual((await calls(page, 'transfer')).map(one => one.choice), ['accept', 'pause']);
  assert.deepEqual((await calls(page, 'show_transfer')).map(one => one.id), ['3'.repeat(32)]);
  await press(page, ['.say button.plain', 'dialog .choices li:first-child button']);
  await until(page, () => document.querySelector('dialog') === null);
  assert.deepEqual((await calls(page, 'send_files')).map(one => one.to), [state.call.participants.map(one => one.id)]);
  await page.evaluate(() => window.mock.push({ ...window.mock.state, dropped: ['x.pdf', 'y.pdf'] }));
  await until(page, () => document.querySelector('dialog')?.textContent.includes('y.pdf'));
  await press(page, ['dialog .choices li:last-child button']);
  assert.deepEqual((await calls(page, 'send_dropped')).map(one => one.to), [[state.call.participants[1].id]]);
  assert.deepEqual(await calls(page, 'dismiss_dropped'), []);
  await page.close();
});

test('hands are shown in the order in which they were raised, and raised and lowered with H', async () => {
  const { state } = scenes['call-hands'];
  const { page } = await harness.page({ state, language: 'en' });
  const tiles = () => page.$$eval('lr-tile', all => Object.fromEntries(all.map(tile => [tile.querySelector('.name').title, tile.querySelector('.hand:not([hidden])')?.textContent ?? null])));
  const [first, , third] = [state.call.participants[2], 0, state.call.participants[0]].map(one => one.name);
  assert.deepEqual(await tiles(), { [first]: '1', [state.settings.name]: '2', [third]: '3', [state.call.participants[1].name]: null, [state.call.participants[3].name]: null });
  assert.match(await page.$eval('lr-tile.own', tile => tile.getAttribute('aria-label')), /hand raised, 2nd/);
  await page.keyboard.press('KeyP');
  const rows = await page.$$eval('lr-people-panel .in-call li', all => all.map(row => [row.querySelector('.name').textContent, row.querySelector('.hand:not([hidden])')?.ariaLabel ?? null]));
  assert.deepEqual(rows.slice(0, 3), [[first, 'hand raised, 1st'], [`${state.settings.name} (you)`, 'hand raised, 2nd'], [third, 'hand raised, 3rd']]);
  assert.equal(await page.$eval('#call-hand', one => one.ariaPressed), 'true');
  await page.keyboard.press('KeyH');
  await until(page, () => document.querySelector('#call-hand').ariaPressed === 'false');
  assert.equal(await page.$eval('.notices > [role=status]:nth-last-child(2)', one => one.textContent), 'Your hand is lowered');
  await press(page, ['#call-hand']);
  await until(page, () => document.querySelector('#call-hand').ariaPressed === 'true');
  assert.deepEqual(await calls(page, 'set_hand'), [{ raised: false }, { raised: true }]);
  // The host lowers another's hand.
  await press(page, ['lr-people-panel .in-call li:first-child button', '.menu:popover-open button:nth-child(2)']);
  assert.deepEqual(await calls(page, 'lower_hand'), [{ id: state.call.participants[2].id }]);
  await page.close();
});

test('others\u2019 hands are announced once in a while, and the host\u2019s lowering is said', async () => {
  const { page } = await harness.page({ state: scenes['call-2'].state, language: 'en' });
  const said = () => page.$eval('.notices > [role=status]:nth-last-child(2)', one => one.textContent);
  /** @param {{ own?: number | null, other?: number | null }} hands */
  const hands = async ({ own = null, other = null }) => {
    await page.evaluate((own, other) => { const { call } = mock.state; mock.push({ ...mock.state, call: { ...call, hand: own, participants: call.participants.map(one => ({ ...one, hand: other })) } }); }, own, other);
    await pause(60);
  };
  await hands({ other: 1 });
  assert.equal(await said(), 'Anna Schmidt raised a hand.');
  await hands({ own: 2, other: 1 });
  assert.equal(await said(), 'Your hand is raised');
  for (let n = 0; n < 5; n++) { await hands({ own: 2 }); await hands({ own: 2, other: n + 3 }); }
  assert.equal(await said(), 'Your hand is raised', 'who waves is not announced again and again');
  await hands({});
  assert.equal(await said(), 'The host lowered your hand.');
  await page.close();
});

test('a pinned tile stays large until it is unpinned, also by keyboard', async () => {
  const { page } = await harness.page({ state: scenes['call-6'].state, language: 'en' });
  const largest = () => page.$$eval('lr-tile', all => all.map(tile => ({ name: tile.querySelector('.name').title, area: tile.clientWidth * tile.clientHeight })).sort((one, other) => other.area - one.area).map(one => one.area > 400_000 ? one.name : null)[0]);
  const pinOf = n => `lr-tile:nth-child(${n}) .pin`, name = n => page.$eval(`lr-tile:nth-child(${n}) .name`, one => one.title);
  assert.equal(await largest(), null);
  await page.focus(pinOf(2));
  await page.keyboard.press('Enter');
  assert.equal(await largest(), await name(2));
  assert.deepEqual(await page.$eval(pinOf(2), one => [one.ariaPressed, document.activeElement === one]), ['true', true]);
  // The speaker does not replace it, and another pin does.
  await pause(1500);
  assert.equal(await largest(), await name(2));
  await press(page, [pinOf(3)]);
  assert.equal(await largest(), await name(3));
  await press(page, [pinOf(3)]);
  assert.equal(await largest(), null);
  await page.close();
});

test('? lists the shortcuts, Escape closes panels and F fills the screen', async () => {
  const { page } = await harness.page({ state: scenes['call-6'].state, language: 'en' });
  await page.keyboard.type('?');
  await page.waitForSelector('dialog[open] .shortcuts');
  assert.match(await page.$eval('dialog[open]', one => one.innerText), /Full screen/);
  await page.keyboard.press('Escape');
  await until(page, () => !document.querySelector('dialog[open]'));
  await page.keyboard.press('KeyC');
  await page.waitForSelector('lr-chat textarea:focus');
  await page.keyboard.type('f?h');
  assert.equal(await page.$eval('lr-chat textarea', one => one.value), 'f?h', 'keys are letters in a text field');
  await page.keyboard.press('Escape');
  await until(page, () => document.querySelector('.side-panel').hidden && document.activeElement.id === 'call-chat');
  await page.keyboard.press('KeyF');
  await until(page, () => document.fullscreenElement !== null);
  await page.keyboard.press('KeyF');
  await until(page, () => document.fullscreenElement === null);
  await page.close();
});

test('the own picture can be hidden in calls and shown unmirrored', async () => {
  const { page } = await harness.page({ state: scenes['call-2'].state, language: 'en' });
  const mirrored = () => page.$eval('lr-tile.own lr-picture > canvas', one => getComputedStyle(one).transform);
  await page.waitForSelector('lr-tile.own lr-picture > canvas');
  assert.match(await mirrored(), /^matrix\(-1,/);
  await press(page, ['#call-more', '.menu:popover-open button:last-child']);
  const flip = name => page.$eval(`#settings-${name}`, one => one.click());
  await flip('mirror_own');
  await until(page, () => getComputedStyle(document.querySelector('lr-tile.own lr-picture > canvas')).transform === 'none');
  await flip('show_own');
  await until(page, () => document.querySelectorAll('lr-tile').length === 1);
  assert.equal(await page.$eval('lr-tile', one => one.clientWidth * one.clientHeight > 400_000), true, 'the other fills the window');
  const { mirror_own, show_own } = await page.evaluate(() => window.mock.state.settings);
  assert.deepEqual([mirror_own, show_own], [false, false]);
  await page.evaluate(() => mock.push({ ...mock.state, call: { ...mock.state.call, participants: [] } }));
  await until(page, () => document.querySelector('lr-tile.own') !== null);
  await page.close();
});

test('do not disturb lasts an hour or until tomorrow, and says until when', async () => {
  const { page } = await harness.page({ state: scenes.board.state, language: 'en' });
  await press(page, scenes.settings.press);
  const stored = () => page.evaluate(() => window.mock.state.settings.quiet_until_ms);
  const chosen = () => page.$eval('#settings-quiet', one => one.selectedOptions[0].text);
  assert.equal(await chosen(), 'Off');
  const before = Date.now();
  await page.select('#settings-quiet', 'hour');
  await until(page, () => window.mock.state.settings.quiet_until_ms !== null);
  assert.ok(Math.abs(await stored() - before - 3_600_000) < 60_000);
  assert.match(await chosen(), /^On, until (\w+ )?\d\d:\d\d$/);
  await page.select('#settings-quiet', 'tomorrow');
  await until(page, () => new Date(window.mock.state.settings.quiet_until_ms).getHours() === 0);
  assert.ok(await stored() - before <= 25 * 3_600_000);
  await page.select('#settings-quiet', 'off');
  await until(page, () => window.mock.state.settings.quiet_until_ms === null);
  assert.equal(await chosen(), 'Off');
  await page.close();
});

test('keys for muting from anywhere are chosen by pressing them', async () => {
  const { page } = await harness.page({ state: scenes.board.state, language: 'en' });
  await press(page, scenes.settings.press);
  const field = label => page.evaluateHandle(label => [...document.querySelectorAll('.field')].find(one => one.innerText.startsWith(label)).querySelector('.keys'), label);
  const words = async label => page.evaluate(one => [one.innerText, one.closest('.field').querySelector('[role=status]').innerText], await field(label));
  const [mute, talk] = ['Mute and unmute from anywhere', 'Hold to talk from anywhere'];
  const choose = async (label, ...keys) => {
    await (await field(label)).click();
    for (const key of keys.slice(0, -1)) await page.keyboard.down(key);
    await page.keyboard.press(keys.at(-1));
    for (const key of keys.slice(0, -1)) await page.keyboard.up(key);
  };
  const stored = () => page.evaluate(() => [window.mock.state.settings.mute_keys, window.mock.state.settings.talk_keys]);
  await choose(mute, 'KeyM');
  assert.match((await words(mute))[1], /^Add Ctrl/, 'people type with this key');
  await page.keyboard.press('Escape');
  assert.deepEqual(await words(mute), ['Choose keys…', 'In a call, also while you use another app.']);
  assert.equal(await page.$eval('dialog', one => one.open), true, 'Escape only ends the choice');
  await choose(mute, 'Control', 'Shift', 'KeyM');
  await choose(talk, 'F13');
  await until(page, () => window.mock.state.settings.talk_keys === 'F13');
  assert.deepEqual(await stored(), ['Ctrl+Shift+KeyM', 'F13']);
  assert.equal((await words(mute))[0], 'Ctrl + Shift + M');
  await choose(talk, 'Control', 'Shift', 'KeyM');
  await until(page, () => window.mock.state.settings.mute_keys === null);
  assert.deepEqual(await stored(), [null, 'Ctrl+Shift+KeyM'], 'the same keys cannot do both');
  await page.evaluate(one => one.nextElementSibling.click(), await field(talk));
  await until(page, () => window.mock.state.settings.talk_keys === null);
  await page.close();
});

test('what a system cannot do is not offered', async () => {
  const state = { ...scenes.board.state, abilities: { tray: false, autostart: false, global_keys: false } };
  const { page } = await harness.page({ state, language: 'en' });
  await press(page, scenes.settings.press);
  await page.waitForSelector('#settings-quiet');
  assert.equal(await page.$('#settings-close_to_tray, #settings-autostart, .keys'), null);
  assert.ok((await page.$eval('lr-settings', one => one.innerText)).includes('Wayland'));
  await page.close();
});

test('a whole call by keyboard alone: to the table, join, talk, chat, leave', async () => {
  const { page } = await harness.page({ state: scenes.board.state, language: 'en' });
  const tabTo = async id => {
    for (let n = 0; n < 40; n++) {
      if (await page.evaluate(wanted => document.activeElement?.id === wanted, id)) return;
      await page.keyboard.press('Tab');
    }
    assert.fail(`${id} is not reached by Tab`);
  };
  await tabTo('go-to-table');
  await page.keyboard.press('Enter');
  await page.waitForSelector('lr-check');
  await tabTo('join');
  await page.keyboard.press('Enter');
  await page.waitForSelector('lr-call');
  await page.keyboard.press('KeyM');
  await until(page, () => window.mock.state.call.media.microphone === false);
  await page.keyboard.down('Space');
  await until(page, () => window.mock.state.call.media.microphone === true);
  await page.keyboard.up('Space');
  await until(page, () => window.mock.state.call.media.microphone === false);
  await page.keyboard.press('KeyC');
  await page.keyboard.type('mmm vvv');
  await page.keyboard.press('Enter');
  await until(page, () => document.querySelector('lr-chat .lines')?.textContent.includes('mmm vvv'));
  assert.equal(await page.evaluate(() => window.mock.state.call.media.microphone), false, 'letters in the chat are not shortcuts');
  await tabTo('leave');
  await page.keyboard.press('Enter');
  await page.waitForSelector('lr-board');
  assert.deepEqual((await calls(page, 'join'))[0].media, { microphone: true, camera: true });
  await page.close();
});

test('before Join only the local preview opens devices', async () => {
  const { page } = await harness.page({ state: scenes['check-unknown-server'].state, language: 'en' });
  await page.waitForSelector('lr-check');
  await pause(500);
  const asked = [...new Set(await page.evaluate(() => window.mock.calls.map(one => one.command)))].sort();
  assert.deepEqual(asked.filter(name => !['subscribe', 'preview', 'refresh_devices', 'tiles'].includes(name)), []);
  for (const { media } of await calls(page, 'preview')) assert.deepEqual(media, { microphone: false, camera: false }, 'a link to an unknown server opens nothing');
  await page.close();
});

test('the Enter that confirms a syllable does not send the line', async () => {
  const { page } = await harness.page({ state: scenes['call-2'].state, language: 'ko' });
  await press(page, ['#call-chat']);
  await page.evaluate(() => {
    const input = document.querySelector('#chat-input');
    input.value = '점심';
    for (const init of [{ isComposing: true }, { keyCode: 229 }]) input.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', code: 'Enter', bubbles: true, cancelable: true, ...init }));
  });
  assert.deepEqual(await calls(page, 'send_chat'), []);
  await page.keyboard.press('Enter');
  assert.deepEqual(await calls(page, 'send_chat'), [{ text: '점심' }]);
  await page.close();
});

test('markup in names, chat and topics is shown as text', async () => {
  const nasty = '<img src=x onerror="window.hacked=1"><b>x</b>';
  const { page } = await harness.page({ state: { ...scenes['call-3-chat'].state, settings: { ...base().settings, name: nasty } }, language: 'en' });
  await page.evaluate(name => {
    const { state } = window.mock;
    window.mock.push({ ...state, call: { ...state.call, participants: state.call.participants.map(one => ({ ...one, name })), lobby: [{ id: 'l', name, key: 'k' }] }, board: { ...state.board, tables: state.board.tables.map(table => ({ ...table, topic: name, place: name, taken: table.taken.map(one => ({ ...one, name })) })) } });
  }, nasty);
  await press(page, ['#call-chat']);
  await pause(100);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.equal(await page.evaluate(() => document.querySelectorAll('lunch-room img, lunch-room b').length), 0);
  await page.close();
});

test('a table is set up in three presses', async () => {
  const { page } = await harness.page({ state: scenes.board.state, language: 'en' });
  await press(page, ['#lay-table', '.chip:nth-child(3)', '.lay button[type=submit]']);
  const [{ draft }] = await calls(page, 'lay_table');
  assert.equal(draft.now, false);
  assert.equal(draft.starts_ms, Date.parse('2026-11-23T04:00:00Z'), '13:00 in Seoul');
  assert.equal(draft.seats, 4);
  assert.equal(await page.$('dialog'), null);
  await page.close();
});

test('a person who is too late for a seat is offered the waitlist', async () => {
  const { page } = await harness.page({ state: scenes.board.state, language: 'en' });
  await page.evaluate(() => { window.mock.refuse.take_seat = { code: 'table_full', message: '' }; });
  await press(page, ['lr-card .take']);
  await page.waitForSelector('dialog.question');
  await page.evaluate(() => { window.mock.refuse = {}; });
  await press(page, ['dialog .primary']);
  const asked = await calls(page, 'take_seat');
  assert.deepEqual(asked.map(one => one.wait), [false, true]);
  await page.close();
});

test('“eat now” opens the table that it found, once', async () => {
  const { page } = await harness.page({ state: { ...base(), board: board([], []) }, language: 'en' });
  await press(page, ['#eat-now']);
  await page.evaluate(since => window.mock.push({ ...window.mock.state, board: { ...window.mock.state.board, waiting: { since_ms: since, with: [] } } }), NOON);
  await page.evaluate(now => {
    const table = { id: 't', room: 'found', topic: 'Lunch', place: '', seats: 4, starts_ms: now, ends_ms: now + 3_600_000, now: true, weekly: false, host: 'me', door: 'open', locked: false, taken: [{ id: 'me', name: 'x' }], taken_count: 1, waiting_count: 0, mine: 'host', in_call: 0 };
    window.mock.push({ ...window.mock.state, board: { ...window.mock.state.board, waiting: null, seated: 't', tables: [table] } });
  }, NOON);
  await page.waitForSelector('lr-check');
  await press(page, ['#check-cancel']);
  await page.waitForSelector('lr-board');
  await pause(100);
  assert.notEqual(await page.$('lr-board'), null);
  await page.close();
});

test('a change on a board of 200 tables and 2,000 people is shown within two frames', async () => {
  const { page } = await harness.page({ state: scenes['board-full'].state, language: 'en' });
  await pause(500);
  const timing = await page.evaluate(async () => {
    const kept = document.querySelector('lr-card'), spent = [];
    for (let n = 0; n < 20; n++) {
      const { state } = window.mock, tables = state.board.tables.map((table, i) => i === n ? { ...table, topic: `changed ${n}` } : table);
      const people = state.board.people.map((person, i) => i === n + 1 ? { ...person, presence: 'away' } : person);
      const start = performance.now();
      window.mock.push({ ...state, board: { ...state.board, tables, people } });
      document.body.offsetHeight;
      spent.push(performance.now() - start);
    }
    spent.sort((a, b) => a - b);
    return { best: spent[0], median: spent[10], same: kept === document.querySelector('lr-card'), rows: document.querySelectorAll('lr-free-people li').length, cards: document.querySelectorAll('lr-card').length, text: document.body.textContent.includes('changed 3') };
  });
  console.log('change on a full board:', timing);
  assert.ok(timing.same && timing.text);
  assert.ok(timing.rows < 60, 'only visible rows are in the page');
  assert.equal(timing.cards, 200);
  // The fastest of twenty, because the others also measure the load of the machine.
  assert.ok(timing.best < 33, `${timing.best} ms`);
  await page.close();
});

test('focus and typed text survive updates', async () => {
  const { page } = await harness.page({ state: scenes['board-full'].state, language: 'en' });
  await page.click('#find-people');
  await page.keyboard.type('Anna');
  await page.evaluate(() => window.mock.push({ ...window.mock.state, board: { ...window.mock.state.board, people: window.mock.state.board.people.slice(5) } }));
  await page.keyboard.type(' Schmidt');
  assert.equal(await page.$eval('#find-people', field => field.value), 'Anna Schmidt');
  await page.close();
});

test('pictures arrive over the socket with credit after drawing, and the levels show “you are muted”', async t => {
  const { WebSocketServer } = require('ws');
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await new Promise(resolve => server.on('listening', resolve));
  t.after(() => server.close());
  const received = { token: null, credits: [], tiles: [], sent: 0 };
  server.on('connection', socket => {
    const send = stream => {
      const bytes = Buffer.alloc(24 + 64 * 36 * 3 / 2, 128);
      bytes.write('LRF1', 0, 'latin1');
      bytes.writeUInt16LE(stream, 4); bytes.writeUInt16LE(0, 6); bytes.writeUInt16LE(64, 8); bytes.writeUInt16LE(36, 10); bytes.writeUInt32LE(received.sent++, 12); bytes.writeBigUInt64LE(0n, 16);
      socket.send(bytes);
    };
    socket.on('message', data => {
      const message = JSON.parse(String(data));
      if (message.token) received.token = message.token;
      if (message.tiles) { received.tiles = message.tiles; message.tiles.forEach(tile => send(tile.stream)); }
      if (message.credit) { received.credits.push(message.credit); if (received.sent < 12) send(message.credit); }
    });
    const timer = setInterval(() => socket.send(JSON.stringify({ levels: { own: -20, q3: -25 }, speaking: ['own', 'q3'], active: 'q3' })), 100);
    socket.on('close', () => clearInterval(timer));
  });
  const state = { ...scenes['call-2'].state, frames: { url: `ws://127.0.0.1:${server.address().port}`, token: 'secret' } };
  state.call = { ...state.call, media: { microphone: false, camera: true } };
  const { page } = await harness.page({ state, language: 'en' });
  await until(page, () => document.querySelectorAll('canvas.drawn').length === 2);
  await page.waitForSelector('.muted-hint:not([hidden])');
  await page.waitForSelector('lr-tile.speaking');
  assert.equal(received.token, 'secret');
  assert.ok(received.credits.length >= 2);
  assert.deepEqual(new Set(received.tiles.map(tile => tile.picture.kind)), new Set(['own', 'camera']));
  assert.ok(received.tiles.every(tile => tile.width > 50 && tile.height > 50 && tile.visible));
  assert.equal(await page.evaluate(() => window.mock.calls.filter(one => one.command === 'tiles').length), 0);
  await page.close();
});

test('without a socket pictures arrive by command, and without VideoFrame they are drawn with WebGL or tables', async () => {
  for (const setup of [() => {}, () => { delete window.VideoFrame; }, () => { delete window.VideoFrame; const get = HTMLCanvasElement.prototype.getContext; HTMLCanvasElement.prototype.getContext = function (kind, ...rest) { return kind.startsWith('webgl') ? null : get.call(this, kind, ...rest); }; }]) {
    const { page, complaints } = await harness.page({ state: { ...scenes['call-2'].state, frames: { url: 'ws://127.0.0.1:9', token: 'x' } }, language: 'en', setup });
    await page.waitForFunction(() => document.querySelectorAll('canvas.drawn').length === 2, { timeout: 30_000 });
    await page.waitForSelector('lr-tile.speaking', { timeout: 30_000 });
    assert.deepEqual(complaints.filter(one => !/404|WebSocket|WebGL|GL Driver/.test(one)), []);
    await page.close();
  }
});

test('a tile tells the measured delay of its picture and how exact it is', async () => {
  for (const [language, words] of [['en', /Delay from camera to screen: 62 ms, ±9 ms\.$/], ['ko', /카메라에서 화면까지 지연 62 ms\(±9 ms\)\.$/]]) {
    const { page } = await harness.page({ state: scenes['call-2'].state, language });
    await page.waitForFunction(pattern => new RegExp(pattern).test(document.querySelector('lr-tile:not(.own) .bars')?.title), { timeout: 30_000 }, words.source);
    await page.close();
  }
});

test('a person in the same room is named, and is played when the person wants it', async () => {
  const { page } = await harness.page({ ...scenes['call-same-room'], language: 'en' });
  const name = scenes['call-same-room'].state.call.participants[1].name;
  await page.waitForSelector('.same-room li');
  assert.match(await page.$eval('.same-room li', one => one.textContent ?? ''), new RegExp(`${name}.*same room`));
  await page.click('.same-room button');
  assert.deepEqual(await page.evaluate(() => window.mock.calls.find(one => one.command === 'play_anyway')?.args), { id: 'q3' });
  assert.match(await page.$eval('#call-microphone', button => button.title), /nothing is sent/);
  await page.close();
});

test('the volume of a person is kept by their key', async () => {
  const { page } = await harness.page({ ...scenes['call-same-room'], language: 'en' });
  await page.click('#call-people');
  await page.waitForSelector('lr-people-panel input.volume');
  await page.$eval('lr-people-panel input.volume', range => { range.value = '40'; range.dispatchEvent(new Event('change')); });
  const saved = await page.evaluate(() => window.mock.calls.find(one => one.command === 'save_settings')?.args.settings.volumes);
  assert.deepEqual(saved, { k0: 40 });
  await page.close();
});

test('a photo, an emoji and a colour are chosen in the settings, and the photo has no metadata', async () => {
  const { state, press: path } = scenes.settings;
  const { page } = await harness.page({ state, language: 'en' });
  await press(page, path);
  await page.waitForSelector('lr-avatar-editor');
  await page.focus('lr-avatar-editor .swatch input');
  await page.keyboard.press('ArrowRight');
  await until(page, () => window.mock.state.settings.avatar.color === 1);
  await press(page, ['#avatar-glyph', '.emoji-panel:popover-open .emoji']);
  await until(page, () => window.mock.state.settings.avatar.glyph);
  const glyph = await page.evaluate(() => window.mock.state.settings.avatar.glyph);
  assert.equal(await page.$eval('lr-avatar-editor .avatar', one => one.textContent), glyph);
  assert.ok(await page.$eval('lr-avatar-editor .avatar', one => one.classList.contains('hue-1')));
  // A large JPEG with a comment in place of Exif.
  const comment = Buffer.from('taken at 37.5665 N'), length = Buffer.from([0, comment.length + 2]);
  const jpeg = Buffer.from((await page.evaluate(() => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [900, 600];
    const context = canvas.getContext('2d');
    for (const [at, colour] of ['#c00', '#0c0', '#00c'].entries()) { context.fillStyle = colour; context.fillRect(at * 300, 0, 300, 600); }
    return canvas.toDataURL('image/jpeg').split(',')[1];
  })), 'base64');
  const file = Buffer.concat([jpeg.subarray(0, 2), Buffer.from([0xff, 0xfe]), length, comment, jpeg.subarray(2)]);
  const input = await page.$('#avatar-file');
  const choose = content => input.evaluate((field, bytes, name) => {
    const list = new DataTransfer();
    list.items.add(new File([Uint8Array.from(bytes)], name));
    field.files = list.files;
    field.dispatchEvent(new Event('change'));
  }, [...content], 'me.jpg');
  await choose(file);
  await until(page, () => window.mock.state.settings.avatar.photo);
  const photo = Buffer.from(await page.evaluate(() => window.mock.state.settings.avatar.photo), 'base64url');
  assert.ok(photo.length < 44 * 1024 && !photo.includes(comment), `${photo.length} bytes`);
  await page.waitForSelector('lr-avatar-editor .avatar img');
  const middle = await page.$eval('lr-avatar-editor .avatar img', async image => {
    await image.decode();
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    canvas.getContext('2d').drawImage(image, 0, 0);
    return [canvas.width, canvas.height, ...canvas.getContext('2d').getImageData(128, 128, 1, 1).data];
  });
  assert.deepEqual(middle.slice(0, 2), [256, 256]);
  assert.ok(middle[3] > 150 && middle[2] < 80 && middle[4] < 80, `the middle of the picture: ${middle}`);
  await choose(Buffer.from('%PDF-1.7'));
  await until(page, () => document.body.textContent.includes('can\u2019t be opened as a picture'));
  await press(page, ['#avatar-remove']);
  await until(page, () => window.mock.state.settings.avatar.photo === null);
  assert.equal(await page.$eval('lr-avatar-editor .avatar', one => one.textContent), glyph, 'the emoji is still there');
  await page.close();
});

test('others are shown by their photo, emoji and colour on the board and in a call, each photo fetched once', async () => {
  const photo = 'mX2kqT9vR4sW7yB1nC5dFg', { state } = scenes.board;
  const people = state.board.people.map((one, n) => n === 1 ? { ...one, avatar: { photo } } : n === 2 ? { ...one, avatar: { color: 5, glyph: '♣' } } : n === 3 ? { ...one, avatar: { color: 6, glyph: '\u{10FFFD}' } } : one);
  const [, first] = people;
  const tables = state.board.tables.map((table, n) => n === 0 ? { ...table, taken: [{ id: first.id, name: first.name, avatar: { photo } }, ...table.taken.slice(1)] } : table);
  const { page } = await harness.page({ state, language: 'en' });
  await page.evaluate((photo, board) => {
    const jpeg = document.createElement('canvas').toDataURL('image/jpeg').split(',')[1];
    window.mock.photos[photo] = jpeg.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
    window.mock.push({ ...window.mock.state, board });
  }, photo, { ...state.board, people, tables });
  await page.waitForSelector('lr-free-people .avatar img');
  await page.waitForSelector('.round-table image.photo');
  assert.ok(await page.$$eval('lr-free-people .avatar', all => all.some(one => one.textContent === '♣' && one.classList.contains('hue-5'))));
  assert.ok(await page.$$eval('lr-free-people .avatar.hue-6', all => all.every(one => !one.textContent.includes('\u{10FFFD}'))), 'initials in place of a character that no font has');
  assert.deepEqual(await calls(page, 'photo'), [{ id: photo }]);
  const call = scenes['call-2'].state;
  await page.evaluate((call, photo) => {
    const participants = call.call.participants.map(one => ({ ...one, media: { ...one.media, camera: false }, avatar: { photo } }));
    window.mock.push({ ...call, call: { ...call.call, participants } });
  }, call, photo);
  await page.waitForSelector('lr-tile:not(.own) .avatar img');
  assert.equal((await calls(page, 'photo')).length, 1);
  await page.close();
});

test('a larger display size is sent immediately, and a smaller one after a delay', async () => {
  const { page } = await harness.page({ state: base(), language: 'en' });
  const said = await page.evaluate(async () => {
    const { DisplayedSizes, PATIENCE_MS, SPACING_MS } = await import('/shared/displayed-sizes.js');
    const said = [], steps = [];
    let time = 10_000;
    const displayed = new DisplayedSizes((id, { max_width, max_height }) => said.push(`${id} ${max_width}x${max_height}`), { now: () => time, after: () => () => {} });
    const show = (width, height) => displayed.update('p1', { max_width: width, max_height: height });
    const after = ms => { time += ms; displayed.sendDue(); steps.push(said.splice(0).join()); };
    show(0, 0); after(PATIENCE_MS - 1);             // before the first layout
    show(640, 360); after(0);                       // the first size
    show(650, 366); after(60_000);                  // nearly the same size
    show(320, 180); after(PATIENCE_MS - 1); after(1); after(60_000);
    show(400, 225); show(500, 281); after(0);       // resized
    show(600, 338); after(SPACING_MS - 1); after(1);
    show(0, 0); after(PATIENCE_MS / 2); show(600, 338); after(60_000);
    show(0, 0); after(PATIENCE_MS);
    displayed.clear(); show(100, 100); after(0);       // another join
    displayed.remove('p1'); after(60_000);
    return steps;
  });
  assert.deepEqual(said, ['', 'p1 640x360', '', '', 'p1 320x180', '', 'p1 400x225', '', 'p1 600x338', '', '', 'p1 0x0', 'p1 100x100', '']);
  await page.close();
});

test('the tables agree with the formula and with the browser’s own conversion', async () => {
  const { page } = await harness.page({ state: base(), language: 'en' });
  const difference = await page.evaluate(async () => {
    const { toRgba } = await import('/shared/frames/rgba.js');
    const painters = await import('/shared/frames/painter.js');
    const formula = (y, u, v, flags) => {
      const full = flags & 1, luma = full ? y : (y - 16) * 255 / 219, colour = full ? 1 : 255 / 224;
      const [rv, gu, gv, bu] = flags & 2 ? [1.5748, 0.1873, 0.4681, 1.8556] : [1.402, 0.3441, 0.7141, 1.772];
      return [luma + rv * colour * (v - 128), luma - colour * (gu * (u - 128) + gv * (v - 128)), luma + bu * colour * (u - 128)].map(x => Math.max(0, Math.min(255, x)));
    };
    let tables = 0;
    for (const flags of [0, 1, 2, 3]) {
      for (const [width, height] of [[33, 31], [2, 2], [1, 1]]) {
        const half = (width + 1) >> 1, area = width * height, quarter = half * ((height + 1) >> 1);
        const planes = Uint8Array.from({ length: area + 2 * quarter }, (_, n) => n % 7 ? (n * 73 + (n >> 3)) & 255 : n & 1 ? 255 : 0);
        const out = new Uint32Array(area), bytes = new Uint8Array(out.buffer);
        toRgba({ width, height, planes, flags }, out);
        for (let row = 0; row < height; row++) {
          for (let column = 0; column < width; column++) {
            const at = row * width + column, low = area + (row >> 1) * half + (column >> 1);
            formula(planes[at], planes[low], planes[low + quarter], flags).forEach((value, n) => { tables = Math.max(tables, Math.abs(value - bytes[4 * at + n])); });
            if (bytes[4 * at + 3] !== 255) tables = 1000;
          }
        }
      }
    }
    const drawn = name => {
      const canvas = document.createElement('canvas'), planes = new Uint8Array(64 * 36 * 3 / 2).fill(90, 0, 64 * 36).fill(100, 64 * 36, 64 * 45).fill(170, 64 * 45);
      const painter = painters[name](canvas);
      for (let n = 0; n < 100; n++) painter.draw({ stream: 1, flags: 0, width: 64, height: 36, sequence: n, time: n, planes });
      return { method: painter.method, colour: [...canvas.getContext('2d').getImageData(30, 20, 1, 1).data] };
    };
    const [one, other, chosen] = ['videoFramePainter', 'tablePainter', 'fastestPainter'].map(drawn);
    const apart = (a, b) => Math.max(...a.map((value, n) => Math.abs(value - b[n])));
    return { tables, methods: apart(one.colour, other.colour), chosen: apart(one.colour, chosen.colour), method: chosen.method };
  });
  assert.ok(difference.tables <= 2, `tables and formula differ by ${difference.tables}`);
  assert.ok(difference.methods <= 3 && difference.chosen <= 3, JSON.stringify(difference));
  assert.ok(['VideoFrame', 'RGBA'].includes(difference.method), `after a hundred pictures the method is ${difference.method}`);
  await page.close();
});

test('a community’s passphrase is saved with its server before connecting', async () => {
  const state = { ...base(), board: null, session: { kind: 'open', server: 'wss://lunch.example.org/' }, settings: { ...base().settings, servers: [{ url: 'wss://lunch.example.org', fingerprint: null, name: 'Ours' }], server: 0 } };
  const { page } = await harness.page({ state, language: 'en' });
  await press(page, ['#give-secret']);
  await page.keyboard.type('tea at four');
  await page.keyboard.press('Enter');
  const commandCalls = await page.waitForFunction(() => window.mock.calls.some(one => one.command === 'connect') && window.mock.calls, { timeout: 20_000 });
  const calls = await commandCalls.jsonValue(), saved = calls.findIndex(one => one.command === 'save_settings'), connected = calls.findLastIndex(one => one.command === 'connect');
  assert.equal(calls[saved].args.settings.servers[0].secret, 'tea at four');
  assert.ok(saved < connected, 'saved before the connection');
  assert.equal(calls[connected].args.server, 'wss://lunch.example.org');
  await page.close();
});

test('both languages use the same placeholders', async () => {
  // By its text: Node 18 treats a .js file without a package.json beside it as CommonJS.
  const words = async language => import(`data:text/javascript,${encodeURIComponent(await readFile(path.join(ui, `shared/strings/${language}.js`), 'utf8'))}`);
  const { en } = await words('en'), { ko } = await words('ko');
  const compare = (a, b, where) => {
    assert.deepEqual(Object.keys(a).sort(), Object.keys(b).sort(), where);
    for (const key of Object.keys(a)) {
      assert.equal(typeof a[key], typeof b[key], `${where}.${key}`);
      if (typeof a[key] === 'object') compare(a[key], b[key], `${where}.${key}`);
      if (typeof a[key] === 'string') assert.ok(b[key].trim(), `${where}.${key}`);
      if (typeof a[key] === 'function') {
        const given = key === 'onOff' ? ['@1', true] : ['withPeople', 'theyCame', 'theyLeft', 'theyRaised'].includes(key) ? [['@1', '@2']] : key === 'andOthers' ? ['@1', 42] : [41, 42];
        for (const value of given.flat()) if (typeof value !== 'boolean' && String(a[key](...given)).includes(String(value))) assert.ok(String(b[key](...given)).includes(String(value)), `${where}.${key} lacks ${value}`);
      }
    }
  };
  compare(en, ko, 'strings');
});

test('a reminder leads to its table, and the device check of a table that opens appears', async () => {
  const { page } = await harness.page({ state: scenes['board-reminded'].state, language: 'en' });
  await page.waitForSelector('lr-reminders:not([hidden])');
  assert.match(await page.$eval('lr-reminders', one => one.innerText), /“Rust study” starts in five minutes/);
  await page.click('#reminder-close');
  await page.waitForSelector('lr-reminders[hidden]');
  assert.deepEqual((await calls(page, 'dismiss_reminders')).map(one => one.last), [3]);
  const table = scenes['board-reminded'].state.board.tables.find(one => one.topic === 'Rust study');
  const begins = { number: 4, kind: 'begins', table: table.id, room: table.room, topic: table.topic, starts_ms: table.starts_ms };
  await page.bringToFront();
  await page.evaluate(reminder => window.mock.push({ ...window.mock.state, reminders: [reminder] }), begins);
  await page.waitForSelector('lr-check');
  assert.equal(await page.$eval('lr-check h1', one => one.textContent), 'Rust study');
  assert.deepEqual((await calls(page, 'dismiss_reminders')).map(one => one.last), [3, 4]);
  await page.close();
});

test('a reminder during a call does not leave the call', async () => {
  const { state } = scenes['call-2'];
  const { page } = await harness.page({ state, language: 'en' });
  await page.bringToFront();
  await page.evaluate(() => window.mock.push({ ...window.mock.state, reminders: [{ number: 1, kind: 'begins', table: 'x', room: 'elsewhere', topic: 'Soup', starts_ms: 0 }] }));
  await page.waitForSelector('lr-reminders:not([hidden])');
  assert.equal(await page.$('lr-call') !== null, true);
  assert.equal(await page.$eval('#reminder-go', one => one.hidden), true);
  await page.close();
});

test('the first run suggests the server of the command line', async () => {
  const settings = { ...base().settings, name: '', servers: [{ url: 'ws://10.0.0.7:7077', fingerprint: null, name: '' }], server: 0 };
  const { page } = await harness.page({ state: { ...base(), session: { kind: 'closed', problem: null }, settings }, language: 'en' });
  await page.waitForSelector('lr-first-run, form.welcome');
  assert.equal(await page.$eval('form.welcome input[inputmode=url]', one => one.value), 'ws://10.0.0.7:7077');
  await page.close();
});

test('initials are grapheme clusters', async () => {
  const { page } = await harness.page({ state: base(), language: 'en' });
  const seen = await page.evaluate(async names => {
    const { initials } = await import('/shared/avatar.js');
    return names.map(initials);
  }, ['박지훈', '박지훈'.normalize('NFD'), '👩\u200D🍳 Cook', '🇰🇷 Ara', '👍🏽 Ben', 'Émile Zola'.normalize('NFD'), '李小龙', '선우', 'Tom', 'ßen', ' ', '1\uFE0F\u20E3 One', '👩\u200D👩\u200D👧 Fam 👨\u200D👦']);
  assert.deepEqual(seen, ['지훈', '지훈', '👩\u200D🍳C', '🇰🇷A', '👍🏽B', 'ÉZ', '李', '선우', 'T', 'ß', '?', '1\uFE0F\u20E3O', '👩\u200D👩\u200D👧👨\u200D👦']);
  await page.close();
});

test('a person is found by either normalization form of their name', async () => {
  const people = [...Array(20).keys()].map(n => ({ id: `p${n}`, name: n === 7 ? '박지훈' : `Person ${n}`, presence: 'free' }));
  const { page } = await harness.page({ state: { ...base(), board: board([], people) }, language: 'en' });
  await page.waitForSelector('#find-people', { visible: true });
  for (const typed of ['박지', '박지'.normalize('NFD'), ' 박지훈 ']) {
    await page.$eval('#find-people', (field, text) => { field.value = text; field.dispatchEvent(new Event('input')); }, typed);
    await until(page, () => document.querySelectorAll('lr-free-people .person').length === 1);
    assert.equal(await page.$eval('lr-free-people .person .name', one => one.textContent), '박지훈');
  }
  await page.close();
});

test('a host with other participants is asked before leaving, and may stay', async () => {
  for (const language of ['en', 'ko']) {
    const { page } = await harness.page({ state: scenes['call-knock'].state, language });
    const left = async () => (await calls(page, 'leave')).length;
    await page.keyboard.down('Control');
    await page.keyboard.down('Shift');
    await page.keyboard.press('KeyL');
    await page.keyboard.up('Shift');
    await page.keyboard.up('Control');
    const dialog = await page.waitForSelector('dialog[open]');
    const said = await dialog.evaluate(one => ({
      name: document.getElementById(one.getAttribute('aria-labelledby'))?.textContent, words: document.getElementById(one.getAttribute('aria-describedby'))?.textContent,
      buttons: [...one.querySelectorAll('.actions button')].map(button => button.textContent), inside: one.contains(document.activeElement),
    }));
    assert.match(said.name, language === 'en' ? /host/ : /호스트/);
    assert.match(said.words, /2.*1/s, 'two participants, one person who knocks');
    assert.deepEqual(said.buttons, language === 'en' ? ['Stay', 'Leave anyway'] : ['계속 있기', '그래도 나가기']);
    assert.ok(said.inside, 'the focus is in the dialog');
    assert.equal(await left(), 0, 'nothing happens before the confirmation');
    await page.keyboard.press('Escape');
    await page.waitForSelector('dialog[open]', { hidden: true });
    assert.equal(await left(), 0);
    await press(page, ['#leave', 'dialog[open] .actions .primary']);
    await until(page, () => window.mock.calls.some(one => one.command === 'leave'));
    await page.close();
  }
});

test('a participant who is not the host, or is alone, leaves without a question', async () => {
  const { state } = scenes['call-2'];
  for (const call of [state.call, { ...state.call, host: 'q3' }, { ...scenes['call-alone'].state.call, host: 'q-me' }]) {
    const { page } = await harness.page({ state: { ...state, call }, language: 'en' });
    await press(page, ['#leave']);
    await until(page, () => window.mock.calls.some(one => one.command === 'leave'));
    assert.equal(await page.$('dialog[open]'), null);
    await page.close();
  }
});

test('a person who knocks sees whether somebody can admit them', async () => {
  const { state } = scenes.knocking, full = { ...scenes.board.state.board };
  full.tables = full.tables.map((table, n) => n === 0 ? { ...table, room: 'friday-soup', in_call: 2 } : table);
  const { page } = await harness.page({ state: { ...state, board: full }, language: 'en' });
  const words = () => page.$eval('lr-knocking [role=status]', one => one.textContent);
  assert.match(await words(), /host .* away for a moment/);
  await page.evaluate(() => window.mock.push({ ...window.mock.state, call: { ...window.mock.state.call, host: 'q3' } }));
  await until(page, () => /will let you in/.test(document.querySelector('lr-knocking [role=status]')?.textContent ?? ''));
  await page.close();
});
