// Replaces the browser in tests of the pages' protocol code: it loads the pages' modules, and has a virtual clock and a
// fake socket for a session.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');

/** Texts use the system's language. Node 20 has no `navigator`. */
globalThis.navigator ??= { language: 'en' };
/** Node 18 has `CustomEvent` only behind a flag. */
globalThis.CustomEvent ??= class extends Event {
  constructor(type, { detail } = {}) {
    super(type);
    this.detail = detail;
  }
};

/** @type {Map<string, Promise<string>>} */
const urls = new Map();

/** Imports a module of ui/, such as `shared/protocol.js`, with its imports. It is imported by its text, because Node treats a .js file without a package.json beside it as CommonJS. */
export const pageModule = async name => import(await urlOf(path.join(root, 'ui', name)));

/** @param {string} file */
function urlOf(file) {
  if (!urls.has(file)) urls.set(file, moduleUrl(file));
  return urls.get(file);
}

/** @param {string} file */
async function moduleUrl(file) {
  let text = await readFile(file, 'utf8');
  const imports = new Set([...text.matchAll(/^(?:import|export) .*from '(\.[^']+)';$/gm)].map(found => found[1]));
  for (const name of imports) text = text.replaceAll(`from '${name}'`, `from '${await urlOf(path.resolve(path.dirname(file), name))}'`);
  return `data:text/javascript;base64,${Buffer.from(text).toString('base64')}`;
}

/** Loads a file of the protocol's test vectors. */
export const vectors = async name => expanded(JSON.parse(await readFile(path.join(root, 'docs/protocol', name), 'utf8')));

/** Replaces `{"repeat": "x", "times": 3, "then": "y"}` by the text that it describes. */
function expanded(value) {
  if (Array.isArray(value)) return value.map(expanded);
  if (value === null || typeof value !== 'object') return value;
  if (typeof value.repeat === 'string') return value.repeat.repeat(value.times) + (value.then ?? '');
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, expanded(one)]));
}

/** Resolves after all pending microtasks and immediates have run. */
export const flushed = () => new Promise(resolve => setImmediate(resolve));

/** A virtual clock, which a test advances. */
export class Clock {
  #now = 1_000;
  #timers = new Set();
  now = () => this.#now;
  after = (ms, run) => {
    const timer = { at: this.#now + ms, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  /** @param {() => boolean} [isDone] stops before the end when it returns true */
  async advance(ms, isDone = () => false) {
    const end = this.#now + ms;
    for (;;) {
      const [next] = [...this.#timers].filter(one => one.at <= end).sort((a, b) => a.at - b.at);
      if (!next || isDone()) break;
      this.#now = Math.max(this.#now, next.at);
      this.#timers.delete(next);
      next.run();
      await flushed();
    }
    if (!isDone()) this.#now = end;
    await flushed();
  }
}

/** A fake socket. The test acts as the server. */
class FakeSocket {
  readyState = 0;
  /** Sent messages, parsed. */
  sent = [];
  /** The close code of this side; null: not closed. */
  closed = null;
  onopen = null;
  onmessage = null;
  onclose = null;
  /** Called with the code when this side closes it. */
  onclosed = () => {};

  send(text) { this.sent.push(JSON.parse(text)); }

  close(code = 1005) {
    this.readyState = 3;
    this.closed = code;
    this.onclosed(code);
  }
}

const EVENTS = ['welcome', 'resumed', 'message', 'disconnected', 'lost', 'ended'];

/** A session on a virtual clock, and the server's end of each socket that it opens. */
export class SessionHarness {
  clock = new Clock();
  sockets = [];
  /** Name and detail of each event. */
  events = [];
  /** What the session did with its sockets: `connect`, `close_1000`, or `close` with another code. */
  socketActions = [];

  constructor(Session, options = {}) {
    const key = { publicKey: 'key', sign: async bytes => `signed ${bytes.length}`, pair: null };
    this.session = new Session({ url: 'ws://x', name: 'Ada', key, clock: this.clock, random: () => 1, open: () => this.#open(), ...options });
    for (const name of EVENTS) this.session.addEventListener(name, ({ detail }) => this.events.push([name, detail]));
  }

  #open() {
    const socket = new FakeSocket();
    socket.onclosed = code => this.socketActions.push(code === 1000 ? 'close_1000' : 'close');
    this.sockets.push(socket);
    this.socketActions.push('connect');
    return socket;
  }

  get socket() { return this.sockets[this.sockets.length - 1]; }

  get sent() { return this.socket.sent.filter(message => message.type !== 'ping'); }

  get eventNames() { return this.events.map(([name]) => name); }

  openSocket() {
    this.socket.readyState = 1;
    this.socket.onopen?.();
  }

  /** @param {...any} messages objects, or strings to send unchanged */
  async receive(...messages) {
    for (const message of messages) {
      this.socket.onmessage?.({ data: typeof message === 'string' ? message : JSON.stringify(message) });
      await flushed();
    }
  }

  closeByServer(code = 1006, reason = '') {
    this.socket.readyState = 3;
    this.socket.onclose?.({ code, reason });
  }
}
