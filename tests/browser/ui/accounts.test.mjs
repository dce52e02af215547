// Accounts against a real issuer: oidc-provider on loopback, the real server, and headless Chromium.
//   cargo build -p server && node --test accounts.test.mjs
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { pageModule } from './fakes.mjs';
import { here, pause, press, ui } from './window.mjs';

const modules = createRequire(path.join(process.env.MODULES ?? path.join(here, '..'), 'package.json'));
const program = process.env.LUNCHROOM_SERVER ?? path.join(here, '../../../target/debug/lunchroom-server');
const missing = ['oidc-provider', 'puppeteer-core'].find(name => { try { return !modules.resolve(name); } catch { return true; } }) ?? (existsSync(program) ? null : program);
if (missing) console.log(`SKIPPED: accounts need ${missing}`);

const NAMES = { ada: 'Ada', eve: '\u0410d\u0430' };
const LAPTOP = { width: 1280, height: 800 }, PHONE = { width: 390, height: 844, isMobile: true, hasTouch: true };
let issuer, server, browser, folder, url;

before(async () => {
  if (missing) return;
  folder = await mkdtemp(path.join(tmpdir(), 'lunchroom-accounts-'));
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  issuer = await startIssuer();
  server = spawn(program, ['--listen', `127.0.0.1:${port}`, '--no-turn', '--data-dir', folder, '--ui-dir', ui, '--openid-issuer', issuer.url, '--openid-client-id', 'lunch', '--openid-client-secret', 'between the two', '--openid-scopes', 'profile'], { stdio: 'inherit' });
  await until('the server', () => fetch(`${url}/healthz`).then(answer => answer.ok, () => false));
  browser = await modules('puppeteer-core').launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, pipe: true, args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--lang=en'] });
});

after(async () => {
  if (missing) return;
  await Promise.race([browser?.close(), pause(3000)]);
  server?.kill();
  issuer?.web.closeAllConnections();
  issuer?.web.close();
  await rm(folder, { recursive: true, force: true });
});

