// The signalling protocol (PROTOCOL.md) for browsers: a session that answers the challenge, numbers what it says,
// and goes on over a new socket when one breaks. It knows no DOM and no WebRTC.

/** @typedef {{ publicKey: string, sign: (bytes: Uint8Array) => Promise<string>, pair: CryptoKeyPair }} DeviceKey */
/** @typedef {{ microphone: boolean, camera: boolean }} MediaState */
/** @typedef {{ type: string, [field: string]: any }} Message */
/** @typedef {{ seq: number, text: string }} Unacknowledged */

const VERSION = 1;
const PING_MS = 5_000;
const SILENCE_MS = 10_000;
const ACK_MS = 1_000;
const ACK_EVERY = 32;
const MOST_UNACKNOWLEDGED = 512;
const BACKOFF_MS = [250, 5_000];

/** @param {ArrayBuffer | Uint8Array} bytes */
const toBase64Url = bytes =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');

/** @param {string} text */
const fromBase64Url = text => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), c => c.charCodeAt(0));

/**
 * A new Ed25519 key whose secret half cannot leave the browser.
 * @returns {Promise<DeviceKey>}
 */
export async function newDeviceKey() {
  return deviceKeyOf(/** @type {CryptoKeyPair} */ (await crypto.subtle.generateKey({ name: 'Ed25519' }, false, ['sign', 'verify'])));
}

/**
 * A key that was made before and kept.
 * @param {CryptoKeyPair} pair
 * @returns {Promise<DeviceKey>}
 */
export async function deviceKeyOf(pair) {
  return {
    pair,
    publicKey: toBase64Url(await crypto.subtle.exportKey('raw', pair.publicKey)),
    sign: async bytes => toBase64Url(await crypto.subtle.sign({ name: 'Ed25519' }, pair.privateKey, /** @type {BufferSource} */ (bytes))),
  };
}

/**
 * A session with one server. Events: `welcome` and `resumed` (detail: the message), `message` (detail: the message),
 * `disconnected`, `lost` (the server has forgotten us: join again), `ended` (detail: the error; nothing follows).
 */
export class Session extends EventTarget {
  /** @param {{ url: string, name: string, key: DeviceKey, client?: string }} options */
  constructor({ url, name, key, client = 'lunchroom-web' }) {
    super();
    this.url = url;
    this.name = name;
    this.key = key;
    this.client = client;
    /** @type {'connecting' | 'open' | 'backoff' | 'closed'} */
    this.state = 'connecting';
    /** @type {string | null} */
    this.session = null;
    this.resumeMs = 0;
    this.#begin();
    this.#connect();
  }

  /** @type {WebSocket | null} */
  #socket = null;
  #nextSeq = 1;
  #received = 0;
  #unacked = 0;
  /** @type {Unacknowledged[]} */
  #outbox = [];
  #failures = 0;
  #brokenAt = 0;
  #heardAt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #ackTimer;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #pingTimer;
  #nonce = 0;

