// A fake server with a community's door and board, which a test controls, and its page in headless Chromium.
import { createServer } from 'node:http';
import { createHmac } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { here, pause, ui } from './window.mjs';

const require = createRequire(path.join(process.env.MODULES ?? path.join(here, '..'), 'package.json'));
const { WebSocketServer } = require('ws');
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.png': 'image/png', '.webmanifest': 'application/manifest+json' };
const NONCE = 'BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU';
const bytes = text => Buffer.from(text, 'base64url');

export const MINUTE = 60_000;
/** 12:12 in Seoul, a Monday. */
export const NOON = Date.parse('2026-11-23T03:12:00Z');
export const ZONE = 'Asia/Seoul';
const person = (id, name, presence = 'free') => ({ id, name, presence });
const table = (id, topic, starts, taken, more = {}) => ({ id, room: `t-${id.repeat(16).slice(0, 16)}`, topic, place: '', seats: 4, starts_ms: starts, ends_ms: starts + 60 * MINUTE, now: false, weekly: false, host: taken[0]?.id ?? '', door: 'open', locked: false, taken, waiting: [], waiting_count: 0, in_call: 0, ...more });

/** A fake server. It knows members by a secret, and admits everybody to calls. */
export class DoorServer {
  secret = 'kimchi';
  up = true;
  version = 'v1';
  /** Whether people sign in with an account: its name, and its devices by key. @type {{ name: string, devices: Map<string, string> } | null} */
  account = null;
  /** Where the issuer sends the browser instead of back with a code. */
  signInEnds = '/?signed-in';
  #code = null;
  link = 'lunchroom://join/lunch?server=wss://lunch.example';
  /** Codes of errors by the requests (`do`) that they answer. */
  refuses = {};
  hellos = [];
  received = [];
  people = [person('p1', '이서준'), person('p2', 'Anna Schmidt'), person('p3', '최도윤', 'at_table'), person('p4', '윤서연', 'away')];
  tables = [table('a', '김치찌개 먹을 사람', NOON - 12 * MINUTE, [{ id: 'p1', name: '이서준' }, { id: 'p3', name: '최도윤' }], { place: '을지로 3가', in_call: 2 }),
    table('b', 'Book club', NOON + 48 * MINUTE, [{ id: 'p2', name: 'Anna Schmidt' }], { weekly: true, door: 'knock' })];
  rounds = [];
  /** Ids of the rounds for which the person has signed up. */
  joined = [];
  waiting = null;
  /** What the server knows of the person. */
  about = null;
  /** The token of the person's calendar, and how many there have been. */
  calendar = null;
  calendars = 0;
  #seq = 0;
  #received = 0;
  #socket = null;
  #you = null;