async function startIssuer() {
  const web = createServer();
  await new Promise(resolve => web.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${web.address().port}`;
  const { default: Provider } = await import(pathToFileURL(modules.resolve('oidc-provider')).href);
  const provider = new Provider(address, {
    clients: [{ client_id: 'lunch', client_secret: 'between the two', redirect_uris: [`${url}/auth/callback`], grant_types: ['authorization_code'], response_types: ['code'] }],
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, name: NAMES[id] }) }),
    claims: { openid: ['sub'], profile: ['name'] },
  });
  web.on('request', provider.callback());
  return { url: address, web };
}

async function freePort() {
  const web = createServer();
  await new Promise(resolve => web.listen(0, '127.0.0.1', resolve));
  const { port } = web.address();
  await new Promise(resolve => web.close(resolve));
  return port;
}

const until = async (what, run) => {
  for (let n = 0; n < 400; n++) {
    if (await run()) return;
    await pause(50);
  }
  assert.fail(`${what} did not happen`);
};
const shows = (page, selector, words) => until(words, () => page.$eval(selector, (one, words) => one.innerText.includes(words), words).catch(() => false));

/** A page in a browser of its own. */
async function open(window) {
  const page = await (await browser.createBrowserContext()).newPage();
  await page.setViewport(window);
  return page;
}

/** Answers the issuer's pages: who, then that the server may know the name. */
async function signInThere(page, who) {
  await page.waitForSelector('input[name=login]', { timeout: 30_000 });
  await page.type('input[name=login]', who);
  await page.type('input[name=password]', 'any');
  await page.click('button[type=submit]');
  await page.waitForSelector('input[name=prompt][value=consent]', { timeout: 30_000 });
  await page.click('button[type=submit]');
}

/** Signs in on the door. */
async function member(window, who) {
  const page = await open(window);
  await page.goto(url);
  await page.waitForSelector('#sign-in-account', { timeout: 30_000 });
  await page.click('#sign-in-account');
  await signInThere(page, who);
  await page.waitForSelector('lr-board #eat-now', { timeout: 30_000 });
  return page;
}

/** Calls a command of the page, as its screens do. */
const command = (page, name, args = {}) => page.evaluate(async (name, args) => {
  const { backend } = await import(new URL('../shared/backend.js', document.querySelector('script[type=module]').src));
  return backend.call(name, args);
}, name, args);

/** An app: signs in in a browser that comes back to a port of this machine, and adds its own key. */
async function app(who) {
  globalThis.WebSocket ??= modules('ws').WebSocket;
  const { Session, newDeviceKey } = await pageModule('shared/protocol.js');
  const web = createServer(), came = new Promise(resolve => web.on('request', (request, response) => { response.end('done'); resolve(new URL(request.url, url).searchParams); }));
  await new Promise(resolve => web.listen(0, '127.0.0.1', resolve));
  const verifier = randomBytes(32).toString('base64url'), challenge = createHash('sha256').update(verifier).digest('base64url');
  const page = await open(LAPTOP);
  await page.goto(`${url}/auth/start?port=${web.address().port}&challenge=${challenge}&state=xyz`);
  await signInThere(page, who);
  const query = await came, key = await newDeviceKey();
  web.close();
  assert.equal(query.get('state'), 'xyz');
  const enter = async () => {
    const session = new Session({ url: url.replace('http', 'ws'), name: 'whatever', key, client: 'test' }), messages = [], ends = [];
    session.addEventListener('message', event => messages.push(event.detail));
    session.addEventListener('ended', event => ends.push(event.detail.code));
    const welcome = await new Promise(resolve => session.addEventListener('welcome', event => resolve(event.detail)));
    return { session, messages, ends, welcome, key: key.publicKey, has: is => until('the message', () => messages.some(is)) };
  };
  const guest = await enter();
  assert.equal(guest.welcome.member, false);
  guest.session.send({ type: 'account', do: 'add_device', code: query.get('code'), verifier, name: 'the app' });
  await guest.has(one => one.news === 'done');
  guest.session.close();
  return enter();
}

test('a person on a laptop, a phone and in the app has one seat, one name and one presence', { skip: missing !== null }, async () => {
  const laptop = await member(LAPTOP, 'ada');
  await command(laptop, 'lay_table', { draft: { topic: 'Soup', place: '', seats: 4, now: true, starts_ms: 0, minutes: 60, weekly: false, door: 'open' } });
  await laptop.waitForSelector('lr-card.mine');
  const phone = await member(PHONE, 'ada');
  await phone.waitForSelector('lr-card.mine');
  const device = await app('ada');
  assert.equal(device.welcome.account.name, 'Ada');
  device.session.send({ type: 'board', do: 'subscribe' });
  await device.has(one => one.news === 'you');
  const board = device.messages.find(one => one.news === 'snapshot');
  assert.deepEqual(board.people.map(one => one.name), ['Ada']);
  assert.deepEqual(board.tables[0].taken.map(one => one.id), [device.welcome.account.person]);
  await command(phone, 'set_presence', { presence: 'away' });
  await device.has(one => one.news === 'patch' && one.people?.some(person => person.presence === 'away'));
  await until('the laptop', () => laptop.$eval('#presence', one => one.getAttribute('aria-checked') === 'false'));

  // Somebody else in letters that look the same.
  const eve = await member(LAPTOP, 'eve');
  await device.has(one => one.news === 'patch' && one.people?.some(person => person.name === `${NAMES.eve} 2`));
  await eve.browserContext().close();

  // A lost device is out within a second.
  const listed = await command(laptop, 'account_devices');
  assert.equal(listed.length, 3);
  await press(laptop, ['#board-more', '.menu:popover-open button:last-child', '#my-devices']);
  await shows(laptop, '.my-devices', 'the app');
  const begun = performance.now();
  await command(laptop, 'remove_device', { key: device.key });
  await until('the end', () => device.ends.length > 0);
  assert.ok(performance.now() - begun < 1000, `${performance.now() - begun} ms`);
  assert.deepEqual(device.ends, ['device_removed']);
  await phone.reload();
  await phone.waitForSelector('lr-card.mine');
});
