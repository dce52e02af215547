// Makes screenshots of the app's page in headless Chromium, from the scenes of the tests and a mock of Tauri.
//   node screenshots.mjs [scene,scene…]     renews docs/screenshots, or only some scenes in it
//   node screenshots.mjs FOLDER scene,scene…|all [en,ko] [light,dark] [1280x800,480x360…]     makes PNG files, to look at a change
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { root } from './fakes.mjs';
import { scenes } from './scenes.mjs';
import { open, pause, press } from './window.mjs';

/** The screens in docs/screenshots, in both languages and themes. */
const SCREENS = ['board', 'board-empty', 'board-full', 'call-2', 'call-3-chat', 'call-6', 'call-alone', 'call-knock', 'call-people',
  'call-reconnecting', 'check', 'first-run', 'hosting', 'lay-table', 'settings'];
/** The screens that are also shown at the window's default size, in both languages. */
const WINDOW_SCREENS = ['board', 'board-empty', 'call', 'check', 'lay-table'];
const WINDOW_SIZE = '1080x720';
/** The zone of the scenes' board, so that the pictures do not depend on the machine's. */
const ZONE = 'Asia/Seoul';

/** One picture for each combination. */
function combinations(names, languages, themes, sizes, fileOf) {
  return names.flatMap(name => languages.flatMap(language => themes.flatMap(theme => sizes.map(size => ({ name, language, theme, size, file: fileOf(name, language, theme, size) })))));
}

function documented([only]) {
  const folder = path.join(root, 'docs/screenshots');
  return [
    ...combinations(SCREENS, ['en', 'ko'], ['light', 'dark'], ['1280x800'], (name, language, theme) => path.join(folder, `${name}-${language}-${theme}.webp`)),
    ...combinations(WINDOW_SCREENS, ['en', 'ko'], ['light'], [WINDOW_SIZE], (name, language) => path.join(folder, `window-${name}-${language}.webp`)),
  ].filter(({ name }) => !only || only.split(',').includes(name));
}

function requested([folder, names, languages = 'en,ko', themes = 'light,dark', sizes = '1280x800']) {
  const lists = [names === 'all' ? Object.keys(scenes).join() : names, languages, themes, sizes].map(list => list.split(','));
  return combinations(...lists, (...parts) => path.join(folder, `${parts.join('-')}.png`));
}

const args = process.argv.slice(2), harness = await open();
for (const { name, language, theme, size, file } of args.length > 1 ? requested(args) : documented(args)) {
  const [width, height] = size.split('x').map(Number), scene = scenes[name];
  const { page, complaints } = await harness.page({ ...scene, language, theme, width, height, zone: ZONE });
  try {
    await press(page, scene.press);
    await page.waitForFunction(() => !document.querySelector('canvas:not(.drawn)'), { timeout: 20_000 });
    await pause(scene.wait ?? 350);
    await page.evaluate(() => { document.documentElement.style.caretColor = 'transparent'; }); // it blinks
  } catch (error) {
    complaints.push(String(error));
  }
  await mkdir(path.dirname(file), { recursive: true });
  await page.screenshot({ path: file, ...(file.endsWith('.webp') ? { type: 'webp', quality: 80 } : {}) });
  const isTooWide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth + 1);
  if (isTooWide) complaints.push('wider than the window');
  const errors = complaints.filter(one => !/404/.test(one)); // there is no favicon
  if (errors.length) console.log(`${path.basename(file)}:`, ...new Set(errors));
  await page.close();
}
await harness.close();
