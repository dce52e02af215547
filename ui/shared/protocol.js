// The signalling protocol (PROTOCOL.md) for browsers: a session that answers the challenge, numbers what it says,
// and goes on over a new socket when one breaks. It knows no DOM and no WebRTC; socket, clock and chance are arguments.

/** @typedef {{ publicKey: string, sign: (bytes: Uint8Array) => Promise<string>, pair: CryptoKeyPair }} DeviceKey */
/** @typedef {{ microphone: boolean, camera: boolean }} MediaState */
/** @typedef {{ type: string, [field: string]: any }} Message */
/** @typedef {{ code: string, message: string }} Cause  why a connection broke, or the session ended */
/** @typedef {{ seq: number, text: string, bytes: number, join: boolean }} Unacknowledged */
/**
 * @typedef {object} Socket  as much of a WebSocket as is used
 * @property {(text: string) => void} send
 * @property {(code?: number) => void} close
 * @property {number} readyState
 * @property {((event: any) => void) | null} onopen
 * @property {((event: { data: any }) => void) | null} onmessage
 * @property {((event: { code: number, reason: string }) => void) | null} onclose
 */
/** @typedef {{ now: () => number, after: (ms: number, run: () => void) => () => void }} Clock  after: answers how to stop it */

const VERSION = 1;
const OPEN = 1;
const PING_MS = 5_000;
const SILENCE_MS = 10_000;
/** Silence that is borne after the network may have changed. */
const PROBE_MS = 2_000;
/** Longest time until a socket is open, from there to the challenge, and from the hello to its answer. */
const HANDSHAKE_MS = 10_000;
const ACK_MS = 1_000;
const ACK_EVERY = 32;
/** What is kept until it is acknowledged. When there is more, `send` throws `send_queue_full`. */
const MOST_UNACKNOWLEDGED = 512, MOST_UNACKNOWLEDGED_BYTES = 2 * 1024 * 1024;
const MOST_FRAME_BYTES = 65_536;
/** Room in a frame for its two numbers. */
const ENVELOPE_BYTES = 64;
const BACKOFF_MS = [250, 5_000];
/** Longest wait that a server may ask for. */
const LONGEST_RETRY_MS = 300_000;
/** Longest time for which a server may promise to keep a session. */
const LONGEST_RESUME_MS = 300_000;
/** Refusals after which coming again would end the same way, and the close codes that say the same. */
const FINAL = ['malformed', 'unsupported_version', 'bad_signature', 'bad_name', 'replaced'];
const FINAL_CLOSES = new Map([[4003, 'unsupported_version'], [4004, 'bad_signature'], [4006, 'bad_name'], [4014, 'replaced']]);
/** Why a socket is closed by us. Never 1000, which gives the seat away. */
const CLOSE = { malformed: 4000, timeout: 4013 };

