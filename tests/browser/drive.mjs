// Drives one headless browser for the tests: one JSON request per line on standard input, one JSON answer per line on
// standard output. node drive.mjs chromium|chromium-guest|firefox|firefox-guest MODULES UI_FOLDER     guest: on no page yet, with a
// fake camera and microphone
//   {"do":"call","name":"start","args":[…]}  calls a function of page.js and answers {"ok":result} or {"error":text}
//   {"do":"visit","url":"…","without":"part of the URL of requests that fail until the page is loaded again","camera":[width, height],"window":[width, height]}  in a new profile; narrow windows are those of phones   {"do":"press","selector":"…"}   {"do":"type","selector":"…","text":"…"}
//   {"do":"text","selector":"…"}  the text of an element, null if it does not exist   {"do":"received"}  what all connections have received
//   {"do":"choose","selector":"…","files":["…"]}  presses an element and chooses files   {"do":"memory"}  takes the API to write to files away
//   {"do":"open"}  reloads the page   {"do":"screenshot","path":"…"}   {"do":"quit"}
import { createServer } from 'node:http';
import { readFile, mkdtemp, rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

const [kind, modules, ui] = process.argv.slice(2);
const isGuest = kind.endsWith('-guest'), isFirefox = kind.startsWith('firefox');
const puppeteer = createRequire(path.join(path.resolve(modules), 'package.json'))('puppeteer-core');
const here = path.dirname(fileURLToPath(import.meta.url));
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript' };

const web = createServer(async (request, response) => {
  const name = path.normalize(new URL(request.url, 'http://x').pathname);
  const file = name.startsWith('/shared/') ? path.join(ui, name) : path.join(here, name);
  try {
    const content = await readFile(file);
    response.writeHead(200, { 'content-type': types[path.extname(file)] ?? 'application/octet-stream' }).end(content);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise(resolve => web.listen(0, '127.0.0.1', resolve));

const profile = await mkdtemp(path.join(tmpdir(), 'lunchroom-browser-'));
const chromium = {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, pipe: true, userDataDir: profile,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required',
    ...(isGuest ? ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--lang=en'] : [])],
};
const firefox = {
  browser: 'firefox', executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr', headless: true, userDataDir: profile,
  extraPrefsFirefox: { 'media.autoplay.default': 0, 'media.autoplay.blocking_policy': 0, 'media.navigator.permission.disabled': true,
    'media.navigator.streams.fake': true, 'media.navigator.audio.fake_frequency': 523,
    'intl.accept_languages': 'en', 'app.update.enabled': false, 'media.gmp-manager.updateEnabled': false },
};
const browser = await puppeteer.launch(isFirefox ? firefox : chromium);
let page = (await browser.pages())[0] ?? await browser.newPage();
const logMessages = () => {
  page.on('console', message => process.stderr.write(`[${kind}] ${message.text()}\n`));
  page.on('pageerror', error => process.stderr.write(`[${kind}] ${error}\n`));
};
logMessages();
const open = async () => {
  await page.goto(`http://127.0.0.1:${web.address().port}/page.html`);
  await page.waitForFunction(() => document.title === 'ready', { timeout: 20_000 });
};
if (!isGuest) await open();
const visit = async ({ url, without, camera, window: size }) => {
  await page.close();
  page = await (await browser.createBrowserContext()).newPage();
  logMessages();
  if (size) await page.setViewport({ width: size[0], height: size[1], ...(size[0] < 600 && !isFirefox ? { isMobile: true, hasTouch: true } : {}) });
  // The page does not export its connections, so record each of them for getStats.
  await page.evaluateOnNewDocument(() => {
    const made = window.made = [];
    window.RTCPeerConnection = class extends RTCPeerConnection { constructor(...args) { super(...args); made.push(this); } };
  });
  if (camera) await page.evaluateOnNewDocument((width, height) => {
    const devices = MediaDevices.prototype, open = devices.getUserMedia;
    devices.getUserMedia = function (constraints) { return open.call(this, constraints.video ? { ...constraints, video: { ...constraints.video, width, height } } : constraints); };
  }, ...camera);
  if (without) await failOnce(without);
  await page.goto(url, { timeout: without ? INTERCEPTED_MS : LOAD_MS });
};
/** Longest time to load a page, without and with interception of its requests. A local page takes a tenth of a second. */
const LOAD_MS = 25_000, INTERCEPTED_MS = 6_000;
/** Request interception is new in Firefox, and occasionally a request never continues. Then start again from the beginning. */
const visitWithRetries = async order => {
  for (let left = order.without ? 3 : 0; left; left--) {
    try {
      return await visit(order);
    } catch (error) {
      console.error('retrying', String(error));
    }
  }
  return visit(order);
};
/** Fails the requests whose URL contains `name`, as if the network changed while the page loaded. Loading it again helps. */
const failOnce = async name => {
  let loads = 0;
  await page.setRequestInterception(true);
  page.on('request', request => {
    if (request.isNavigationRequest()) loads++;
    const continues = loads > 1 || !request.url().includes(name);
    (continues ? request.continue() : request.abort()).catch(() => {});
  });
};
const press = async selector => {
  await page.waitForSelector(selector, { visible: true, timeout: 20_000 });
  await page.click(selector);
};
const received = () => page.evaluate(async () => {
  const lines = (await Promise.all((window.made ?? []).map(async one => [...(await one.getStats()).values()]))).flat().filter(line => line.type === 'inbound-rtp');
  const sum = (kind, name) => lines.filter(line => line.kind === kind).reduce((all, line) => all + (line[name] ?? 0), 0);
  return { frameWidth: Math.max(0, ...lines.map(line => line.frameWidth ?? 0)), framesDecoded: sum('video', 'framesDecoded'), energy: sum('audio', 'totalAudioEnergy') };
});

const answer = value => process.stdout.write(JSON.stringify(value) + '\n');
const quit = async () => {
  await Promise.race([browser.close().catch(() => {}), new Promise(resolve => setTimeout(resolve, 3000))]);
  await rm(profile, { recursive: true, force: true }).catch(() => {});
  process.exit(0);
};
answer({ ok: { version: await browser.version(), origin: `http://127.0.0.1:${web.address().port}` } });

const lines = createInterface({ input: process.stdin });
lines.on('close', quit);
for await (const line of lines) {
  const order = JSON.parse(line);
  try {
    if (order.do === 'quit') await quit();
    else if (order.do === 'visit') { await visitWithRetries(order); answer({ ok: null }); }
    else if (order.do === 'press') { await press(order.selector); answer({ ok: null }); }
    else if (order.do === 'type') { await page.waitForSelector(order.selector, { visible: true, timeout: 20_000 }); await page.type(order.selector, order.text); answer({ ok: null }); }
    else if (order.do === 'text') answer({ ok: await page.evaluate(selector => document.querySelector(selector)?.innerText ?? null, order.selector) });
    else if (order.do === 'choose') {
      await page.waitForSelector(order.selector, { visible: true, timeout: 20_000 });
      const chosen = page.waitForFileChooser({ timeout: 20_000 });
      await page.focus(order.selector);
      await page.keyboard.press('Enter');
      await (await chosen).accept(order.files);
      answer({ ok: null });
    }
    else if (order.do === 'memory') { await page.evaluate(() => { delete window.showSaveFilePicker; }); answer({ ok: null }); }
    else if (order.do === 'received') answer({ ok: await received() });
    else if (order.do === 'open') { await open(); answer({ ok: null }); }
    else if (order.do === 'screenshot') { await page.screenshot({ path: order.path }); answer({ ok: null }); }
    else answer({ ok: await page.evaluate((name, args) => window[name](...args), order.name, order.args ?? []) ?? null });
  } catch (error) {
    answer({ error: String(error) });
  }
}
