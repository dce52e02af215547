/**
 * The Lunchroom signalling protocol, version 1, for browsers: one session with one server over a WebSocket.
 *
 * A {@link Session} answers the server's challenge, numbers what it sends, keeps it until it is acknowledged, pings, and
 * reconnects when the socket breaks. Nothing that was sent is lost and nothing is delivered twice while the session lives.
 * The module knows no DOM and no WebRTC. PROTOCOL.md is the specification; the Rust client's `signaling::session` follows
 * the same rules, and both run docs/protocol/session.json.
 *
 * ```js
 * import { Session, newDeviceKey } from './protocol.js';
 *
 * const session = new Session({ url: 'wss://lunch.example/', name: 'Ada', key: await newDeviceKey() });
 * const join = () => session.send({ type: 'join', room: 'soup', media: { microphone: true, camera: false } });
 *
 * session.addEventListener('message', ({ detail }) => {
 *   if (detail.type === 'joined') session.send({ type: 'chat', text: 'Hello!' });
 *   if (detail.type === 'chat') console.log(detail.from, detail.text);
 *   if (detail.type === 'error') console.warn(detail.code, 'in answer to message', detail.about);
 * });
 * session.addEventListener('lost', join); // a new session follows: the seat in the room is gone
 * session.addEventListener('ended', ({ detail }) => console.warn(detail.code)); // no more attempts
 * join(); // leaves with the first flight
 *
 * session.close(); // the seat is free at once
 * ```
 *
 * Times are in milliseconds, sizes in bytes of UTF-8. Socket, clock and randomness can be passed in, so that tests need
 * neither a server nor patience.
 * @module
 */

import { wallClock } from './clock.js';
import { iceServers, readable } from './sanitize.js';

/** @typedef {import('./clock.js').Clock} Clock */
/**
 * @typedef {object} DeviceKey  who this device is: an Ed25519 key
 * @property {string} publicKey 32 bytes in base64url, without padding
 * @property {(bytes: Uint8Array) => Promise<string>} sign the signature (RFC 8032), 64 bytes in base64url
 * @property {CryptoKeyPair} pair can be stored in IndexedDB
 */
/** @typedef {{ microphone: boolean, camera: boolean }} MediaState */
/** @typedef {{ type: string, [field: string]: any }} Message  a message of PROTOCOL.md without its envelope */
/**
 * @typedef {object} Cause  why a connection broke, or the session ended
 * @property {string} code an error code of PROTOCOL.md, or one of `server_unreachable` (the socket closed or could not be
 *   opened), `server_silent` (nothing came in time) and `not_a_lunchroom_server` (what came breaks the protocol)
 * @property {string} message for logs, in English; may be empty
 */
/** @typedef {{ seq: number, text: string, bytes: number, join: boolean }} Unacknowledged */
/** @typedef {'deadline' | 'backoff' | 'ping' | 'ack' | 'lost'} Timer */
/**
 * @typedef {object} Socket  as much of a WebSocket as is used
 * @property {(text: string) => void} send
 * @property {(code?: number) => void} close
 * @property {number} readyState 1: open
 * @property {((event: any) => void) | null} onopen
 * @property {((event: { data: any }) => void) | null} onmessage
 * @property {((event: { code: number, reason: string }) => void) | null} onclose
 */
/**
 * @typedef {object} SessionOptions
 * @property {string} url the server: `wss://host[:port]/`
 * @property {string} name what people call this person; the server cleans it
 * @property {DeviceKey} key
 * @property {string} [client] software and version for the server's log, at most 128 bytes
 * @property {(url: string) => Socket} [open] opens a socket
 * @property {Clock} [clock]
 * @property {() => number} [random] at least 0, below 1: spreads reconnecting clients
 */

