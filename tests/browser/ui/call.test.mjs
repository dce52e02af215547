// Behaviour of the call's screen beyond screens.test.mjs, in headless Chromium with a mock of Tauri: node --test call.test.mjs
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { calls, until } from './page.mjs';
import { scenes } from './scenes.mjs';
import { open, pause, press } from './window.mjs';

let harness;
before(async () => { harness = await open(); });
after(() => harness.close());


/** Changes the state of the call as Rust would. */
const change = (page, call) => page.evaluate(call => mock.push({ ...mock.state, call: { ...mock.state.call, ...call } }), call);

test('a tile says that its picture has stopped, and nothing when it moves or when nobody looks', async () => {
  const participant = { id: 'p1', link: 'connected', media: { camera: true, microphone: true } };
  const { page } = await harness.page({ state: scenes['call-3-chat'].state, language: 'en' });
  const stopped = steps => page.evaluate(async (participant, steps) => {
    const { StoppedPictures } = await import('/shared/parts/stopped-pictures.js');
    const pictures = new StoppedPictures();
    return steps.map(([at_ms, decoded, looks = true, change = {}]) => {
      pictures.update([{ ...participant, ...change }], { at_ms, people: [{ id: 'p1', video_in: { decoded } }] }, looks);
      return pictures.has('p1');
    });
  }, participant, steps);
  assert.deepEqual(await stopped([[0, 10], [2000, 10], [4000, 10], [6000, 10], [8000, 11]]), [false, false, true, true, false]);
  assert.deepEqual(await stopped([[0, 10], [4000, 10, false], [8000, 10], [10_000, 10]]), [false, false, false, false]);
  const off = { media: { camera: false, microphone: true } };
  assert.deepEqual(await stopped([[0, 10], [4000, 10, true, off], [8000, 10, true, { link: 'interrupted' }]]), [false, false, false]);
  // The statistics of the mock stand still.
  await page.evaluate(() => { const still = mock.commands.stats(); mock.commands.stats = () => ({ ...structuredClone(still), at_ms: Date.now() }); });
  await until(page, () => [...document.querySelectorAll('lr-tile .why')].some(one => one.textContent === 'The picture has stopped. The connection may be too slow for it.'));
  await page.close();
});

test('reactions are chosen with the keyboard, shown on tiles, and announced once in a while', async () => {
  const { state } = scenes['call-3-chat'], { participants } = state.call;
  const { page } = await harness.page({ state, language: 'en' });
  await page.keyboard.press('KeyR');
  await until(page, () => document.activeElement.ariaLabel === 'Thumbs up');
  for (const key of ['ArrowRight', 'ArrowRight', 'ArrowLeft', 'End', 'ArrowRight', 'ArrowRight', 'ArrowRight']) await page.keyboard.press(key);
  assert.equal(await page.evaluate(() => document.activeElement.ariaLabel), 'Applause');
  await page.keyboard.press('Enter');
  await page.waitForSelector('lr-tile.own .reaction:not([hidden]) svg');
  assert.deepEqual(await calls(page, 'react'), [{ reaction: 'clap' }]);
  assert.equal(await page.evaluate(() => document.activeElement.id), 'call-react');
  const said = () => page.$eval('.stage > [role=status].visually-hidden', one => one.textContent);
  assert.equal(await said(), '', 'the own one is not announced');
  const react = (n, reaction, number) => change(page, { participants: participants.map((one, at) => at === n ? { ...one, reaction: { reaction, number } } : one) });
  await react(1, 'yum', 1);
  await until(page, () => document.querySelector('lr-tile:nth-child(2) .reaction:not([hidden])'));
  assert.equal(await said(), 'Anna Schmidt reacted: Delicious.');
  const first = await page.$('lr-tile:nth-child(2) .reaction');
  await react(1, 'yum', 2);
  assert.equal(await first.evaluate(one => one.isConnected), false, 'the same one again is drawn anew');
  // Somebody who reacts without end is on the tile and not in everybody's ears.
  for (let n = 3; n < 40; n++) await react(1, n % 2 ? 'heart' : 'laugh', n);
  await react(0, 'clap', 1);
  assert.equal(await said(), 'Anna Schmidt reacted: Delicious.');
  assert.equal(await page.$$eval('lr-tile .reaction', all => all.length), 4, 'one for each tile');
  await react(1, 'unknown', 50);
  assert.equal(await page.$$eval('lr-tile:nth-child(2) .reaction svg', all => all.length), 0);
  await change(page, { participants });
  await until(page, () => !document.querySelector('lr-tile:not(.own) .reaction:not([hidden])'));
  await page.close();
});

