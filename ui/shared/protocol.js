/**
 * The Lunchroom signalling protocol, version 1, for browsers: one session with one server over a WebSocket.
 *
 * A {@link Session} answers the server's challenge, numbers its messages and keeps each one until the server acknowledges
 * it, sends pings, and reconnects after the connection breaks. While the session lives, each message arrives exactly once
 * and in order. The module uses neither the DOM nor WebRTC. PROTOCOL.md is the specification. The Rust client's
 * `signaling::session` follows the same rules, and both run docs/protocol/session.json.
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
 *   if (detail.type === 'error') console.warn(detail.code, 'about message', detail.about);
 * });
 * session.addEventListener('lost', join); // the next session begins without a seat
 * session.addEventListener('ended', ({ detail }) => console.warn(detail.code)); // there is no further attempt
 * join(); // is sent right after the hello
 *
 * session.close(); // frees the seat immediately
 * ```
 *
 * Times are in milliseconds, sizes in bytes of UTF-8. The socket, the clock and the random source are parameters, so that
 * tests need neither a server nor real time.
 * @module
 */

import { fromBase64Url, toBase64Url } from './base64url.js';
import { wallClock } from './clock.js';
import { iceServers, sanitizeMessage } from './sanitize.js';

/** @typedef {import('./clock.js').Clock} Clock */
/**
 * @typedef {object} DeviceKey  the Ed25519 key that identifies this device
 * @property {string} publicKey 32 bytes in base64url, without padding
 * @property {(bytes: Uint8Array) => Promise<string>} sign returns the signature (RFC 8032): 64 bytes in base64url
 * @property {CryptoKeyPair} pair the key pair, which IndexedDB can store
 */
/** @typedef {{ type: string, [field: string]: any }} Message  a message of PROTOCOL.md without `seq` and `ack` */
/**
 * @typedef {object} Cause  why a connection broke, or why the session ended
 * @property {string} code an error code of PROTOCOL.md, or `server_unreachable` (the socket closed or did not open),
 *   `server_silent` (a timeout) or `not_a_lunchroom_server` (the server violated the protocol)
 * @property {string} message English text for logs; may be empty
 */
/** @typedef {{ seq: number, text: string, bytes: number, isJoin: boolean }} Unacknowledged  a sent message and its JSON */
/** @typedef {'deadline' | 'backoff' | 'ping' | 'ack' | 'lost'} Timer */
/**
 * @typedef {object} Socket  the part of the WebSocket interface that a session uses
 * @property {(text: string) => void} send
 * @property {(code?: number) => void} close
 * @property {number} readyState 1: open
 * @property {((event: any) => void) | null} onopen
 * @property {((event: { data: any }) => void) | null} onmessage
 * @property {((event: { code: number, reason: string }) => void) | null} onclose
 */
/**
 * @typedef {object} SessionOptions
 * @property {string} url the server's address: `wss://host[:port]/`
 * @property {string} name the person's display name; the server cleans it
 * @property {DeviceKey} key
 * @property {CryptoKey} [member] the community's secret, from {@link memberKeyOf}; absent: the person is a guest of a
 *   server that has one
 * @property {string[]} [features] what the client can do beyond version 1, such as `forwarding`
 * @property {string} [client] software and version for the server's log, at most 128 bytes
 * @property {(url: string) => Socket} [open] opens a socket; by default a WebSocket
 * @property {Clock} [clock] by default the machine's monotonic clock
 * @property {() => number} [random] returns a number from 0 up to but not including 1, to spread the clients that reconnect
 */