  async start() {
    this.web = createServer(async (request, response) => {
      if (this.account && request.url.startsWith('/auth/')) return this.#signIn(request, response);
      const name = path.normalize(new URL(request.url, 'http://x').pathname), isPage = name === '/';
      try {
        let content = await readFile(path.join(ui, isPage ? 'door/index.html' : name.replace(/^\/assets\/v\d+\//, '/')));
        if (isPage) content = String(content).replaceAll('{{assets}}', `/assets/${this.version}`).replaceAll('{{link}}', this.link).replaceAll('{{members}}', [this.secret && 'secret', this.account && 'account'].filter(Boolean).join(' ') || 'open');
        response.writeHead(200, { 'content-type': isPage ? types['.html'] : types[path.extname(name)] ?? 'application/octet-stream' }).end(content);
      } catch {
        response.writeHead(404).end();
      }
    });
    const sockets = new WebSocketServer({ noServer: true });
    this.web.on('upgrade', (request, socket, head) => {
      if (this.up) sockets.handleUpgrade(request, socket, head, one => this.#greet(one));
      else socket.destroy();
    });
    await new Promise(resolve => this.web.listen(0, '127.0.0.1', resolve));
    this.origin = `http://127.0.0.1:${this.web.address().port}`;
    return this;
  }

  stop() {
    this.web.closeAllConnections?.();
    this.web.close();
  }

  disconnect() {
    this.#socket?.terminate();
  }

  of(request) {
    return this.received.filter(one => one.do === request || one.type === request);
  }

  send(message) {
    this.#socket?.send(JSON.stringify({ seq: ++this.#seq, ack: this.#received, ...message }));
  }

  /** Sends what has changed on the board. */
  patch(change) {
    const tables = change.tables?.map(one => ({ ...one, taken_count: one.taken.length }));
    this.send({ type: 'board', news: 'patch', now_ms: NOON, free_count: this.people.filter(one => one.presence === 'free').length, hungry_count: 0, ...change, ...(tables ? { tables } : {}) });
  }

  /** The issuer agrees at once. */
  #signIn(request, response) {
    if (request.url === '/auth/start') {
      if (this.signInEnds === '/?signed-in') this.#code = 'S1gn3d';
      return response.writeHead(303, { location: this.signInEnds, 'set-cookie': 'lunchroom-code=S1gn3d; Path=/; HttpOnly; SameSite=Strict' }).end();
    }
    const isOwn = request.method === 'POST' && request.headers.origin === this.origin && (request.headers.cookie ?? '').includes('lunchroom-code=S1gn3d');
    if (!isOwn) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': 'application/json', 'set-cookie': 'lunchroom-code=; Path=/; Max-Age=0' }).end(JSON.stringify({ code: 'S1gn3d' }));
  }

  #accountRequest(message) {
    const about = message.seq, code = this.refuses[message.do], { devices } = this.account;
    const fail = code => this.send({ type: 'error', code, message: '', about });
    if (code) return fail(code);
    if (message.do === 'add_device') {
      if (message.code !== this.#code) return fail('sign_in_expired');
      this.#code = null;
      devices.set(this.#you.key, message.name);
    }
    if (message.do === 'devices') this.send({ type: 'account', news: 'devices', devices: [...devices].map(([key, name]) => ({ key, name, added_ms: NOON, used_ms: NOON, connected: key === this.#you.key })) });
    if (message.do === 'remove_device') devices.delete(message.key);
    this.send({ type: 'account', news: 'done', about });
    if (message.key === this.#you.key) this.bye('device_removed');
  }

  /** Ends the session for good. */
  bye(code) {
    this.send({ type: 'bye', code });
    this.#socket?.close(4034);
  }

  #greet(socket) {
    this.#socket = socket;
    socket.on('message', data => this.#handle(JSON.parse(String(data)), socket));
    socket.send(JSON.stringify({ type: 'challenge', nonce: NONCE, versions: [1] }));
  }

  #handle(message, socket) {
    if (message.type === 'hello') return this.#hello(message, socket);
    if (message.type === 'ping') return socket.send(JSON.stringify({ seq: 0, ack: this.#received, type: 'pong', nonce: message.nonce }));
    if (message.type === 'ack') return;
    this.#received = message.seq;
    this.received.push(message);
    if (message.type === 'join') this.send({ type: 'joined', room: message.room, you: 'me', participants: [] });
    if (message.type === 'leave') this.send({ type: 'left', reason: 'left' });
    if (message.type === 'board') this.#board(message);
    if (message.type === 'account') this.#accountRequest(message);
  }

  /** The server forgets sessions as soon as they are disconnected. */
  #hello(hello, socket) {
    this.hellos.push(hello);
    [this.#seq, this.#received] = [0, 0];
    const own = this.account?.devices.has(hello.key) ? { person: 'the-person', name: this.account.name } : undefined;
    this.#you = { id: own?.person ?? hello.key, key: hello.key, name: own?.name ?? hello.name };
    const proof = this.secret && createHmac('sha256', this.secret).update(Buffer.concat([Buffer.from('lunchroom-member-v1\0'), bytes(NONCE), bytes(hello.key)])).digest('base64url');
    const member = own !== undefined || (this.secret ? hello.member === proof : !this.account);
    this.isMember = member;
    if (hello.resume) socket.send(JSON.stringify({ type: 'error', code: 'cannot_resume', message: '' }));
    socket.send(JSON.stringify({ type: 'welcome', session: `s${this.hellos.length}`, resume_ms: 30_000, ice_servers: [], member, sign_in: this.account !== null, account: own, limits: { max_message_bytes: 65_536, max_participants: 12, max_chat_chars: 4000 } }));
  }

  #sendOwn() {
    this.send({ type: 'board', news: 'you', waiting: this.waiting, rounds: this.joined });
  }

  #round(round) {
    this.rounds = [...this.rounds.filter(one => one.id !== round.id), round];
    this.patch({ rounds: [round] });
  }

  #board(message) {
    const about = message.seq, code = this.refuses[message.do] ?? (this.isMember ? null : 'not_member');
    if (code) return this.send({ type: 'error', code, message: '', about });
    const you = this.#you, found = this.tables.find(one => one.id === message.table);
    switch (message.do) {
      case 'subscribe':
        this.send({ type: 'board', news: 'snapshot', first: true, last: true, now_ms: NOON, zone: ZONE, member: true, tables: this.tables.map(one => ({ ...one, taken_count: one.taken.length })), rounds: this.rounds, people: [...this.people, { id: you.id, name: you.name, presence: 'free' }], free_count: 3, hungry_count: 0 });
        this.#sendOwn();
        break;
      case 'take': found.taken = [...found.taken, { id: you.id, name: you.name }]; this.patch({ tables: [found] }); break;
      case 'leave': found.taken = found.taken.filter(one => one.id !== you.id); this.patch({ tables: [found] }); break;
      case 'lay': {
        const laid = table('c', message.topic, message.now ? NOON : message.starts_ms, [you], { now: message.now, place: message.place, seats: message.seats });
        this.tables.push(laid);
        this.patch({ tables: [laid] });
        break;
      }
      case 'lay_round': {
        const { title, starts_ms, minutes, weekly, size } = message;
        this.#round({ id: 'n', title, starts_ms, ends_ms: starts_ms + minutes * MINUTE, closes_ms: starts_ms - 60 * MINUTE, weekly, size, host: you.id, signed_up: 0 });
        break;
      }
      case 'cancel_round': this.rounds = this.rounds.filter(one => one.id !== message.round); this.patch({ rounds_gone: [message.round] }); break;
      case 'sign_up': case 'withdraw': {
        const one = this.rounds.find(one => one.id === message.round), by = message.do === 'sign_up' ? 1 : -1;
        this.joined = by > 0 ? [...this.joined, one.id] : this.joined.filter(id => id !== one.id);
        this.#round({ ...one, signed_up: one.signed_up + by });
        this.#sendOwn();
        break;
      }
      case 'delete': this.tables = this.tables.filter(one => one !== found); this.patch({ gone: [message.table] }); break;
      case 'presence': this.patch({ people: [{ ...you, presence: message.presence }] }); break;
      case 'eat_now': this.send({ type: 'board', news: 'you', waiting: { since_ms: NOON, with: message.with } }); break;
      case 'stop_waiting': this.send({ type: 'board', news: 'you', waiting: null }); break;
      case 'about_me': this.send({ type: 'board', news: 'about_me', ...this.about }); break;
      case 'forget_me': this.about = { ...this.about, tables: [], rounds: [], waiting: undefined, named_by: 0, calendar: false, invites: [], met: [], blocked: 0, reports: [], acts: [], left_out: 0 }; break;
      case 'invite': this.send({ type: 'board', news: 'invite', room: message.room, invite: 'T0k3n', expires_ms: NOON }); break;
      case 'calendar': this.send({ type: 'board', news: 'calendar', token: this.calendar && message.token === this.calendar ? this.calendar : (this.calendar = `T0k3n-${++this.calendars}`) }); break;
      case 'revoke_calendar': this.calendar = null; break;
    }
    this.send({ type: 'board', news: 'done', about });
  }
}

/** Starts a browser in which each page has a profile of its own. */
export async function startBrowser() {
  const profile = await mkdtemp(path.join(tmpdir(), 'lunchroom-door-'));
  const browser = await require('puppeteer-core').launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, pipe: true, userDataDir: profile,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream', '--lang=en'] });
  /** @type {DoorServer[]} */
  const servers = [];
  return {
    /** Opens the door of a new server. `prepare` changes the server before. */
    async door({ language = 'en', theme = 'light', width = 1280, height = 800, phone = false, prepare } = {}) {
      const server = new DoorServer();
      prepare?.(server);
      servers.push(await server.start());
      const page = await (await browser.createBrowserContext()).newPage(), complaints = [];
      page.on('pageerror', error => complaints.push(String(error)));
      page.on('console', message => { if (message.type() === 'error' && !/WebSocket|404/.test(message.text())) complaints.push(message.text()); });
      await page.setViewport(phone ? { width: 390, height: 844, isMobile: true, hasTouch: true, deviceScaleFactor: 2 } : { width, height });
      await page.emulateTimezone(ZONE);
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }, { name: 'prefers-reduced-motion', value: 'reduce' }]);
      await page.evaluateOnNewDocument((language, theme) => {
        const stored = JSON.parse(localStorage.getItem('lunchroom.settings') ?? '{}');
        localStorage.setItem('lunchroom.settings', JSON.stringify({ language, theme, ...stored }));
      }, language, theme);
      await page.goto(server.origin);
      await page.waitForSelector('lr-sign-in', { timeout: 20_000 });
      return { server, page, complaints };
    },
    async close() {
      for (const server of servers) server.stop();
      await Promise.race([browser.close().catch(() => {}), pause(3000)]);
      await rm(profile, { recursive: true, force: true }).catch(() => {});
    },
  };
}

/** Signs in with a name and a passphrase, and waits for the board. */
export async function signIn(page, { name = '김민지', secret = 'kimchi' } = {}) {
  await page.type('#sign-in-name', name);
  if (secret && await page.$('lr-sign-in input[type=password]')) await page.type('lr-sign-in input[type=password]', secret);
  await page.keyboard.press('Enter');
  await page.waitForSelector('lr-board lr-card', { timeout: 20_000 });
}