test('an emoji is inserted at the cursor, by keyboard and with a press', async () => {
  const { page } = await harness.page({ state: scenes['call-3-chat'].state, language: 'en' });
  await press(page, ['#call-chat']);
  await page.evaluate(() => { HTMLElement.prototype.offered = function () { return [...this.querySelectorAll('button')].map(one => one.textContent); }; });
  await page.type('#chat-input', 'soupbread');
  await page.$eval('#chat-input', one => one.setSelectionRange(4, 4));
  await page.focus('#chat-emoji');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.emoji-table:popover-open button:focus');
  const offered = await page.$eval('.emoji-table', one => one.offered());
  assert.ok(offered.length > 5, 'this system has a font with some');
  assert.equal(new Set(offered).size, offered.length);
  await page.keyboard.press('ArrowDown');
  const [here, top] = await page.evaluate(() => [document.activeElement.textContent, document.querySelector('.emoji-table button').getBoundingClientRect().top]);
  assert.ok(await page.evaluate(() => document.activeElement.getBoundingClientRect().top) > top, 'in another row');
  await page.keyboard.press('Enter');
  await until(page, () => document.activeElement.id === 'chat-input');
  assert.equal(await page.$eval('#chat-input', one => one.value), `soup${here}bread`);
  await press(page, ['#chat-emoji', '.emoji-table:popover-open button']);
  assert.equal(await page.$eval('#chat-input', one => one.value), `soup${here}${offered[0]}bread`);
  await press(page, ['#chat-emoji']);
  await page.keyboard.press('Escape');
  await until(page, () => !document.querySelector(':popover-open') && document.activeElement.id === 'chat-input');
  assert.ok(await page.$('lr-chat'), 'Escape closes one thing at a time');
  await page.keyboard.press('Enter');
  assert.deepEqual(await calls(page, 'send_chat'), [{ text: `soup${here}${offered[0]}bread` }]);
  await page.close();
});

test('a link in the chat opens after a look at where it leads', async () => {
  const { state } = scenes['call-3-chat'];
  const line = text => ({ from: 'q0', name: 'Bo', text, at: Date.now() });
  const chat = [line('menu: https://example.org/menu?x=1. <b>'), line('http://аррle.example/'), line('javascript:alert(1) https://bank.example@evil.example/')];
  const { page } = await harness.page({ state: { ...state, chat }, language: 'en' });
  await press(page, ['#call-chat']);
  assert.deepEqual(await page.$$eval('.lines a', all => all.map(one => one.textContent)), ['https://example.org/menu?x=1', 'http://аррle.example/']);
  assert.match(await page.$eval('.lines .text', one => one.textContent), /^menu: https:\/\/example\.org\/menu\?x=1\. <b>$/);
  await press(page, ['.lines a']);
  await page.waitForSelector('dialog');
  assert.match(await page.$eval('dialog', one => one.textContent), /leads to example\.org\./);
  await page.keyboard.press('Escape');
  assert.deepEqual(await calls(page, 'open_web'), []);
  await press(page, ['.lines a', 'dialog .primary']);
  assert.deepEqual(await calls(page, 'open_web'), [{ url: 'https://example.org/menu?x=1' }]);
  await page.focus('.lines li:nth-child(2) a');
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog');
  assert.match(await page.$eval('dialog', one => one.textContent), /leads to xn--.*isn’t encrypted/s);
  await pause(50);
  await page.close();
});