const VERSION = 1;
const OPEN = 1;
const NONCE_BYTES = 32;
const PING_MS = 5_000;
/** The connection is dead if nothing was received for this time. */
const SILENCE_MS = 10_000;
/** The same after `probe`. */
const PROBE_MS = 1_500;
/** Timeout of each step: opening the socket, waiting for the challenge, and waiting for the answer to the hello. */
const HANDSHAKE_MS = 10_000;
/** Received messages are acknowledged after this time, this number of messages, or this number of bytes, whichever comes first. */
const ACK_MS = 1_000, ACK_EVERY = 32, ACK_EVERY_BYTES = 128 * 1024;
/** Bounds of the unacknowledged messages. Beyond them `send` throws `send_queue_full`. */
const MAX_UNACKNOWLEDGED = 512, MAX_UNACKNOWLEDGED_BYTES = 2 * 1024 * 1024;
const MAX_FRAME_BYTES = 65_536;
/** Space for `seq` and `ack` in a frame. */
const ENVELOPE_BYTES = 64;
/** First and longest backoff. It doubles with each failure, and a random 50 to 100 % of it is used. */
const BACKOFF_MS = 250, MAX_BACKOFF_MS = 4_000, BACKOFF_RESET_MS = 5_000;
/** Upper bound of the server's `retry_after_ms`. */
const MAX_RETRY_MS = 300_000;
/** Upper bound of the server's `resume_ms`. */
const MAX_RESUME_MS = 300_000;
/** Handshake errors after which a further attempt would fail the same way, and the close codes with the same meaning. */
const FINAL = ['malformed', 'unsupported_version', 'bad_signature', 'bad_name', 'replaced', 'device_removed'];
const FINAL_CLOSES = new Map([[4003, 'unsupported_version'], [4004, 'bad_signature'], [4006, 'bad_name'], [4014, 'replaced'], [4034, 'device_removed']]);
/** Close codes that this side sends. Only 1000 ends the session and frees the seat. */
const CLOSE = { normal: 1000, malformed: 4000, timeout: 4013 };

const utf8 = new TextEncoder();

/**
 * Generates an Ed25519 key whose private key cannot be exported from the browser.
 * @returns {Promise<DeviceKey>}
 * @throws {DOMException} `NotSupportedError` in a browser without Ed25519
 */
export async function newDeviceKey() {
  return deviceKeyOf(/** @type {CryptoKeyPair} */ (await crypto.subtle.generateKey({ name: 'Ed25519' }, false, ['sign', 'verify'])));
}

/**
 * Returns the device key for a stored key pair.
 * @param {CryptoKeyPair} pair an Ed25519 key pair with an extractable public key
 * @returns {Promise<DeviceKey>}
 * @throws {DOMException} `InvalidAccessError` if the public key cannot be exported
 */
export async function deviceKeyOf(pair) {
  return {
    pair,
    publicKey: toBase64Url(await crypto.subtle.exportKey('raw', pair.publicKey)),
    sign: async bytes => toBase64Url(await crypto.subtle.sign({ name: 'Ed25519' }, pair.privateKey, /** @type {BufferSource} */ (bytes))),
  };
}

const HMAC = { name: 'HMAC', hash: 'SHA-256' };

/**
 * Returns the key that proves that a person knows the community's secret. The secret cannot be read from it, and IndexedDB
 * can store it.
 * @param {string} secret not empty
 * @returns {Promise<CryptoKey>}
 */
export const memberKeyOf = secret => crypto.subtle.importKey('raw', utf8.encode(secret), HMAC, false, ['sign']);

/**
 * Returns the proof of membership in a hello.
 * @param {CryptoKey} member see {@link memberKeyOf} @param {Uint8Array} nonce the server's @param {string} publicKey in base64url
 */
export async function memberProof(member, nonce, publicKey) {
  const bytes = Uint8Array.from([...utf8.encode(`lunchroom-member-v${VERSION}\0`), ...nonce, ...fromBase64Url(publicKey)]);
  return toBase64Url(await crypto.subtle.sign(HMAC, member, bytes));
}

/** @param {string} url @returns {Socket} */
const webSocket = url => /** @type {Socket} */ (/** @type {unknown} */ (new WebSocket(url)));

/** An event with a detail. Node 18 has no `CustomEvent`. */
class DetailEvent extends Event {
  /** @param {string} type @param {any} detail */
  constructor(type, detail) {
    super(type);
    this.detail = detail;
  }
}

/** Returns the error that `send` throws. @param {string} code */
const sendError = code => Object.assign(new Error(code), { code });

/**
 * A session with one server. It connects immediately, and reconnects until it is closed or the server ends it.
 *
 * Events, in the order in which they happen:
 * - `welcome` (detail: the message `welcome`): a new session has begun;
 * - `resumed` (detail: the message `resumed`): the session continues after an interruption, without loss;
 * - `message` (detail: {@link Message}): the server's messages, each once and in order, with names and chat sanitized;
 *   messages of unknown types are skipped;
 * - `disconnected` (detail: {@link Cause}): the connection broke, and the session reconnects automatically;
 * - `lost` (no detail): the session no longer exists, nor do its seat and its unacknowledged messages; a `join` sent now
 *   follows the hello of the next session;
 * - `ended` (detail: {@link Cause}): the server ended the session; no event follows.
 *
 * ```text
 *            new                     welcome, resumed
 *             │                 ┌──────────────────────┐
 *             ▼                 │                      ▼
 *         connecting ───────────┘                     open
 *           ▲    │ socket closed, timeout,              │ socket closed, timeout,
 *           │    ▼ temporary error, bye with retry      │ protocol error, bye with retry
 *         backoff ◄─────────────────────────────────────┘
 *
 *  any ── close(), final error, bye without retry ──► closed
 * ```
 */
