// Replaces the browser in tests of the pages' protocol code: loads the pages' own modules, and fakes a clock, a socket,
// and a session between them.
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
const addresses = new Map();

/** Imports a module of ui/, such as `shared/protocol.js`, with its imports. It is imported by its text, because Node treats a .js file without a package.json beside it as CommonJS. */
export const pageModule = async name => import(await addressOf(path.join(root, 'ui', name)));

/** @param {string} file */
function addressOf(file) {
  if (!addresses.has(file)) addresses.set(file, made(file));
  return addresses.get(file);
}

/** @param {string} file */
async function made(file) {
  let text = await readFile(file, 'utf8');
  const imports = new Set([...text.matchAll(/^(?:import|export) .*from '(\.[^']+)';$/gm)].map(found => found[1]));
  for (const name of imports) text = text.replaceAll(`from '${name}'`, `from '${await addressOf(path.resolve(path.dirname(file), name))}'`);
  return `data:text/javascript;base64,${Buffer.from(text).toString('base64')}`;
}

/** One file of the protocol's test vectors. */
export const vectors = async name => expanded(JSON.parse(await readFile(path.join(root, 'docs/protocol', name), 'utf8')));

/** Replaces `{"repeat": "x", "times": 3, "then": "y"}` by the text that it describes. */
function expanded(value) {
  if (Array.isArray(value)) return value.map(expanded);
  if (value === null || typeof value !== 'object') return value;
  if (typeof value.repeat === 'string') return value.repeat.repeat(value.times) + (value.then ?? '');
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, expanded(one)]));
}

/** Resolves after everything that is ready has run. */
export const settled = () => new Promise(resolve => setImmediate(resolve));

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

  /** @param {() => boolean} [enough] stops before the end when it returns true */
  async pass(ms, enough = () => false) {
    const end = this.#now + ms;
    for (;;) {
      const [next] = [...this.#timers].filter(one => one.at <= end).sort((a, b) => a.at - b.at);
      if (!next || enough()) break;
      this.#now = Math.max(this.#now, next.at);
      this.#timers.delete(next);
      next.run();
      await settled();
    }
    if (!enough()) this.#now = end;
    await settled();
  }
}

/** A fake socket; the test is the server. */
class FakeSocket {
  readyState = 0;
  /** Sent messages, parsed. */
  sent = [];
  /** The code with which this side closed it. */
  closed = null;
  onopen = null;
  onmessage = null;
  onclose = null;
  /** Called with the code when this side closes it. */
  whenClosed = () => {};

  send(text) { this.sent.push(JSON.parse(text)); }

  close(code = 1005) {
    this.readyState = 3;
    this.closed = code;
    this.whenClosed(code);
  }
}

const EVENTS = ['welcome', 'resumed', 'message', 'disconnected', 'lost', 'ended'];

/** A session on a virtual clock, and the server's end of each socket that it opens. */
export class World {
  clock = new Clock();
  sockets = [];
  /** Name and detail of each event. */
  events = [];
  /** What the session did with its sockets: `connect`, `close_1000`, or `close` with another code. */
  acts = [];

  constructor(Session, options = {}) {
    const key = { publicKey: 'key', sign: async bytes => `signed ${bytes.length}`, pair: null };
    this.session = new Session({ url: 'ws://x', name: 'Ada', key, clock: this.clock, random: () => 1, open: () => this.#open(), ...options });
    for (const name of EVENTS) this.session.addEventListener(name, ({ detail }) => this.events.push([name, detail]));
  }

  #open() {
    const socket = new FakeSocket();
    socket.whenClosed = code => this.acts.push(code === 1000 ? 'close_1000' : 'close');
    this.sockets.push(socket);
    this.acts.push('connect');
    return socket;
  }

  get socket() { return this.sockets[this.sockets.length - 1]; }

  get sent() { return this.socket.sent.filter(message => message.type !== 'ping'); }

  get eventNames() { return this.events.map(([name]) => name); }

  opened() {
    this.socket.readyState = 1;
    this.socket.onopen?.();
  }

  /** @param {...any} messages objects, or strings to send unchanged */
  async says(...messages) {
    for (const message of messages) {
      this.socket.onmessage?.({ data: typeof message === 'string' ? message : JSON.stringify(message) });
      await settled();
    }
  }

  breaks(code = 1006, reason = '') {
    this.socket.readyState = 3;
    this.socket.onclose?.({ code, reason });
  }
}