test('the host shows somebody large to everybody, who may pin somebody else', async () => {
  const { state } = scenes['call-stage'];
  const { page } = await harness.page({ state: { ...state, call: { ...state.call, host: 'q-me' } }, language: 'en' });
  const large = () => page.$$eval('lr-tile', all => all.find(tile => tile.clientWidth * tile.clientHeight > 400_000)?.querySelector('.name').title ?? null);
  assert.equal(await large(), null);
  await press(page, ['#call-people', '.in-call li:nth-child(3) button']);
  await page.$$eval('.menu:popover-open button', all => all.find(one => one.textContent === 'Spotlight for everyone').click());
  const [, second, third] = state.call.participants;
  assert.deepEqual(await calls(page, 'spotlight'), [{ id: second.id }]);
  await page.keyboard.press('Escape');
  await change(page, { spotlight: second.id });
  await until(page, () => document.querySelector('lr-tile.spotlit'));
  assert.equal(await large(), second.name);
  assert.match(await page.$eval('lr-tile.spotlit', one => one.ariaLabel), /in the spotlight/);
  await page.focus(`lr-tile:nth-child(3) .pin`);
  await page.keyboard.press('Enter');
  assert.equal(await large(), third.name);
  await page.keyboard.press('Enter');
  assert.equal(await large(), second.name);
  await change(page, { spotlight: 'q-me' });
  await until(page, () => document.querySelector('.notices > [role=status]:nth-last-child(2)')?.textContent.includes('everyone sees you large'));
  assert.equal(await large(), null);
  await page.close();
});

test('the host mutes all and hands the table over', async () => {
  const { state } = scenes['call-6'];
  const { page } = await harness.page({ state: { ...state, call: { ...state.call, host: 'q-me' } }, language: 'en' });
  const on = state.call.participants.filter(one => one.media.microphone).map(one => one.id);
  await press(page, ['#call-people', '#mute-all']);
  assert.deepEqual((await calls(page, 'mute')).map(one => one.id), on);
  await until(page, n => document.querySelector('.notices > [role=status]:nth-last-child(2)')?.textContent.includes(`asked ${n} people`), on.length);
  await press(page, ['.in-call li:nth-child(2) button']);
  await page.$$eval('.menu:popover-open button', all => all.find(one => one.textContent === 'Make host').click());
  await press(page, ['dialog .primary']);
  assert.deepEqual(await calls(page, 'hand_over'), [{ id: state.call.participants[0].id }]);
  await change(page, { host: 'q0' });
  await until(page, () => document.querySelector('#mute-all').hidden);
  await page.close();
});

test('a device is chosen at the buttons of the microphone and the camera', async () => {
  const { page } = await harness.page({ state: scenes['call-2'].state, language: 'en' });
  await page.focus('#choose-microphone');
  await page.keyboard.press('ArrowDown');
  const entries = () => page.$$eval('.menu:popover-open button', all => all.map(one => [one.textContent, one.ariaChecked]));
  assert.deepEqual((await entries()).map(one => one.join(' ').trim()), ['Microphone: System default (Built-in Microphone) true', 'Microphone: Built-in Microphone false', 'Microphone: Tone false', 'Speaker: System default (Built-in Speakers) true', 'Speaker: Built-in Speakers false', 'All devices…']);
  for (const key of ['ArrowDown', 'ArrowDown', 'Enter']) await page.keyboard.press(key);
  assert.deepEqual(await calls(page, 'select_devices'), [{ choice: { camera: null, microphone: 'tone', speaker: null } }]);
  await press(page, ['#choose-camera', '.menu:popover-open button:nth-child(3)']);
  assert.equal((await calls(page, 'select_devices'))[1].choice.camera, 'test');
  await press(page, ['#choose-camera', '.menu:popover-open button:last-child']);
  await page.waitForSelector('dialog lr-devices');
  await page.close();
});

test('the window becomes small and large again, and large when the call ends', async () => {
  const { page } = await harness.page({ state: scenes['call-2'].state, language: 'en' });
  const choose = async words => {
    await press(page, ['#call-more']);
    await page.$$eval('.menu:popover-open button', (all, words) => all.find(one => one.textContent === words).click(), words);
  };
  await choose('Small window on top');
  await choose('Back to the large window');
  await choose('Small window on top');
  await press(page, ['#leave']);
  await until(page, () => !document.querySelector('lr-call'));
  assert.deepEqual(await calls(page, 'small_window'), [{ on: true }, { on: false }, { on: true }, { on: false }]);
  await page.close();
});