export class Session extends EventTarget {
  /** @param {SessionOptions} options */
  constructor({ url, name, key, member, features = [], client = 'lunchroom-web', open = webSocket, clock = wallClock, random = Math.random }) {
    super();
    this.url = url;
    this.name = name;
    this.key = key;
    this.member = member;
    this.client = client;
    this.features = features;
    this.#open = open;
    this.clock = clock;
    this.#random = random;
    /** @type {'connecting' | 'open' | 'backoff' | 'closed'} */
    this.state = 'connecting';
    /** The id of the session on the server; null before the first welcome. @type {string | null} */
    this.session = null;
    /** How long the server keeps the session after the connection breaks, ms. */
    this.resumeMs = 0;
    this.#connect();
  }

  /** @type {(url: string) => Socket} */
  #open;
  /** @type {() => number} */
  #random;
  /** @type {Socket | null} */
  #socket = null;
  /** The step of the handshake. `new` and `resume`: the hello requested it and its answer is awaited. @type {'socket' | 'challenge' | 'signing' | 'new' | 'resume'} */
  #stage = 'socket';
  /** The `seq` of the next message to send. */
  #nextSeq = 1;
  /** The `seq` of the last message received. */
  #received = 0;
  /** Number and bytes of received messages that are not acknowledged yet. */
  #unacked = 0;
  #unackedBytes = 0;
  /** Sent or queued messages that the server has not acknowledged, in the order of `seq`. @type {Unacknowledged[]} */
  #outbox = [];
  #outboxBytes = 0;
  /** The `seq` of the last message sent before the welcome on this connection; 0: none. */
  #earlySeq = 0;
  #maxFrameBytes = MAX_FRAME_BYTES;
  /** Failed attempts since the last stable connection. */
  #failures = 0;
  #openedAt = 0;
  #disconnectedAt = 0;
  #lastReceivedAt = 0;
  /** When the first ping was sent after the last receipt; null: none. @type {number | null} */
  #pingSentAt = null;
  #nextPingAt = 0;
  #nonce = 0;
  /** @type {Map<Timer, () => void>} */
  #timers = new Map();

