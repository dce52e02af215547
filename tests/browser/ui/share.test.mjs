// Sharing a screen, in headless Chromium with a mock of Tauri: node --test share.test.mjs
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { calls, until } from './page.mjs';
import { scenes } from './scenes.mjs';
import { open, press } from './window.mjs';

let harness;
before(async () => { harness = await open(); });
after(() => harness.close());


test('a window is chosen from the list by keyboard, shared, and no longer shared', async () => {
  const { page } = await harness.page({ state: scenes['call-share-picker'].state, language: 'en' });
  await page.keyboard.press('KeyS');
  await until(page, () => document.querySelectorAll('.share-choice').length === 4);
  assert.deepEqual(await page.$$eval('.share-choice .name', all => all.map(one => one.textContent)), ['Screen eDP-1', '주간 보고.odp – LibreOffice Impress', 'Terminal', 'Untitled window']);
  assert.equal(await page.evaluate(() => document.activeElement?.className), 'share-choice', 'the first has the focus');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await until(page, () => !document.querySelector('dialog') && document.querySelector('.call-sharing:not([hidden])'));
  assert.deepEqual(await calls(page, 'share'), [{ id: 'window:1', name: '주간 보고.odp – LibreOffice Impress' }]);
  assert.match(await page.$eval('.call-sharing span', one => one.textContent), /You’re sharing “주간 보고/);
  assert.deepEqual(await page.$eval('#call-share', one => [one.ariaPressed, one.ariaLabel]), ['true', 'Share']);
  await page.keyboard.press('KeyS');
  await until(page, () => document.querySelector('.call-sharing[hidden]'));
  assert.equal((await calls(page, 'stop_share')).length, 1);
  await page.close();
});

test('where nothing can be shared, the dialog says why', async () => {
  const { page } = await harness.page({ state: scenes['call-share-picker'].state, language: 'en' });
  await page.evaluate(() => { window.mock.refuse.screens = { code: 'screen_wayland', message: 'x' }; });
  await press(page, ['#call-share']);
  await until(page, () => /Wayland/.test(document.querySelector('dialog [role=alert]')?.textContent ?? ''));
  await page.close();
});

test('a shared screen takes the stage, is announced, and is zoomed and moved', async () => {
  const { state } = scenes['call-share'];
  const { page } = await harness.page({ state: { ...state, sharing: [], share: null }, language: 'en' });
  await page.evaluate(now => window.mock.push(now), state);
  await until(page, () => document.querySelector('lr-screen-tile'));
  const size = selector => page.$eval(selector, one => one.clientWidth * one.clientHeight);
  const faces = await page.$$eval('lr-tile', all => all.map(one => one.clientWidth * one.clientHeight));
  assert.ok(Math.max(...faces) * 3 < await size('lr-screen-tile'));
  await until(page, () => /is sharing their screen/.test(document.body.textContent));
  assert.match(await page.$eval('lr-screen-tile', one => one.ariaLabel), /’s screen$/);
  const width = await page.$eval('.screen-picture', one => one.clientWidth);
  await page.focus('.screen-view');
  for (let n = 0; n < 3; n++) await page.keyboard.press('+');
  const zoomed = await page.$eval('.screen-picture', one => [one.clientWidth, parseFloat(one.style.left)]);
  assert.ok(Math.abs(zoomed[0] - width * 1.25 ** 3) < 4, `${zoomed[0]} of ${width}`);
  await page.keyboard.press('ArrowLeft');
  assert.ok(await page.$eval('.screen-picture', one => parseFloat(one.style.left)) > zoomed[1]);
  // The edge of the picture does not come into the tile.
  for (let n = 0; n < 9; n++) await page.keyboard.press('ArrowLeft');
  assert.equal(await page.$eval('.screen-picture', one => parseFloat(one.style.left)), 0);
  await page.keyboard.press('0');
  assert.equal(await page.$eval('.screen-picture', one => one.clientWidth), width);
  await page.evaluate(now => window.mock.push(now), { ...state, sharing: [] });
  await until(page, () => !document.querySelector('lr-screen-tile'));
  await page.close();
});
