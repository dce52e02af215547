// Every screen in every size and theme: axe's rules, and nothing wider than the window. node --test layout.test.mjs
//   MODULES  the folder with node_modules (puppeteer-core, axe-core); by default tests/browser
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { scenes } from './scenes.mjs';
import { here, open, pause, press } from './window.mjs';

const require = createRequire(path.join(process.env.MODULES ?? path.join(here, '..'), 'package.json'));
let harness;
before(async () => { harness = await open(); });
after(() => harness.close());

/** Large scenes, whose dark theme has the colours of another scene. */
const ONLY_LIGHT = ['board-full', 'call-50'];
/** Scenes that are laid out like others, but take long. */
const ONLY_RULES = [...ONLY_LIGHT, 'call-statistics'];
/** Only colours differ in the dark theme. */
const RULES = { light: undefined, dark: ['color-contrast'] };
/** Width and height of the window, and the size of its text in percent. */
const SIZES = [[480, 360, 100], [800, 600, 100], [800, 600, 200], [3840, 2160, 100]];

test('axe finds no serious problem on any screen, in both themes', { timeout: 900_000 }, async t => {
  const axe = await readFile(require.resolve('axe-core/axe.min.js'), 'utf8');
  for (const [name, scene] of Object.entries(scenes)) {
    await t.test(name, async () => {
      const { page, complaints } = await harness.page({ ...scene, language: 'ko', theme: 'light' });
      await press(page, scene.press);
      await pause(150);
      // Not a script tag, which the page's content policy would block.
      await page.evaluate(axe);
      for (const theme of ONLY_LIGHT.includes(name) ? ['light'] : ['light', 'dark']) {
        await setTheme(page, theme);
        assert.deepEqual(await seriousProblems(page, RULES[theme]), [], theme);
      }
      assert.deepEqual(complaints.filter(one => !/404/.test(one)), []);
      await page.close();
    });
  }
});

test('no screen is wider than its window, at any size and with large text', { timeout: 900_000 }, async () => {
  for (const [name, scene] of Object.entries(scenes)) {
    if (ONLY_RULES.includes(name)) continue;
    const [[width, height]] = SIZES;
    const { page } = await harness.page({ state: scene.state, language: 'en', width, height });
    for (const [width, height, percent] of SIZES) {
      await page.setViewport({ width, height });
      await page.evaluate(percent => window.mock.push({ ...window.mock.state, settings: { ...window.mock.state.settings, text_percent: percent } }), percent);
      await pause(80);
      assert.deepEqual(await tooWide(page), [], `${name} at ${width}x${height}, letters ${percent} %`);
    }
    await page.close();
  }
});

async function setTheme(page, theme) {
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }, { name: 'prefers-reduced-motion', value: 'reduce' }]);
  await page.evaluate(theme => window.mock.push({ ...window.mock.state, settings: { ...window.mock.state.settings, theme } }), theme);
  await page.evaluate(() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve))));
}

async function seriousProblems(page, rules) {
  const { violations } = await page.evaluate(runOnly => window.axe.run(document, { resultTypes: ['violations'], runOnly }), rules);
  return violations.filter(one => ['serious', 'critical'].includes(one.impact))
    .map(one => `${one.id}: ${one.nodes.slice(0, 3).map(node => `${node.target} ${node.any[0]?.message ?? ''}`).join(' | ')}`);
}

const tooWide = page => page.evaluate(() => [...document.querySelectorAll('lunch-room *')]
  .filter(one => one.getBoundingClientRect().right > innerWidth + 2 && getComputedStyle(one).visibility !== 'hidden' && !one.closest('.days, .tiles, .visually-hidden, [hidden]') && one.getBoundingClientRect().width > 0)
  .map(one => `${one.tagName}.${one.className?.baseVal ?? one.className}`).slice(0, 3));