  /**
   * Sends a message, or queues it until the session is open. Only a `join` is sent before the welcome.
   * @param {Message} message
   * @returns {number} the message's `seq`, to which `about` of an error refers; 0 if the session has ended and nothing was sent
   * @throws {Error & { code: 'send_queue_full' | 'too_large' }} `send_queue_full`: 512 messages or 2 MiB are
   *   unacknowledged; `too_large`: the message does not fit into a frame
   */
  send(message) {
    if (this.state === 'closed') return 0;
    const text = JSON.stringify(message), bytes = utf8.encode(text).length;
    if (bytes + ENVELOPE_BYTES > this.#maxFrameBytes) throw sendError('too_large');
    if (this.#outbox.length >= MAX_UNACKNOWLEDGED || this.#outboxBytes + bytes > MAX_UNACKNOWLEDGED_BYTES) throw sendError('send_queue_full');
    const item = { seq: this.#nextSeq++, text, bytes, isJoin: message.type === 'join' };
    this.#outbox.push(item);
    this.#outboxBytes += bytes;
    if (this.state === 'open') this.#sendItem(item);
    else if (this.state === 'connecting' && this.#stage === 'new') this.#sendEarlyJoins();
    return item.seq;
  }

  /** Ends the session and frees the seat immediately. No event follows. */
  close() {
    this.#closeSocket(CLOSE.normal);
    this.#end();
  }

  /**
   * Tests the connection after a possible change of network, or when a person asks to try again. During backoff, or while
   * the socket opens, it connects immediately. An open session sends a ping and reconnects if nothing arrives within
   * two seconds.
   */
  probe() {
    if (this.state === 'connecting' && this.#stage === 'socket') {
      this.#closeSocket(CLOSE.timeout);
      return this.#connect();
    }
    if (this.state === 'backoff') return this.#connect();
    if (this.state !== 'open') return;
    this.#ping();
    this.#setTimer('deadline', PROBE_MS, () => this.#disconnect('server_silent', CLOSE.timeout));
  }

  #connect() {
    this.#clearTimers('backoff');
    this.state = 'connecting';
    this.#stage = 'socket';
    this.#earlySeq = 0;
    const socket = this.#socket = this.#open(this.url);
    this.#startHandshakeTimer();
    socket.onopen = () => {
      if (this.#socket !== socket) return;
      this.#stage = 'challenge';
      this.#startHandshakeTimer();
    };
    socket.onmessage = ({ data }) => {
      if (this.#socket === socket) this.#handleFrame(data);
    };
    socket.onclose = ({ code, reason }) => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      const final = FINAL_CLOSES.get(code);
      if (final) this.#end({ code: final, message: reason });
      else this.#disconnect('server_unreachable');
    };
  }

  /** Starts the timeout of one step of the handshake. */
  #startHandshakeTimer() {
    this.#setTimer('deadline', HANDSHAKE_MS, () => this.#disconnect('server_silent', CLOSE.timeout));
  }

  /** @param {any} data the frame: JSON text, or anything else that a server sends */
  #handleFrame(data) {
    this.#lastReceivedAt = this.clock.now();
    this.#pingSentAt = null;
    if (this.state === 'open') this.#clearTimers('deadline');
    /** @type {Message | null} */
    let message = null;
    try {
      message = JSON.parse(data);
    } catch { /* reported below */ }
    if (!message || typeof message !== 'object') return this.#protocolError();
    if (this.state === 'open') this.#handleMessage(message, data);
    else this.#handleHandshake(message);
  }

  /** @param {Message} message */
  #handleHandshake(message) {
    const { type } = message, isHelloSent = this.#stage === 'new' || this.#stage === 'resume';
    if (message.seq) return this.#protocolError();
    if (type === 'challenge' && this.#stage === 'challenge') return void this.#hello(message);
    if (type === 'welcome' && isHelloSent) return this.#welcome(message);
    if (type === 'resumed' && this.#stage === 'resume') return this.#resumed(message);
    if (type === 'error' && this.#stage === 'resume' && message.code === 'cannot_resume') {
      // The welcome follows on the same socket. A join sent in a listener of `lost` precedes it.
      this.#stage = 'new';
      this.#startHandshakeTimer();
      return this.#loseSession();
    }
    if (type === 'error') return this.#handshakeError(message);
    if (type === 'bye') return this.#bye(message);
    this.#protocolError();
  }

  /** @param {Message} challenge */
  async #hello({ nonce, versions }) {
    const socket = this.#socket;
    if (!Array.isArray(versions) || !versions.includes(VERSION)) {
      this.#closeSocket(CLOSE.normal);
      return this.#end({ code: 'unsupported_version', message: `the server speaks ${versions}` });
    }
    this.#stage = 'signing';
    const proofs = await this.#sign(nonce);
    if (this.#socket !== socket) return; // the connection broke while the key signed
    if (proofs === null) return this.#protocolError();
    const hello = {
      type: 'hello', version: VERSION, key: this.key.publicKey, ...proofs, name: this.name, client: this.client,
      ...(this.features.length ? { features: this.features } : {}),
      ...(this.session ? { resume: { session: this.session, received: this.#received } } : {}),
    };
    this.#stage = this.session ? 'resume' : 'new';
    this.#clearTimers('lost'); // from here on the server decides whether the session still exists
    this.#sendUnnumbered(hello);
    this.#startHandshakeTimer();
    if (this.#stage === 'new') this.#sendEarlyJoins();
  }

  /** Signs the server's nonce. @param {any} nonce 32 bytes in base64url @returns {Promise<{ signature: string, member?: string } | null>} null if the nonce is malformed */
  async #sign(nonce) {
    try {
      const bytes = fromBase64Url(nonce);
      if (bytes.length !== NONCE_BYTES) return null;
      const signature = await this.key.sign(Uint8Array.from([...utf8.encode(`lunchroom-hello-v${VERSION}\0`), ...bytes]));
      return this.member ? { signature, member: await memberProof(this.member, bytes, this.key.publicKey) } : { signature };
    } catch {
      return null;
    }
  }

  /** Sends the joins at the head of the queue before the welcome. Only a join may arrive twice without harm. */
  #sendEarlyJoins() {
    for (const item of this.#outbox) {
      if (item.seq <= this.#earlySeq) continue;
      if (!item.isJoin) return;
      this.#earlySeq = item.seq;
      this.#sendItem(item);
    }
  }

  /** @param {Message} message */
  #welcome(message) {
    if (this.#stage === 'resume') {
      this.#stage = 'new';
      this.#loseSession(); // a join sent in a listener of `lost` is sent immediately
    }
    this.session = String(message.session);
    this.resumeMs = Math.min(Number(message.resume_ms) || 0, MAX_RESUME_MS);
    this.#maxFrameBytes = Math.min(Number(message.limits?.max_message_bytes) || MAX_FRAME_BYTES, MAX_FRAME_BYTES);
    this.#startOpen(this.#earlySeq);
    this.#emit('welcome', { ...message, ice_servers: iceServers(message.ice_servers) });
  }

  /** @param {Message} message */
  #resumed(message) {
    const { received } = message;
    // The count can be neither below what the server has acknowledged nor above what was sent.
    if (received < this.#nextSeq - 1 - this.#outbox.length || !this.#handleAck(received)) {
      this.#loseSession();
      return this.#protocolError();
    }
    this.#startOpen(received);
    this.#emit('resumed', { ...message, ice_servers: iceServers(message.ice_servers) });
  }

  /** Opens the session and sends the queued messages after `sent`. @param {number} sent the last `seq` that need not be sent */
  #startOpen(sent) {
    this.state = 'open';
    this.#openedAt = this.clock.now();
    this.#clearTimers('deadline', 'lost');
    for (const item of [...this.#outbox]) if (item.seq > sent) this.#sendItem(item);
    this.#nextPingAt = this.#openedAt + PING_MS;
    this.#setTimer('ping', PING_MS, () => this.#checkAlive());
  }

  /** @param {Message} message @param {string} data the message's frame */
  #handleMessage(message, data) {
    const { seq = 0, ack = 0, ...rest } = message, body = /** @type {Message} */ (rest);
    if (!this.#handleAck(ack)) return this.#protocolError();
    if (!Number.isSafeInteger(seq) || seq < 0 || seq > this.#received + 1) return this.#protocolError();
    const isDuplicate = seq > 0 && seq <= this.#received;
    if (seq > this.#received) this.#received = seq;
    // A duplicate is acknowledged, too: the first acknowledgement did not reach the server.
    if (seq > 0) this.#scheduleAck(utf8.encode(data).length);
    if (isDuplicate) return;
    switch (body.type) {
      case 'ping':
      case 'pong':
      case 'ack': return;
      case 'bye': return this.#bye(body);
      case 'challenge':
      case 'welcome':
      case 'resumed': return this.#protocolError();
    }
    if (seq === 0 && body.type !== 'error') return this.#protocolError(); // without a number it could arrive twice
    const sanitized = sanitizeMessage(body);
    if (sanitized) this.#emit('message', sanitized);
  }

  /** @param {Message} error */
  #handshakeError({ code, message = '' }) {
    if (FINAL.includes(code)) {
      this.#closeSocket(CLOSE.normal);
      return this.#end({ code, message });
    }
    this.#disconnect(code, CLOSE.timeout, message);
  }

  /** @param {Message} bye */
  #bye({ code, message = '', retry_after_ms: wait }) {
    this.#closeSocket(CLOSE.normal);
    if (wait === undefined || wait === null) return this.#end({ code, message });
    // A bye ends the session. Its unacknowledged messages are lost.
    const hadSession = this.session !== null;
    this.#disconnect(code, undefined, message, Math.min(Number(wait) || 0, MAX_RETRY_MS));
    if (hadSession) this.#loseSession();
  }

  /** Disconnects after a malformed message, or a number that does not fit the sequence. */
  #protocolError() {
    this.#disconnect('not_a_lunchroom_server', CLOSE.malformed);
  }

  /** Removes acknowledged messages. @param {any} ack @returns {boolean} false if no message with this `seq` was sent */
  #handleAck(ack) {
    if (!Number.isSafeInteger(ack) || ack < 0 || ack >= this.#nextSeq) return false;
    while (this.#outbox.length && this.#outbox[0].seq <= ack) this.#outboxBytes -= this.#outbox.shift()?.bytes ?? 0;
    return true;
  }

  /** Counts a received message, and sends or schedules its acknowledgement. @param {number} bytes size of its frame */
  #scheduleAck(bytes) {
    this.#unacked += 1;
    this.#unackedBytes += bytes;
    if (this.#unacked >= ACK_EVERY || this.#unackedBytes >= ACK_EVERY_BYTES) this.#sendAck();
    else if (!this.#timers.has('ack')) this.#setTimer('ack', ACK_MS, () => this.#sendAck());
  }

  #sendAck() {
    if (this.state === 'open' && this.#unacked) this.#sendUnnumbered({ seq: 0, ack: this.#received, type: 'ack' });
    this.#clearPendingAck();
  }

  /** Resets the pending acknowledgement. Each sent frame carries one. */
  #clearPendingAck() {
    this.#unacked = 0;
    this.#unackedBytes = 0;
    this.#clearTimers('ack');
  }

  /** Disconnects from a silent server, or sends the next ping. */
  #checkAlive() {
    const now = this.clock.now();
    if (now >= this.#silentAt()) return this.#disconnect('server_silent', CLOSE.timeout);
    if (now >= this.#nextPingAt) this.#ping();
    this.#setTimer('ping', Math.min(this.#nextPingAt, this.#silentAt()) - now, () => this.#checkAlive());
  }

  /**
   * Returns when the server counts as silent, in ms of the clock. Browsers throttle the timers of hidden pages, so the
   * server must have received a ping and have had time to answer it.
   */
  #silentAt() {
    return this.#pingSentAt === null ? Infinity : Math.max(this.#lastReceivedAt + SILENCE_MS, this.#pingSentAt + PING_MS);
  }

  #ping() {
    const now = this.clock.now();
    this.#pingSentAt ??= now;
    this.#nextPingAt = now + PING_MS;
    this.#sendUnnumbered({ seq: 0, ack: this.#received, type: 'ping', nonce: this.#nonce++ });
    this.#clearPendingAck();
  }

  /** @param {Unacknowledged} item */
  #sendItem({ seq, text }) {
    if (this.#socket?.readyState !== OPEN) return; // the close event follows, and the next connection sends the item
    this.#socket.send(`{"seq":${seq},"ack":${this.#received},${text.slice(1)}`);
    this.#clearPendingAck();
  }

  /** Sends a message that is neither queued nor numbered. @param {object} message */
  #sendUnnumbered(message) {
    if (this.#socket?.readyState === OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** Closes the socket and ignores its further events. @param {number} [code] the close code */
  #closeSocket(code) {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(code);
  }

  /**
   * Ends the connection and schedules the next attempt.
   * @param {string} code see {@link Cause}
   * @param {number} [close] the close code of a socket that is still open
   * @param {string} [message]
   * @param {number} [retryAfterMs] the server's minimum wait, added to the backoff, ms
   */
  #disconnect(code, close, message = '', retryAfterMs = 0) {
    if (this.state === 'closed' || this.state === 'backoff') return;
    this.#closeSocket(close);
    this.#clearTimers('deadline', 'ping', 'ack');
    const now = this.clock.now(), wasOpen = this.state === 'open';
    if (wasOpen) {
      this.#disconnectedAt = now;
      // Keep the backoff for a server that accepts and then drops each connection.
      if (now - this.#openedAt >= BACKOFF_RESET_MS) this.#failures = 0;
    }
    this.state = 'backoff';
    this.#unacked = 0;
    this.#unackedBytes = 0;
    const backoff = Math.min(BACKOFF_MS * 2 ** Math.min(this.#failures++, 16), MAX_BACKOFF_MS);
    this.#setTimer('backoff', retryAfterMs + backoff * (0.5 + this.#random() / 2), () => this.#connect());
    if (this.session) this.#setTimer('lost', Math.max(0, this.#disconnectedAt + this.resumeMs - now), () => this.#loseSession());
    this.#emit('disconnected', { code, message });
  }

  /** Discards the session, if one exists. Messages queued before the first welcome are kept. */
  #loseSession() {
    this.#clearTimers('lost');
    if (!this.session) return;
    this.session = null;
    this.#nextSeq = 1;
    this.#received = 0;
    this.#earlySeq = 0;
    this.#outbox = [];
    this.#outboxBytes = 0;
    this.#clearPendingAck();
    this.#emit('lost');
  }

  /** Closes for good. @param {Cause} [cause] absent: `close` was called, and there is no event */
  #end(cause) {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.session = null;
    this.#socket = null;
    this.#clearTimers(...this.#timers.keys());
    if (cause) this.#emit('ended', cause);
  }

  /** Sets a timer, and replaces one with the same name. @param {Timer} name @param {number} ms @param {() => void} run */
  #setTimer(name, ms, run) {
    this.#clearTimers(name);
    this.#timers.set(name, this.clock.after(Math.max(0, ms), () => {
      this.#timers.delete(name);
      run();
    }));
  }

  /** @param {...Timer} names */
  #clearTimers(...names) {
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