const VERSION = 1;
const OPEN = 1;
const NONCE_BYTES = 32;
const PING_MS = 5_000;
/** A server from which nothing has come for so long is dead. */
const SILENCE_MS = 10_000;
/** The same after `probe`. */
const PROBE_MS = 2_000;
/** Longest time until a socket is open, from there to the challenge, and from the hello to its answer. */
const HANDSHAKE_MS = 10_000;
/** Received messages are acknowledged after this time, this many messages, or this many bytes, whichever is first. */
const ACK_MS = 1_000, ACK_EVERY = 32, ACK_EVERY_BYTES = 128 * 1024;
/** What is kept until it is acknowledged. When there is more, `send` throws `send_queue_full`. */
const MOST_UNACKNOWLEDGED = 512, MOST_UNACKNOWLEDGED_BYTES = 2 * 1024 * 1024;
const MOST_FRAME_BYTES = 65_536;
/** Room in a frame for its two numbers. */
const ENVELOPE_BYTES = 64;
/** First and longest delay before connecting again. It doubles with each failure, and a random 50 to 100 % of it counts. */
const BACKOFF_MS = 250, LONGEST_BACKOFF_MS = 5_000;
/** Longest wait that a server may ask for. */
const LONGEST_RETRY_MS = 300_000;
/** Longest time for which a server may promise to keep a session. */
const LONGEST_RESUME_MS = 300_000;
/** Errors in the handshake after which another attempt would end the same way, and the close codes that say the same. */
const FINAL = ['malformed', 'unsupported_version', 'bad_signature', 'bad_name', 'replaced'];
const FINAL_CLOSES = new Map([[4003, 'unsupported_version'], [4004, 'bad_signature'], [4006, 'bad_name'], [4014, 'replaced']]);
/** Codes with which this side closes a socket. Only 1000 ends the session and gives the seat away. */
const CLOSE = { normal: 1000, malformed: 4000, timeout: 4013 };

const utf8 = new TextEncoder();

/** @param {ArrayBuffer | Uint8Array} bytes */
const toBase64Url = bytes =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');

/** @param {string} text */
const fromBase64Url = text => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), c => c.charCodeAt(0));

/**
 * Makes an Ed25519 key whose secret half cannot leave the browser.
 * @returns {Promise<DeviceKey>}
 * @throws {DOMException} `NotSupportedError` in a browser without Ed25519
 */
export async function newDeviceKey() {
  return deviceKeyOf(/** @type {CryptoKeyPair} */ (await crypto.subtle.generateKey({ name: 'Ed25519' }, false, ['sign', 'verify'])));
}

/**
 * The device key of a pair that was made before and stored.
 * @param {CryptoKeyPair} pair Ed25519
 * @returns {Promise<DeviceKey>}
 * @throws {DOMException} the public half cannot be exported
 */
export async function deviceKeyOf(pair) {
  return {
    pair,
    publicKey: toBase64Url(await crypto.subtle.exportKey('raw', pair.publicKey)),
    sign: async bytes => toBase64Url(await crypto.subtle.sign({ name: 'Ed25519' }, pair.privateKey, /** @type {BufferSource} */ (bytes))),
  };
}

/** @param {string} url @returns {Socket} */
const webSocket = url => /** @type {Socket} */ (/** @type {unknown} */ (new WebSocket(url)));

/** An event with a detail; node 18 has no `CustomEvent`. */
class DetailEvent extends Event {
  /** @param {string} type @param {any} detail */
  constructor(type, detail) {
    super(type);
    this.detail = detail;
  }
}

/** What `send` throws. @param {string} code */
const refusal = code => Object.assign(new Error(code), { code });

/**
 * A session with one server. It connects at once and goes on until it is closed or the server refuses it for good.
 *
 * Events, in the order in which they happen:
 * - `welcome` (detail: the message `welcome`): a new session has begun;
 * - `resumed` (detail: the message `resumed`): the session goes on after a break, nothing was lost;
 * - `message` (detail: {@link Message}): the server's messages in order, each once, with names and chat fit to show; of
 *   types that this version does not know there are none;
 * - `disconnected` (detail: {@link Cause}): there is no connection, another attempt follows by itself;
 * - `lost`: the session is gone, and with it the seat and everything unacknowledged; a `join` sent now leaves with the
 *   first flight of the next session;
 * - `ended` (detail: {@link Cause}): the server refused for good; nothing follows.
 *
 * ```text
 *            new                     welcome, resumed
 *             │                 ┌──────────────────────┐
 *             ▼                 │                      ▼
 *         connecting ───────────┘                     open
 *           ▲    │ closed, silent, refused for now      │ closed, silent, bye with retry,
 *           │    ▼                                      │ broken protocol
 *         backoff ◄─────────────────────────────────────┘
 *
 *  any ── close, refused for good, bye without retry ──► closed
 * ```
 */
