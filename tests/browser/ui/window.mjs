// Serves ui/ with the window's content security policy, and opens its page in headless Chromium with a mock of Tauri.
import { createServer } from 'node:http';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

export const here = path.dirname(fileURLToPath(import.meta.url));
export const ui = path.resolve(here, '../../../ui');
const require = createRequire(path.join(process.env.MODULES ?? path.join(here, '..'), 'package.json'));
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css' };
const policy = port => `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src ws://127.0.0.1:* http://127.0.0.1:${port}; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** Longest wait for a page. The machine may be busy with other tests. */
const PATIENCE_MS = 120_000;

/** Serves ui/ and starts the browser. */
export async function open() {
  const web = createServer(async (request, response) => {
    const name = path.normalize(new URL(request.url, 'http://x').pathname);
    try {
      const content = await readFile(path.join(ui, name));
      response.writeHead(200, { 'content-type': types[path.extname(name)] ?? 'application/octet-stream', 'cache-control': 'max-age=3600', 'content-security-policy': policy(web.address().port) }).end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise(resolve => web.listen(0, '127.0.0.1', resolve));
  const profile = await mkdtemp(path.join(tmpdir(), 'lunchroom-ui-'));
  // Pages are opened hundreds of times, each with a hundred modules: these are cached, and none is reported.
  const browser = await require('puppeteer-core').launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, pipe: true, userDataDir: profile, networkEnabled: false,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--lang=en'],
  });
  const mock = await readFile(path.join(here, 'mock.js'), 'utf8');
  return {
    browser, origin: `http://127.0.0.1:${web.address().port}`,
    /** Opens the page with a state. Collects its warnings and errors. */
    async page({ state, language, theme, width = 1280, height = 800, scale = 1, reduced = true, zone, setup, report, about, book }) {
      const page = await newPage(browser), complaints = [];
      page.setDefaultTimeout(PATIENCE_MS);
      page.on('console', message => { if (['error', 'warn'].includes(message.type())) complaints.push(message.text()); });
      page.on('pageerror', error => complaints.push(String(error)));
      await page.setViewport({ width, height, deviceScaleFactor: scale });
      if (zone) await page.emulateTimezone(zone);
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme ?? 'light' }, { name: 'prefers-reduced-motion', value: reduced ? 'reduce' : 'no-preference' }]);
      const initial = structuredClone(state);
      if (language) initial.settings.language = language;
      if (theme) initial.settings.theme = theme;
      await page.evaluateOnNewDocument(mock);
      await page.evaluateOnNewDocument(one => { window.mock.state = one; }, initial);
      await page.evaluateOnNewDocument((report, about, book) => { Object.assign(window, { report, about, book }); }, report ?? null, about ?? null, book ?? null);
      if (setup) await page.evaluateOnNewDocument(setup);
      await page.goto(`http://127.0.0.1:${web.address().port}/app/index.html`);
      await page.waitForSelector('lunch-room > *');
      return { page, complaints };
    },
    async close() {
      await Promise.race([browser.close().catch(() => {}), new Promise(resolve => setTimeout(resolve, 3000))]);
      web.close();
      await rm(profile, { recursive: true, force: true }).catch(() => {});
    },
  };
}

/**
 * Opens a page. Chromium sometimes refuses one because it does not find a session. The cause is not known, so a second
 * attempt follows.
 * @param {import('puppeteer-core').Browser} browser
 */
async function newPage(browser) {
  try {
    return await browser.newPage();
  } catch (error) {
    if (!/Session with given id not found/.test(String(error))) throw error;
    return browser.newPage();
  }
}

export const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

/** Clicks elements one after the other, each once it has come to rest: news from the server may move it meanwhile. */
export async function press(page, selectors = []) {
  for (const selector of selectors) {
    await page.locator(selector).setTimeout(20_000).click();
    await pause(60);
  }
}
