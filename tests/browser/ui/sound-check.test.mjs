// The check of one's own sound, in headless Chromium with a mock of Tauri: node --test sound-check.test.mjs
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { scenes } from './scenes.mjs';
import { open } from './window.mjs';

let harness;
before(async () => { harness = await open(); });
after(() => harness.close());

const calls = page => page.evaluate(() => mock.calls.filter(one => one.command === 'check_sound').map(one => one.args.on));
const become = (page, sound_check) => page.evaluate(sound_check => mock.push({ ...mock.state, sound_check }), sound_check);
const said = page => page.$eval('lr-sound-check [role=status]', one => one.innerText);
const words = (page, wanted) => page.waitForFunction(wanted => document.querySelector('lr-sound-check [role=status]').innerText.includes(wanted), { timeout: 20_000 }, wanted);

for (const [language, fine, listening, stop] of [['en', 'You sound good', 'Listening', 'Stop'], ['ko', '또렷하게', '듣고 있어요', '그만하기']]) {
  test(`the check listens, plays and says in words what was found (${language})`, async () => {
    const { page } = await harness.page({ state: scenes['check-unknown-server'].state, language });
    await page.waitForSelector('lr-sound-check button');
    await page.$eval('lr-sound-check button', button => button.click());
    assert.deepEqual(await calls(page), [true]);
    await become(page, { kind: 'listening' });
    await words(page, listening);
    assert.equal(await page.$eval('lr-sound-check button', button => button.innerText.trim()), stop);
    await page.$eval('lr-sound-check button', button => button.click());
    assert.deepEqual(await calls(page), [true, false]);
    await become(page, { kind: 'done', defects: [] });
    await words(page, fine);
    await become(page, { kind: 'done', defects: ['too_quiet', 'noisy', 'from_a_later_version'] });
    await page.waitForFunction(() => document.querySelectorAll('lr-sound-check [role=status] p').length === 3);
    assert.match(await said(page), /from_a_later_version/);
    await page.close();
  });
}

test('every defect has words, and a check ends with the screen that shows it', async () => {
  const { page } = await harness.page({ state: scenes['check-unknown-server'].state, language: 'en' });
  await page.waitForSelector('lr-sound-check button');
  const codes = ['no_sound', 'no_voice', 'too_quiet', 'too_loud', 'noisy', 'echo', 'drop_outs'];
  await become(page, { kind: 'done', defects: codes });
  await page.waitForFunction(count => document.querySelectorAll('lr-sound-check [role=status] p').length === count, {}, codes.length);
  const lines = (await said(page)).split('\n').filter(line => line);
  assert.equal(lines.length, codes.length);
  assert.deepEqual(lines.filter(line => codes.includes(line)), [], 'each has a sentence');
  await become(page, { kind: 'playing' });
  await words(page, 'This is what others would hear');
  await page.$eval('#check-cancel', button => button.click());
  await page.waitForFunction(() => mock.calls.some(one => one.command === 'check_sound' && !one.args.on));
  await page.close();
});

test('there is no check in a call', async () => {
  const { page } = await harness.page({ state: scenes['call-3-chat'].state, language: 'en' });
  await page.evaluate(async () => (await import('/shared/parts/settings.js')).openSettings());
  await page.waitForSelector('dialog lr-devices');
  assert.equal(await page.$eval('lr-sound-check', one => one.hidden), true);
  await page.close();
});