export class Session extends EventTarget {
  /** @param {SessionOptions} options */
  constructor({ url, name, key, client = 'lunchroom-web', open = webSocket, clock = wallClock, random = Math.random }) {
    super();
    this.url = url;
    this.name = name;
    this.key = key;
    this.client = client;
    this.#open = open;
    this.clock = clock;
    this.#random = random;
    /** @type {'connecting' | 'open' | 'backoff' | 'closed'} */
    this.state = 'connecting';
    /** The id by which the server knows the session, from its welcome on. @type {string | null} */
    this.session = null;
    /** For how long the server keeps a broken session, ms. */
    this.resumeMs = 0;
    this.#connect();
  }

  /** @type {(url: string) => Socket} */
  #open;
  /** @type {() => number} */
  #random;
  /** @type {Socket | null} */
  #socket = null;
  /** How far a connection has come; `new` and `resume` are what the hello asked for. @type {'socket' | 'challenge' | 'signing' | 'new' | 'resume'} */
  #stage = 'socket';
  #nextSeq = 1;
  #received = 0;
  /** Received messages, and their bytes, that are not acknowledged yet. */
  #unacked = 0;
  #unackedBytes = 0;
  /** @type {Unacknowledged[]} */
  #outbox = [];
  #outboxBytes = 0;
  /** The last number that left before the welcome. */
  #flown = 0;
  #mostBytes = MOST_FRAME_BYTES;
  #failures = 0;
  #openedAt = 0;
  #brokenAt = 0;
  /** When something came last. */
  #heardAt = 0;
  /** When the first ping left after that. @type {number | null} */
  #askedAt = null;
  #pingAt = 0;
  #nonce = 0;
  /** @type {Map<Timer, () => void>} */
  #timers = new Map();

