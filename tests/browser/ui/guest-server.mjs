// A fake server, which a test controls, and the guest page in headless Chromium against it.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { createServer } from 'node:http';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { here, pause, press, ui } from './window.mjs';

const require = createRequire(path.join(process.env.MODULES ?? path.join(here, '..'), 'package.json'));
const { WebSocketServer } = require('ws');
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
export const BO = { id: 'p1', name: 'Bo', key: 'TLNUTs2yaO8rlDRp9hN1CnaGJTOWaBQ7E1mfbCw9DAQ', nonce: 'BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU', media: { microphone: false, camera: false } };
export const TABLE_ROOM = 't-4f8s0x6h2n9b7w1e';

/** A fake server. It admits everybody, keeps sessions, and records received messages. */
class Server {
  received = [];
  closes = [];
  /** Whether it accepts sockets. */
  up = true;
  /** Whether it has forgotten a session that a client wants to resume. */
  hasForgotten = false;
  people = [BO];
  hellos = [];
  /** Limits beside the usual ones. */
  limits = {};
  /** Whether the room is forwarded when somebody comes. */
  forwards = false;
  #received = 0;
  #seq = 0;
  #socket = null;
  #sent = [];
  #sessions = 0;

  async start() {
    this.web = createServer(async (request, response) => {
      const name = path.normalize(new URL(request.url, 'http://x').pathname);
      try {
        const page = name.startsWith('/r/');
        let content = await readFile(path.join(ui, page ? 'guest/index.html' : name.replace(/^\/assets\/v1\//, '/')));
        if (page) content = String(content).replaceAll('{{assets}}', '/assets/v1').replaceAll('{{room}}', name.slice(3)).replaceAll('{{link}}', '');
        response.writeHead(200, { 'content-type': page ? types['.html'] : types[path.extname(name)] ?? 'application/octet-stream' }).end(content);
      } catch {
        response.writeHead(404).end();
      }
    });
    const sockets = new WebSocketServer({ noServer: true });
    this.web.on('upgrade', (request, socket, head) => {
      if (this.up) sockets.handleUpgrade(request, socket, head, one => this.#startHandshake(one));
      else socket.destroy();
    });
    await new Promise(resolve => this.web.listen(0, '127.0.0.1', resolve));
    this.origin = `http://127.0.0.1:${this.web.address().port}`;
    return this;
  }

  #startHandshake(socket) {
    this.#socket = socket;
    socket.on('close', code => this.closes.push(code));
    socket.on('message', data => this.#handle(JSON.parse(String(data))));
    socket.send(JSON.stringify({ type: 'challenge', nonce: 'BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU', versions: [1] }));
  }

  #handle(message) {
    if (message.type === 'hello') return this.#hello(message);
    if (message.type === 'ping') return this.#socket.send(JSON.stringify({ seq: 0, ack: this.#received, type: 'pong', nonce: message.nonce }));
    if (message.type === 'ack' || message.seq <= this.#received) return;
    this.#received = message.seq;
    this.received.push(message);
    const about = message.seq;
    if (message.type === 'board') {
      this.send({ type: 'board', ...this.board });
      this.send({ type: 'board', news: 'done', about });
    }
    if (message.type === 'join') {
      if (this.forwards) this.send({ type: 'forwarded', on: true });
      this.send({ type: 'joined', room: message.room, you: `me${this.#sessions}`, participants: this.people });
    }
    if (message.type === 'chat') this.send({ type: 'chat', from: `me${this.#sessions}`, text: message.text, at: Date.now() });
  }

  #hello(hello) {
    const { resume } = hello;
    this.hellos.push(hello);
    if (resume && !this.hasForgotten) {
      this.#socket.send(JSON.stringify({ type: 'resumed', received: this.#received, ice_servers: [] }));
      for (const text of this.#sent.slice(resume.received)) this.#socket.send(text);
      return;
    }
    if (resume) this.#socket.send(JSON.stringify({ type: 'error', code: 'cannot_resume', message: '' }));
    [this.#received, this.#seq, this.#sent] = [0, 0, []];
    this.#sessions++;
    this.#socket.send(JSON.stringify({ type: 'welcome', session: `s${this.#sessions}`, resume_ms: 30_000, ice_servers: [], limits: { max_message_bytes: 65_536, max_participants: 12, max_chat_chars: 4000, ...this.limits } }));
  }

  board = { news: 'snapshot', first: true, last: true, now_ms: Date.now(), zone: 'Asia/Seoul', member: false, tables: [], people: [], free_count: 0, hungry_count: 0 };

  send(message) {
    const text = JSON.stringify({ seq: ++this.#seq, ack: this.#received, ...message });
    this.#sent.push(text);
    this.#socket?.send(text);
  }

  disconnect() {
    this.#socket?.terminate();
  }

  of(type) {
    return this.received.filter(one => one.type === type);
  }
}

const browsers = {};
export const words = {};
let profiles = [];
const plain = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--use-fake-ui-for-media-stream', '--lang=en'];
async function browser(kind) {
  if (browsers[kind]) return browsers[kind];
  const profile = await mkdtemp(path.join(tmpdir(), 'lunchroom-guest-'));
  profiles.push(profile);
  const args = kind === 'devices' ? [...plain, '--use-fake-device-for-media-stream'] : plain;
  return browsers[kind] = await require('puppeteer-core').launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, pipe: true, userDataDir: profile, args });
}
before(async () => {
  for (const language of ['en', 'ko']) {
    const source = await readFile(path.join(ui, `shared/strings/${language}.js`), 'utf8');
    words[language] = (await import(`data:text/javascript;base64,${Buffer.from(source).toString('base64')}`))[language];
  }
});
after(async () => {
  for (const one of Object.values(browsers)) await Promise.race([one.close().catch(() => {}), pause(3000)]);
  for (const profile of profiles) await rm(profile, { recursive: true, force: true }).catch(() => {});
});

/** Opens a link to a new fake server. */
export async function guest({ devices = 'none', language = 'en', room = 'soup', zone, settings = {}, prepare, setup }) {
  const server = await new Server().start();
  prepare?.(server);
  const page = await (await browser(devices)).newPage(), complaints = [];
  page.on('pageerror', error => complaints.push(String(error)));
  await page.setViewport({ width: 1000, height: 700 });
  if (zone) await page.emulateTimezone(zone);
  await page.evaluateOnNewDocument(wanted => localStorage.setItem('lunchroom.settings', JSON.stringify({ name: 'Gast', ...wanted })), { language, ...settings });
  if (setup) await page.evaluateOnNewDocument(setup);
  await page.goto(`${server.origin}/r/${room}`);
  await page.waitForSelector('#join-here', { timeout: 20_000 });
  return { server, page, complaints, async end() {
    assert.deepEqual(complaints, []);
    await page.close();
    server.web.closeAllConnections?.();
    server.web.close();
  } };
}

export async function inCall(options) {
  const all = await guest(options);
  await press(all.page, ['#join-here']);
  await all.page.waitForSelector('lr-check');
  await pause(300);
  await press(all.page, ['#join']);
  await all.page.waitForSelector('lr-call', { timeout: 20_000 });
  return all;
}

export const until = async (what, run) => {
  for (let n = 0; n < 200; n++) {
    if (await run()) return;
    await pause(50);
  }
  assert.fail(`${what} did not happen`);
};
export const pressed = (page, id) => page.$eval(id, one => one.getAttribute('aria-pressed'));
export const seen = (page, selector) => page.$eval(selector, one => one.innerText);
