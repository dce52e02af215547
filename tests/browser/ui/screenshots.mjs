// Screenshots of the screens: node screenshots.mjs FOLDER [scene,scene…] [en,ko] [light,dark] [1280x800,480x360…]
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { scenes } from './scenes.mjs';
import { open, pause, press } from './window.mjs';

const [folder, which = 'all', languages = 'en,ko', themes = 'light,dark', sizes = '1280x800'] = process.argv.slice(2);
if (!folder) throw new Error('usage: node screenshots.mjs FOLDER …');
await mkdir(folder, { recursive: true });
const harness = await open();
const wanted = which === 'all' ? Object.keys(scenes) : which.split(',');
for (const name of wanted) for (const language of languages.split(',')) for (const theme of themes.split(',')) for (const size of sizes.split(',')) {
  const [width, height] = size.split('x').map(Number), scene = scenes[name];
  const { page, complaints } = await harness.page({ state: scene.state, language, theme, width, height });
  const file = path.join(folder, `${name}-${language}-${theme}-${size}.png`);
  try {
    await press(page, scene.press);
    await pause(scene.wait ?? 350);
    await page.screenshot({ path: file });
  } catch (error) {
    complaints.push(String(error));
    await page.screenshot({ path: file });
  }
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth + 1);
  if (wide) complaints.push('wider than the window');
  if (complaints.length) console.log(`${path.basename(file)}:`, ...new Set(complaints));
  await page.close();
}
await harness.close();