  /**
   * Sends a message, now or as soon as there is a connection. Before the welcome only a `join` leaves.
   * @param {Message} message
   * @returns {number} its number, which an error `about` it names; 0 when the session has ended and nothing was sent
   * @throws {Error & { code: 'send_queue_full' | 'too_large' }} 512 messages or 2 MiB wait already; no frame holds it
   */
  send(message) {
    if (this.state === 'closed') return 0;
    const text = JSON.stringify(message), bytes = utf8.encode(text).length;
    if (bytes + ENVELOPE_BYTES > this.#mostBytes) throw refusal('too_large');
    if (this.#outbox.length >= MOST_UNACKNOWLEDGED || this.#outboxBytes + bytes > MOST_UNACKNOWLEDGED_BYTES) throw refusal('send_queue_full');
    const item = { seq: this.#nextSeq++, text, bytes, join: message.type === 'join' };
    this.#outbox.push(item);
    this.#outboxBytes += bytes;
    if (this.state === 'open') this.#frame(item);
    else if (this.state === 'connecting' && this.#stage === 'new') this.#fly();
    return item.seq;
  }

  /** Ends the session; the seat is free at once. No event follows. */
  close() {
    this.#drop(CLOSE.normal);
    this.#end();
  }

  /**
   * The network may have changed, or a person wants to try now: connects again at once, and gives an open socket two seconds
   * to show that it lives.
   */
  probe() {
    if (this.state === 'connecting' && this.#stage === 'socket') {
      this.#drop(CLOSE.timeout);
      return this.#connect();
    }
    if (this.state === 'backoff') return this.#connect();
    if (this.state !== 'open') return;
    this.#ping();
    this.#in('deadline', PROBE_MS, () => this.#broken('server_silent', CLOSE.timeout));
  }

  #connect() {
    this.#stop('backoff');
    this.state = 'connecting';
    this.#stage = 'socket';
    this.#flown = 0;
    const socket = this.#socket = this.#open(this.url);
    this.#handshake();
    socket.onopen = () => {
      if (this.#socket !== socket) return;
      this.#stage = 'challenge';
      this.#handshake();
    };
    socket.onmessage = ({ data }) => {
      if (this.#socket === socket) this.#text(data);
    };
    socket.onclose = ({ code, reason }) => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      const final = FINAL_CLOSES.get(code);
      if (final) this.#end({ code: final, message: reason });
      else this.#broken('server_unreachable');
    };
  }

  /** A server that is silent for so long in the handshake is given up and tried again. */
  #handshake() {
    this.#in('deadline', HANDSHAKE_MS, () => this.#broken('server_silent', CLOSE.timeout));
  }

  /** @param {any} data */
  #text(data) {
    this.#heardAt = this.clock.now();
    this.#askedAt = null;
    if (this.state === 'open') this.#stop('deadline');
    /** @type {Message | null} */
    let message = null;
    try {
      message = JSON.parse(data);
    } catch { /* reported below */ }
    if (!message || typeof message !== 'object') return this.#confused();
    if (this.state === 'open') this.#enveloped(message, data);
    else this.#greeted(message);
  }

  /** What comes before the session stands. @param {Message} message */
  #greeted(message) {
    const { type } = message, asked = this.#stage === 'new' || this.#stage === 'resume';
    if (message.seq) return this.#confused();
    if (type === 'challenge' && this.#stage === 'challenge') return void this.#hello(message);
    if (type === 'welcome' && asked) return this.#welcome(message);
    if (type === 'resumed' && this.#stage === 'resume') return this.#resumed(message);
    if (type === 'error' && this.#stage === 'resume' && message.code === 'cannot_resume') {
      // A welcome follows on the same socket; a join in answer to `lost` leaves before it comes.
      this.#stage = 'new';
      this.#handshake();
      return this.#lose();
    }
    if (type === 'error') return this.#refused(message);
    if (type === 'bye') return this.#bye(message);
    this.#confused();
  }

  /** @param {Message} challenge */
  async #hello({ nonce, versions }) {
    const socket = this.#socket;
    if (!Array.isArray(versions) || !versions.includes(VERSION)) {
      this.#drop(CLOSE.normal);
      return this.#end({ code: 'unsupported_version', message: `the server speaks ${versions}` });
    }
    this.#stage = 'signing';
    const signature = await this.#sign(nonce);
    if (this.#socket !== socket) return; // it broke meanwhile
    if (signature === null) return this.#confused();
    const hello = {
      type: 'hello', version: VERSION, key: this.key.publicKey, signature, name: this.name, client: this.client,
      ...(this.session ? { resume: { session: this.session, received: this.#received } } : {}),
    };
    this.#stage = this.session ? 'resume' : 'new';
    this.#stop('lost'); // the server decides now whether there is a session
    this.#raw(hello);
    this.#handshake();
    if (this.#stage === 'new') this.#fly();
  }

  /** @param {any} nonce @returns {Promise<string | null>} null for what is no nonce */
  async #sign(nonce) {
    try {
      const bytes = fromBase64Url(nonce);
      if (bytes.length !== NONCE_BYTES) return null;
      return await this.key.sign(Uint8Array.from([...utf8.encode(`lunchroom-hello-v${VERSION}\0`), ...bytes]));
    } catch {
      return null;
    }
  }

  /** Sends the joins at the head of the queue: the only message that does no harm when it comes twice. */
  #fly() {
    for (const item of this.#outbox) {
      if (item.seq <= this.#flown) continue;
      if (!item.join) return;
      this.#flown = item.seq;
      this.#frame(item);
    }
  }

  /** @param {Message} message */
  #welcome(message) {
    if (this.#stage === 'resume') {
      this.#stage = 'new';
      this.#lose(); // a join in answer to it leaves at once
    }
    this.session = String(message.session);
    this.resumeMs = Math.min(Number(message.resume_ms) || 0, LONGEST_RESUME_MS);
    this.#mostBytes = Math.min(Number(message.limits?.max_message_bytes) || MOST_FRAME_BYTES, MOST_FRAME_BYTES);
    this.#opened(this.#flown);
    this.#emit('welcome', { ...message, ice_servers: iceServers(message.ice_servers) });
  }

  /** @param {Message} message */
  #resumed(message) {
    const { received } = message;
    // A count below what the server has acknowledged already is as impossible as one above what was sent.
    if (received < this.#nextSeq - 1 - this.#outbox.length || !this.#acknowledged(received)) {
      this.#lose();
      return this.#confused();
    }
    this.#opened(received);
    this.#emit('resumed', { ...message, ice_servers: iceServers(message.ice_servers) });
  }

  /** Sends what is queued after this number. @param {number} sent */
  #opened(sent) {
    this.state = 'open';
    this.#openedAt = this.clock.now();
    this.#stop('deadline', 'lost');
    for (const item of [...this.#outbox]) if (item.seq > sent) this.#frame(item);
    this.#pingAt = this.#openedAt + PING_MS;
    this.#in('ping', PING_MS, () => this.#tick());
  }

  /** @param {Message} message @param {string} data its frame */
  #enveloped(message, data) {
    const { seq = 0, ack = 0, ...rest } = message, body = /** @type {Message} */ (rest);
    if (!this.#acknowledged(ack)) return this.#confused();
    if (!Number.isSafeInteger(seq) || seq < 0 || seq > this.#received + 1) return this.#confused();
    const isDuplicate = seq > 0 && seq <= this.#received;
    if (seq > this.#received) this.#received = seq;
    // A duplicate is acknowledged too: the server has not seen the acknowledgement.
    if (seq > 0) this.#owe(utf8.encode(data).length);
    if (isDuplicate) return;
    switch (body.type) {
      case 'ping':
      case 'pong':
      case 'ack': return;
      case 'bye': return this.#bye(body);
      case 'challenge':
      case 'welcome':
      case 'resumed': return this.#confused();
    }
    if (seq === 0 && body.type !== 'error') return this.#confused(); // could come twice
    const read = readable(body);
    if (read) this.#emit('message', read);
  }

  /** An error in the handshake. @param {Message} error */
  #refused({ code, message = '' }) {
    if (FINAL.includes(code)) {
      this.#drop(CLOSE.normal);
      return this.#end({ code, message });
    }
    this.#broken(code, CLOSE.timeout, message);
  }

  /** @param {Message} bye */
  #bye({ code, message = '', retry_after_ms: wait }) {
    this.#drop(CLOSE.normal);
    if (wait === undefined || wait === null) return this.#end({ code, message });
    // The session is over; whatever was not acknowledged went with it.
    const had = this.session !== null;
    this.#broken(code, undefined, message, Math.min(Number(wait) || 0, LONGEST_RETRY_MS));
    if (had) this.#lose();
  }

  /** What came is not this protocol, or the two have lost each other's count. */
  #confused() {
    this.#broken('not_a_lunchroom_server', CLOSE.malformed);
  }

  /** @param {any} ack @returns {boolean} false for what was never sent */
  #acknowledged(ack) {
    if (!Number.isSafeInteger(ack) || ack < 0 || ack >= this.#nextSeq) return false;
    while (this.#outbox.length && this.#outbox[0].seq <= ack) this.#outboxBytes -= this.#outbox.shift()?.bytes ?? 0;
    return true;
  }

  /** A message came that is to be acknowledged. @param {number} bytes */
  #owe(bytes) {
    this.#unacked += 1;
    this.#unackedBytes += bytes;
    if (this.#unacked >= ACK_EVERY || this.#unackedBytes >= ACK_EVERY_BYTES) this.#ack();
    else if (!this.#timers.has('ack')) this.#in('ack', ACK_MS, () => this.#ack());
  }

  #ack() {
    if (this.state === 'open' && this.#unacked) this.#raw({ seq: 0, ack: this.#received, type: 'ack' });
    this.#paid();
  }

  /** A frame with an acknowledgement has left. */
  #paid() {
    this.#unacked = 0;
    this.#unackedBytes = 0;
    this.#stop('ack');
  }

  #tick() {
    const now = this.clock.now();
    if (now >= this.#silentAt()) return this.#broken('server_silent', CLOSE.timeout);
    if (now >= this.#pingAt) this.#ping();
    this.#in('ping', Math.min(this.#pingAt, this.#silentAt()) - now, () => this.#tick());
  }

  /** Browsers slow the timers of hidden pages: only a server that was asked, and had time to answer, can be silent. */
  #silentAt() {
    return this.#askedAt === null ? Infinity : Math.max(this.#heardAt + SILENCE_MS, this.#askedAt + PING_MS);
  }

  #ping() {
    const now = this.clock.now();
    this.#askedAt ??= now;
    this.#pingAt = now + PING_MS;
    this.#raw({ seq: 0, ack: this.#received, type: 'ping', nonce: this.#nonce++ });
    this.#paid();
  }

  /** @param {Unacknowledged} item */
  #frame({ seq, text }) {
    if (this.#socket?.readyState !== OPEN) return; // its close event follows; the next connection sends this again
    this.#socket.send(`{"seq":${seq},"ack":${this.#received},${text.slice(1)}`);
    this.#paid();
  }

  /** @param {object} message */
  #raw(message) {
    if (this.#socket?.readyState === OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** Lets the socket go. @param {number} [close] */
  #drop(close) {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(close);
  }

  /**
   * The connection is gone; another attempt follows.
   * @param {string} code
   * @param {number} [close] with which the socket is closed, if it is still open
   * @param {string} [message]
   * @param {number} [least] shortest wait, ms
   */
  #broken(code, close, message = '', least = 0) {
    if (this.state === 'closed' || this.state === 'backoff') return;
    this.#drop(close);
    this.#stop('deadline', 'ping', 'ack');
    const now = this.clock.now(), wasOpen = this.state === 'open';
    if (wasOpen) {
      this.#brokenAt = now;
      // A server that accepts and drops us at once must not be asked four times a second for ever.
      if (now - this.#openedAt >= LONGEST_BACKOFF_MS) this.#failures = 0;
    }
    this.state = 'backoff';
    this.#unacked = 0;
    this.#unackedBytes = 0;
    const longest = Math.min(BACKOFF_MS * 2 ** Math.min(this.#failures++, 16), LONGEST_BACKOFF_MS);
    this.#in('backoff', least + longest * (0.5 + this.#random() / 2), () => this.#connect());
    if (this.session) this.#in('lost', Math.max(0, this.#brokenAt + this.resumeMs - now), () => this.#lose());
    this.#emit('disconnected', { code, message });
  }

  /** Forgets the session, if there was one. What was queued before the first welcome is kept. */
  #lose() {
    this.#stop('lost');
    if (!this.session) return;
    this.session = null;
    this.#nextSeq = 1;
    this.#received = 0;
    this.#flown = 0;
    this.#outbox = [];
    this.#outboxBytes = 0;
    this.#paid();
    this.#emit('lost');
  }

  /** @param {Cause} [cause] */
  #end(cause) {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.session = null;
    this.#socket = null;
    this.#stop(...this.#timers.keys());
    if (cause) this.#emit('ended', cause);
  }

  /** @param {Timer} name @param {number} ms @param {() => void} run */
  #in(name, ms, run) {
    this.#stop(name);
    this.#timers.set(name, this.clock.after(Math.max(0, ms), () => {
      this.#timers.delete(name);
      run();
    }));
  }

  /** @param {...Timer} names */
  #stop(...names) {
    for (const name of names) {
      this.#timers.get(name)?.();
      this.#timers.delete(name);
    }
  }

  /** @param {string} event @param {any} [detail] */
  #emit(event, detail) {
    this.dispatchEvent(new DetailEvent(event, detail));
  }
}