  /**
   * Says something, now or as soon as there is a connection. Throws when too much waits already.
   * @param {Message} message
   * @returns {number} its number, which an error `about` it names
   */
  send(message) {
    if (this.state === 'closed') return 0;
    if (this.#outbox.length >= MOST_UNACKNOWLEDGED) throw new Error('send_queue_full');
    const item = { seq: this.#nextSeq++, text: JSON.stringify(message).slice(1) };
    this.#outbox.push(item);
    if (this.state === 'open') this.#frame(item);
    return item.seq;
  }

  /** Ends the session; the seat is free at once. */
  close() {
    this.#end();
    this.#socket?.close(1000);
    this.#socket = null;
  }

  #begin() {
    this.#nextSeq = 1;
    this.#received = 0;
    this.#unacked = 0;
    this.#outbox = [];
  }

  #connect() {
    this.state = 'connecting';
    const socket = new WebSocket(this.url);
    this.#socket = socket;
    socket.onmessage = event => {
      if (this.#socket === socket) this.#hear(JSON.parse(event.data)).catch(error => this.#broken(String(error)));
    };
    socket.onclose = event => {
      if (this.#socket === socket) this.#broken(event.reason || `closed (${event.code})`);
    };
  }

  /** @param {Message} message */
  async #hear(message) {
    this.#heardAt = performance.now();
    switch (message.type) {
      case 'challenge': return this.#hello(message);
      case 'welcome':
        this.session = message.session;
        this.resumeMs = message.resume_ms;
        this.#opened(0);
        return this.#tell('welcome', message);
      case 'resumed':
        this.#opened(message.received);
        return this.#tell('resumed', message);
      case 'error':
        if (this.state !== 'open' && message.code === 'cannot_resume') return this.#lost();
        if (this.state !== 'open') return this.#end(message);
        break;
    }
    this.#enveloped(message);
  }

  /** @param {Message} challenge */
  async #hello(challenge) {
    const bytes = [...new TextEncoder().encode(`lunchroom-hello-v${VERSION}\0`), ...fromBase64Url(challenge.nonce)];
    const hello = {
      type: 'hello', version: VERSION, key: this.key.publicKey, signature: await this.key.sign(Uint8Array.from(bytes)),
      name: this.name, client: this.client,
      ...(this.session ? { resume: { session: this.session, received: this.#received } } : {}),
    };
    this.#socket?.send(JSON.stringify(hello));
    // What was said before goes out in the same flight; a resumed session is told first what had arrived.
    if (!this.session) this.#outbox.forEach(item => this.#frame(item));
    this.#flown = this.session ? 0 : this.#outbox.length;
  }

  /** How much of the outbox already left with the hello. */
  #flown = 0;

  /** @param {number} received */
  #opened(received) {
    this.state = 'open';
    this.#failures = 0;
    this.#brokenAt = 0;
    const rest = this.#outbox.slice(this.#flown);
    this.#flown = 0;
    this.#acknowledged(received);
    rest.filter(item => item.seq > received).forEach(item => this.#frame(item));
    clearInterval(this.#pingTimer);
    this.#pingTimer = setInterval(() => this.#ping(), PING_MS);
  }

  /** @param {Message} message */
  #enveloped(message) {
    const { seq = 0, ack = 0, ...body } = message;
    this.#acknowledged(ack);
    if (seq === 0) {
      if (body.type === 'bye') this.#bye(/** @type {Message} */ (body));
      else if (body.type === 'error') this.#tell('message', body);
      return;
    }
    if (seq !== this.#received + 1) return; // seen before; a gap cannot be, the socket keeps order
    this.#received = seq;
    this.#owe();
    if (body.type === 'bye') this.#bye(/** @type {Message} */ (body));
    this.#tell('message', body);
  }

  /** @param {Message} message */
  #bye(message) {
    if (message.retry_after_ms === undefined) this.#end(message);
  }

  /** @param {number} ack */
  #acknowledged(ack) {
    while (this.#outbox.length && this.#outbox[0].seq <= ack) this.#outbox.shift();
  }

  #owe() {
    this.#unacked++;
    if (this.#unacked >= ACK_EVERY) this.#ack();
    else this.#ackTimer ??= setTimeout(() => this.#ack(), ACK_MS);
  }

  #ack() {
    if (this.state === 'open' && this.#unacked) this.#raw({ seq: 0, ack: this.#received, type: 'ack' });
    this.#paid();
  }

  #paid() {
    this.#unacked = 0;
    clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
  }

  #ping() {
    if (performance.now() - this.#heardAt > SILENCE_MS) return this.#broken('silence');
    this.#raw({ seq: 0, ack: this.#received, type: 'ping', nonce: this.#nonce++ });
  }

  /** @param {Unacknowledged} item */
  #frame(item) {
    this.#socket?.send(`{"seq":${item.seq},"ack":${this.#received},${item.text}`);
    this.#paid();
  }

  /** @param {object} message */
  #raw(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** @param {string} why */
  #broken(why) {
    if (this.state === 'closed') return;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    clearInterval(this.#pingTimer);
    this.#brokenAt ||= performance.now();
    if (this.session && performance.now() - this.#brokenAt > this.resumeMs) this.#forget();
    this.state = 'backoff';
    this.#tell('disconnected', why);
    const longest = Math.min(BACKOFF_MS[0] * 2 ** this.#failures++, BACKOFF_MS[1]);
    setTimeout(() => this.state === 'backoff' && this.#connect(), longest * (0.5 + Math.random() / 2));
  }

  #lost() {
    this.#forget();
    this.#broken('cannot_resume');
  }

  #forget() {
    this.session = null;
    this.#begin();
    this.#tell('lost');
  }

  /** @param {any} [error] */
  #end(error) {
    if (this.state === 'closed') return;
    this.state = 'closed';
    clearInterval(this.#pingTimer);
    clearTimeout(this.#ackTimer);
    if (error) this.#tell('ended', error);
  }

  /** @param {string} event @param {any} [detail] */
  #tell(event, detail) {
    this.dispatchEvent(new CustomEvent(event, { detail }));
  }
}