/** @type {Clock} */
const WALL = {
  now: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

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

/** @param {string} url @returns {Socket} */
const webSocket = url => /** @type {Socket} */ (/** @type {unknown} */ (new WebSocket(url)));

/** An event with something to tell. */
class Told extends Event {
  /** @param {string} type @param {any} detail */
  constructor(type, detail) {
    super(type);
    this.detail = detail;
  }
}

/** What `send` throws. @param {string} code */
const refusal = code => Object.assign(new Error(code), { code });

/**
 * A session with one server. Events: `welcome` and `resumed` (detail: the message), `message` (detail: the message),
 * `disconnected` (detail: the cause), `lost` (the server has forgotten us and all that was on its way: join again),
 * `ended` (detail: the cause; nothing follows).
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
  /**
   * @param {{ url: string, name: string, key: DeviceKey, client?: string, open?: (url: string) => Socket, clock?: Clock, random?: () => number }} options
   */
  constructor({ url, name, key, client = 'lunchroom-web', open = webSocket, clock = WALL, random = Math.random }) {
    super();
    this.url = url;
    this.name = name;
    this.key = key;
    this.client = client;
    this.#make = open;
    this.clock = clock;
    this.#random = random;
    /** @type {'connecting' | 'open' | 'backoff' | 'closed'} */
    this.state = 'connecting';
    /** The session that the server knows us by, from its welcome on. @type {string | null} */
    this.session = null;
    this.resumeMs = 0;
    this.#connect();
  }

  /** @type {(url: string) => Socket} */
  #make;
  /** @type {() => number} */
  #random;
  /** @type {Socket | null} */
  #socket = null;
  /** How far a connection has come; `new` and `resume` are what the hello asked for. @type {'socket' | 'challenge' | 'signing' | 'new' | 'resume'} */
  #stage = 'socket';
  #nextSeq = 1;
  #received = 0;
  #unacked = 0;
  /** @type {Unacknowledged[]} */
  #outbox = [];
  #outboxBytes = 0;
  /** The last number that left before the welcome. */
  #flown = 0;
  #mostBytes = MOST_FRAME_BYTES;
  #failures = 0;
  #openedAt = 0;
  #brokenAt = 0;
  #heardAt = 0;
  #askedAt = 0;
  #nonce = 0;
  /** @type {Map<'deadline' | 'backoff' | 'ping' | 'ack' | 'lost', () => void>} */
  #timers = new Map();

  /**
   * Says something, now or as soon as there is a connection. Throws `send_queue_full` when too much waits already and
   * `too_large` when no frame holds it.
   * @param {Message} message
   * @returns {number} its number, which an error `about` it names; 0 when the session has ended
   */
  send(message) {
    if (this.state === 'closed') return 0;
    const text = JSON.stringify(message).slice(1), bytes = new TextEncoder().encode(text).length;
    if (bytes + ENVELOPE_BYTES > this.#mostBytes) throw refusal('too_large');
    if (this.#outbox.length >= MOST_UNACKNOWLEDGED || this.#outboxBytes + bytes > MOST_UNACKNOWLEDGED_BYTES) throw refusal('send_queue_full');
    const item = { seq: this.#nextSeq++, text, bytes, join: message.type === 'join' };
    this.#outbox.push(item);
    this.#outboxBytes += bytes;
    if (this.state === 'open') this.#frame(item);
    else if (this.state === 'connecting' && this.#stage === 'new') this.#fly();
    return item.seq;
  }

  /** Ends the session; the seat is free at once. */
  close() {
    this.#drop(1000);
    this.#end();
  }

  /** The network may have changed, or somebody is tired of waiting: an open socket must show that it lives, a broken one is tried again at once. */
  probe() {
    if (this.state === 'backoff') return this.#connect();
    if (this.state !== 'open') return;
    this.#ping();
    this.#in('deadline', PROBE_MS, () => this.#heardAt < this.#askedAt && this.#broken('server_silent', CLOSE.timeout));
  }

  #connect() {
    this.#stop('backoff');
    this.state = 'connecting';
    this.#stage = 'socket';
    this.#flown = 0;
    const socket = this.#socket = this.#make(this.url);
    this.#handshake();
    socket.onopen = () => {
      if (this.#socket !== socket) return;
      this.#stage = 'challenge';
      this.#handshake();
    };
    socket.onmessage = ({ data }) => {
      if (this.#socket === socket) this.#hear(data);
    };
    socket.onclose = ({ code, reason }) => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      const final = FINAL_CLOSES.get(code);
      if (final) this.#end({ code: final, message: reason });
      else this.#broken('server_unreachable');
    };
  }

  /** A server that says nothing for so long is given up and tried again. */
  #handshake() {
    this.#in('deadline', HANDSHAKE_MS, () => this.#broken('server_silent', CLOSE.timeout));
  }

  /** @param {any} data */
  #hear(data) {
    this.#heardAt = this.clock.now();
    /** @type {Message | null} */
    let message = null;
    try {
      message = JSON.parse(data);
    } catch { /* told below */ }
    if (!message || typeof message !== 'object' || typeof message.type !== 'string') return this.#confused();
    if (this.state === 'open') this.#enveloped(message);
    else this.#greeted(message);
  }

  /** What comes before the session stands. @param {Message} message */
  #greeted(message) {
    const { type } = message, asked = this.#stage === 'new' || this.#stage === 'resume';
    if (type === 'challenge' && this.#stage === 'challenge') return void this.#hello(message);
    if (type === 'welcome' && asked) return this.#welcome(message);
    if (type === 'resumed' && this.#stage === 'resume') return this.#resumed(message);
    if (type === 'error' && this.#stage === 'resume' && message.code === 'cannot_resume') {
      // A welcome follows on the same socket; the join in answer to `lost` goes out before it comes.
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
      this.#drop(1000);
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
      const bytes = [...new TextEncoder().encode(`lunchroom-hello-v${VERSION}\0`), ...fromBase64Url(nonce)];
      return await this.key.sign(Uint8Array.from(bytes));
    } catch {
      return null;
    }
  }

  /** Says the joins at the head of the queue: the only thing that does no harm when it is said twice. */
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
    this.#tell('welcome', message);
  }

  /** @param {Message} message */
  #resumed(message) {
    const { received } = message;
    if (!this.#acknowledged(received)) {
      this.#lose();
      return this.#confused();
    }
    this.#opened(received);
    this.#tell('resumed', message);
  }

  /** Says what is queued after this number. @param {number} said */
  #opened(said) {
    this.state = 'open';
    this.#openedAt = this.clock.now();
    this.#stop('deadline', 'lost');
    for (const item of [...this.#outbox]) if (item.seq > said) this.#frame(item);
    this.#in('ping', PING_MS, () => this.#tick());
  }

  /** @param {Message} message */
  #enveloped(message) {
    const { seq = 0, ack = 0, ...body } = message;
    if (!this.#acknowledged(ack)) return this.#confused();
    if (!Number.isSafeInteger(seq) || seq < 0 || seq > this.#received + 1) return this.#confused();
    if (seq > 0 && seq <= this.#received) return; // seen before
    if (seq > 0) {
      this.#received = seq;
      this.#owe();
    }
    switch (body.type) {
      case 'ping':
      case 'pong':
      case 'ack': return;
      case 'bye': return this.#bye(/** @type {Message} */ (body));
      case 'challenge':
      case 'welcome':
      case 'resumed': return this.#confused();
      default:
        if (seq === 0 && body.type !== 'error') return this.#confused(); // could come twice
        this.#tell('message', body);
    }
  }

  /** An error in the handshake. @param {Message} error */
  #refused({ code, message = '' }) {
    if (FINAL.includes(code)) {
      this.#drop(1000);
      return this.#end({ code, message });
    }
    this.#broken(code, CLOSE.timeout, message);
  }

  /** @param {Message} bye */
  #bye({ code, message = '', retry_after_ms: wait }) {
    this.#drop(1000);
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

  /** @param {any} ack @returns {boolean} false for what was never said */
  #acknowledged(ack) {
    if (!Number.isSafeInteger(ack) || ack < 0 || ack >= this.#nextSeq) return false;
    while (this.#outbox.length && this.#outbox[0].seq <= ack) this.#outboxBytes -= this.#outbox.shift()?.bytes ?? 0;
    return true;
  }

  #owe() {
    this.#unacked++;
    if (this.#unacked >= ACK_EVERY) this.#ack();
    else if (!this.#timers.has('ack')) this.#in('ack', ACK_MS, () => this.#ack());
  }

  #ack() {
    if (this.state === 'open' && this.#unacked) this.#raw({ seq: 0, ack: this.#received, type: 'ack' });
    this.#paid();
  }

  #paid() {
    this.#unacked = 0;
    this.#stop('ack');
  }

  /** Browsers slow the clocks of pages that nobody sees: only a server that was asked can be silent. */
  #tick() {
    const now = this.clock.now();
    if (this.#askedAt > this.#heardAt && now - this.#heardAt >= SILENCE_MS) return this.#broken('server_silent', CLOSE.timeout);
    this.#ping();
    this.#in('ping', PING_MS, () => this.#tick());
  }

  #ping() {
    if (this.#askedAt <= this.#heardAt) this.#askedAt = this.clock.now();
    this.#raw({ seq: 0, ack: this.#received, type: 'ping', nonce: this.#nonce++ });
  }

  /** @param {Unacknowledged} item */
  #frame({ seq, text }) {
    if (this.#socket?.readyState !== OPEN) return; // it says so itself; this is said again on the next one
    this.#socket.send(`{"seq":${seq},"ack":${this.#received},${text}`);
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
   * The connection is gone; another try follows.
   * @param {string} code @param {number} [close] with which the socket is closed, if it still is @param {string} [message] @param {number} [least] wait, ms
   */
  #broken(code, close, message = '', least = 0) {
    if (this.state === 'closed' || this.state === 'backoff') return;
    this.#drop(close);
    this.#stop('deadline', 'ping', 'ack');
    const now = this.clock.now(), wasOpen = this.state === 'open';
    if (wasOpen) {
      this.#brokenAt = now;
      // A server that accepts and drops us at once must not be asked four times a second for ever.
      if (now - this.#openedAt >= BACKOFF_MS[1]) this.#failures = 0;
    }
    this.state = 'backoff';
    this.#unacked = 0;
    const longest = Math.min(BACKOFF_MS[0] * 2 ** Math.min(this.#failures++, 16), BACKOFF_MS[1]);
    this.#in('backoff', least + longest * (0.5 + this.#random() / 2), () => this.#connect());
    if (this.session) this.#in('lost', Math.max(0, this.#brokenAt + this.resumeMs - now), () => this.#lose());
    this.#tell('disconnected', { code, message });
  }

  /** Forgets the session, if there was one. What was said before the first welcome is kept. */
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
    this.#tell('lost');
  }

  /** @param {Cause} [cause] */
  #end(cause) {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.session = null;
    this.#socket = null;
    this.#stop(...this.#timers.keys());
    if (cause) this.#tell('ended', cause);
  }

  /** @param {'deadline' | 'backoff' | 'ping' | 'ack' | 'lost'} name @param {number} ms @param {() => void} run */
  #in(name, ms, run) {
    this.#stop(name);
    this.#timers.set(name, this.clock.after(ms, () => {
      this.#timers.delete(name);
      run();
    }));
  }

  /** @param {...('deadline' | 'backoff' | 'ping' | 'ack' | 'lost')} names */
  #stop(...names) {
    for (const name of names) {
      this.#timers.get(name)?.();
      this.#timers.delete(name);
    }
  }

  /** @param {string} event @param {any} [detail] */
  #tell(event, detail) {
    this.dispatchEvent(new Told(event, detail));
  }
}
