// A call whose media goes through the server's forwarder while the room is forwarded: the keys of the frames, the connection
// to the forwarder, and make before break in both directions (PROTOCOL.md, "Forwarded rooms" and "Encrypted frames").
//
//             on                    the forwarder works                            off                 direct works, or 20 s
//   direct ──────▶ direct + forwarder ────────────────▶ forwarder, direct closed ──────▶ forwarder + direct ──────────────▶ direct

import { KeyExchange } from '../shared/key-exchange.js';
import { FORWARDER, Forwarder, PICTURES } from './forwarder.js';

/** @typedef {import('../shared/call.js').Call} Call */
/** @typedef {import('../shared/call.js').Person} Person */
/** @typedef {import('../shared/protocol.js').Message} Message */
/** @typedef {import('../shared/sframe.js').Stream} Stream */
/** @typedef {import('./forwarder.js').Line} Line */
/** @typedef {import('./forwarder.js').OwnTracks} OwnTracks */
/** @typedef {{ id: string, kind: 'camera' | 'screen', height: number, priority?: number }} Displayed */

/** The name of the feature in a hello. */
export const FEATURE = 'forwarding';
/** How long a direct connection goes on after the forwarder has replaced it, and how long at most after the forwarder works, ms. */
const DIRECT_OVERLAP_MS = 1_000, DIRECT_MS = 8_000;
/** How long the forwarder goes on after direct connections have replaced it, and how long at most after the room is direct, ms. Others may still need what we send there, and do not say so. */
const FORWARDER_OVERLAP_MS = 3_000, FORWARDER_MS = 20_000;
/** How often it is looked whether an old way is no longer needed, ms. */
const LOOK_MS = 250;
/** Shortest time between two messages about what is displayed, ms. */
const VIEW_MS = 250;
/** Longest wait for a worker that is tried, ms. */
const TRIAL_MS = 3_000;
/** Messages whose errors concern nobody else. More are forgotten, the oldest first. */
const MAX_SENT = 64;
/** How long somebody's frame key may take, ms. */
const FRAME_KEY_MS = 5_000;
/** Errors that mean that somebody is in the middle, or that a device behaves like that. */
const DISTRUSTED = ['statement_missing', 'statement_wrong'];

const idle = () => {};

/** Whether this browser can be in a forwarded room. @returns {Promise<boolean>} */
export async function canForward() {
  if (!('RTCRtpScriptTransform' in globalThis) || !('transform' in RTCRtpSender.prototype)) return false;
  const hasKeys = await crypto.subtle.generateKey({ name: 'X25519' }, false, ['deriveBits']).then(() => true, () => false);
  return hasKeys && triedWorker();
}

/** Whether the worker loads and receives transforms. */
async function triedWorker() {
  const worker = newWorker();
  try {
    return await new Promise(resolve => {
      setTimeout(() => resolve(false), TRIAL_MS);
      worker.onerror = () => resolve(false);
      worker.onmessage = ({ data }) => {
        if (data.news === 'ready') new RTCRtpScriptTransform(worker, { isTrial: true });
        else resolve(data.news === 'able');
      };
    });
  } catch {
    return false;
  } finally {
    worker.terminate();
  }
}

const newWorker = () => new Worker(new URL('./frame-worker.js', import.meta.url), { type: 'module' });

/**
 * Event: `changed` (no detail): what is received from somebody, or what is known of them, has changed.
 */
export class Forwarding extends EventTarget {
  /** The keys of the present stay. @type {KeyExchange | null} */
  #keys = null;
  /** @type {Worker | null} */
  #worker = null;
  #isWorkerReady = false;
  /** @type {Forwarder | null} */
  #forwarder = null;
  /** Whose frames each line carries, by its name, as their keys prove. @type {Map<string, { sender: string, stream: Stream }>} */
  #authors = new Map();
  /** When people came, ms. @type {Map<string, number>} */
  #came = new Map();
  /** Since when the forwarder works, and since when the room is direct again, ms. @type {number | null} */
  #connectedAt = null;
  /** @type {number | null} */
  #directAt = null;
  /** Since when an old direct connection to somebody, or the old forwarder, is no longer needed, ms. @type {Map<string, number>} */
  #replacedAt = new Map();
  /** @type {string[]} */
  #silent = [];
  /** What is displayed, and what the server was last asked for. */
  #view = '[]';
  #sentView = '[]';
  #viewSeq = 0;
  /** Numbers of the last messages that this module has sent. @type {number[]} */
  #sent = [];
  /** Who lacked a key at the last look. */
  #lacking = '';
  #cancelLook = idle;
  #cancelView = idle;

  /**
   * @param {Call} call
   * @param {{ tracks: () => OwnTracks, savesData: () => boolean, receivesDirectly: (id: string) => boolean, displaysDirectly: (id: string, kind: 'camera' | 'screen') => boolean, sendsFiles: (key: string) => boolean }} page
   *   what the page sends, whether it hears somebody and displays a picture of them over a direct connection, and whether files are sent there
   */
  constructor(call, page) {
    super();
    this.call = call;
    this.page = page;
    this.clock = call.session.clock;
    /** Whether the server forwards anything. */
    this.isOffered = false;
    const on = (/** @type {string} */ event, /** @type {(detail: any) => void} */ run) => call.addEventListener(event, happened => run(/** @type {CustomEvent} */ (happened).detail));
    call.session.addEventListener('welcome', event => { this.isOffered = Number.isInteger(/** @type {CustomEvent} */ (event).detail.limits?.max_forwarded); });
    call.session.addEventListener('lost', () => this.end());
    call.session.addEventListener('message', event => this.#handle(/** @type {CustomEvent} */ (event).detail));
    on('joined', message => this.#begin(message.room));
    on('came', person => this.#come(person));
    on('gone', person => this.#go(person.participant.id));
    on('distrusted', person => this.#worker?.postMessage({ do: 'remove', sender: person.participant.id }));
    on('path', () => this.#changePath());
    on('ended', () => this.end());
  }

  /** Whether anything goes through the forwarder, or will. */
  get isActive() {
    return this.#forwarder !== null;
  }

  /** The state of the connection to the forwarder. @returns {RTCPeerConnectionState} */
  get state() {
    return this.#forwarder?.pc?.connectionState ?? 'new';
  }

  /** The connection to the forwarder. */
  get pc() {
    return this.#forwarder?.pc ?? null;
  }

  /** The line that carries a stream of somebody. @param {string} id participant @param {Stream} stream @returns {Line | undefined} */
  lineOf(id, stream) {
    return this.#forwarder?.lines.find(line => {
      const author = this.#authors.get(line.name);
      return author?.sender === id && author.stream === stream;
    });
  }

  /** All lines of voices. Each is played all the time. @returns {Line[]} */
  get voices() {
    return this.#forwarder?.lines.filter(line => line.kind === 'audio') ?? [];
  }

  /** Whether somebody has announced no valid frame key. They decrypt nothing of ours. @param {string} id */
  lacksKey(id) {
    const isLate = this.clock.now() - (this.#came.get(id) ?? 0) > FRAME_KEY_MS;
    return this.call.forwarded && isLate && (this.#keys?.uncovered().includes(id) ?? false);
  }

  /** Sends this track from now on. @param {Stream} stream @param {MediaStreamTrack | null} track */
  replaceTrack(stream, track) {
    this.#forwarder?.replaceTrack(stream, track);
  }

  /** @param {boolean} saves */
  setDataSaver(saves) {
    this.#forwarder?.setDataSaver(saves);
  }

  /** What the page displays. @param {Displayed[]} pictures */
  display(pictures) {
    this.#view = JSON.stringify(pictures.slice(0, PICTURES));
    this.#sendView();
  }

  /** Voices that are heard over direct connections, and not a second time. @param {string[]} ids */
  setSilent(ids) {
    if (ids.join() === this.#silent.join()) return;
    this.#silent = ids;
    this.#worker?.postMessage({ do: 'silent', senders: ids });
  }

  /** The stay is over. */
  end() {
    this.#keys?.close();
    this.#keys = null;
    this.#stop();
    this.#worker?.terminate();
    this.#worker = null;
    this.#isWorkerReady = false;
    this.#silent = [];
    this.#came.clear();
  }

  /** @param {string} room */
  #begin(room) {
    this.end();
    const { call } = this;
    if (!this.isOffered || !call.session.features.includes(FEATURE)) return;
    this.#worker = newWorker();
    this.#worker.onmessage = ({ data }) => this.#handleNews(data);
    this.#worker.onerror = error => console.warn('frame worker', error.message);
    this.#keys = new KeyExchange({
      signer: call.signer, room, clock: this.clock,
      send: message => this.#send(message),
      use: key => this.#worker?.postMessage({ do: 'use', key }),
    });
    this.#keys.announce();
  }

  /** @param {Person} person */
  #come({ participant, distrust }) {
    this.#came.set(participant.id, this.clock.now());
    if (!distrust) this.#keys?.joined(participant.id, participant);
    this.#look();
  }

  /** @param {string} id */
  #go(id) {
    this.#came.delete(id);
    this.#replacedAt.delete(id);
    this.#keys?.left(id);
    this.#worker?.postMessage({ do: 'remove', sender: id });
    for (const [line, author] of this.#authors) if (author.sender === id) this.#authors.delete(line);
    this.#emit();
  }

  #changePath() {
    if (this.call.forwarded) return this.#start();
    if (!this.#forwarder) return this.#stop();
    this.#directAt = this.clock.now();
    this.#replacedAt.clear();
    this.#look();
    this.#emit();
  }

  /** The room is forwarded. */
  #start() {
    if (!this.#keys || !this.#worker || !this.#isWorkerReady) return;
    this.#directAt = null;
    this.#replacedAt.clear();
    this.#keys.start();
    this.#forwarder ??= this.#connect(this.#worker);
    if (this.#forwarder.isConnected) this.#connected();
    this.#look();
    this.#emit();
  }

  /** @param {Worker} worker */
  #connect(worker) {
    const { call } = this;
    const forwarder = new Forwarder({ worker, tracks: this.page.tracks(), iceServers: call.iceServers, clock: this.clock, send: message => this.#send(message) });
    forwarder.setDataSaver(this.page.savesData());
    forwarder.addEventListener('connected', () => this.#connected());
    forwarder.addEventListener('changed', () => {
      if (!forwarder.isConnected) this.#connectedAt = null;
      this.#emit();
    });
    return forwarder;
  }

  #connected() {
    this.#connectedAt = this.clock.now();
    this.call.keepsPeers = false;
    this.#sentView = '';
    this.#sendView();
    this.#look();
  }

  /** Nothing goes through the forwarder any more. */
  #stop() {
    this.#cancelLook();
    this.#cancelView();
    this.#cancelView = idle;
    this.#keys?.stop();
    this.#worker?.postMessage({ do: 'use', key: null });
    this.#forwarder?.close();
    this.#forwarder = null;
    this.#authors.clear();
    this.#replacedAt.clear();
    this.#connectedAt = this.#directAt = null;
    this.#sentView = '[]';
  }

  /** @param {Message} message */
  async #handle(message) {
    switch (message.type) {
      case 'answer': return message.from === FORWARDER ? this.#forwarder?.answer(message.sdp) : undefined;
      case 'slots': return this.#setSlots(message.slots);
      case 'frame_key': return this.#check(message.from, keys => keys.announced(message.from, { key: message.key, signature: message.signature }));
      case 'sender_key': return this.#check(message.from, async keys => {
        const key = await keys.receive(message.from, { epoch: message.epoch, sealed: message.sealed, signature: message.signature });
        if (this.#keys === keys) this.#worker?.postMessage({ do: 'accept', sender: message.from, key });
      });
      case 'sender_keys_undelivered': return this.#keys?.undelivered(message.epoch, message.to);
    }
  }

  /** Handles what somebody says of keys. If their device did not sign it, nothing more is accepted of them. @param {string} id @param {(keys: KeyExchange) => Promise<void>} run */
  async #check(id, run) {
    const keys = this.#keys, person = this.call.people.get(id);
    if (!keys || !person || person.distrust) return;
    try {
      await run(keys);
    } catch (error) {
      const { code } = /** @type {{ code: string }} */ (error);
      if (!DISTRUSTED.includes(code) || this.#keys !== keys || this.call.people.get(id) !== person) return;
      keys.left(id);
      this.call.distrust(person, code);
    }
  }

  /** @param {{ mid: string, id: string, kind: Stream, csrc: number }[]} all */
  #setSlots(all) {
    const lines = this.#forwarder?.lines ?? [];
    const slots = all.flatMap(({ mid, id, kind, csrc }) => {
      const line = lines.find(one => one.transceiver.mid === mid);
      return line ? [{ line: line.name, sender: id, stream: kind, csrc }] : [];
    });
    this.#worker?.postMessage({ do: 'slots', slots });
    for (const [line, author] of this.#authors) {
      if (!slots.some(one => one.line === line && one.sender === author.sender && one.stream === author.stream)) this.#authors.delete(line);
    }
    this.#emit();
  }

  /** @param {import('../shared/call-frames.js').News | { news: 'ready' }} news of the worker */
  #handleNews(news) {
    if (news.news === 'ready') {
      this.#isWorkerReady = true;
      if (this.call.forwarded) this.#start();
      return;
    }
    if (news.news === 'renew') return this.#keys?.renew(news.epoch);
    this.#authors.set(news.line, { sender: news.sender, stream: news.stream });
    this.#emit();
  }

  /** Handles an error about a message. @param {Message} error @returns {boolean} whether this module has sent it */
  refused({ about, code }) {
    if (!this.#sent.includes(about)) return false;
    console.warn('forwarding', code);
    this.#forwarder?.refused(about);
    if (about === this.#viewSeq) this.#sentView = ''; // it is sent with the next change, or the next connection
    return true;
  }

  /** @param {Message} message @returns {number} */
  #send(message) {
    const seq = this.call.session.send(message);
    this.#sent = [...this.#sent, seq].slice(-MAX_SENT);
    return seq;
  }

  #sendView() {
    if (!this.#forwarder?.isConnected || this.#cancelView !== idle || this.#view === this.#sentView) return;
    this.#sentView = this.#view;
    this.#viewSeq = this.#send({ type: 'view', pictures: JSON.parse(this.#view) });
    this.#cancelView = this.clock.after(VIEW_MS, () => {
      this.#cancelView = idle;
      this.#sendView();
    });
  }

  /** Closes what is no longer needed, and looks again in a while. */
  #look() {
    this.#cancelLook();
    if (!this.#forwarder) return;
    if (this.call.forwarded) this.#closeDirect();
    else if (this.#isForwarderReplaced()) {
      this.#stop();
      return this.#emit();
    }
    const lacking = [...this.call.people.keys()].filter(id => this.lacksKey(id)).join();
    if (lacking !== this.#lacking) {
      this.#lacking = lacking;
      this.#emit();
    }
    const isSettled = this.call.forwarded && !this.call.peers.size && !this.#keys?.uncovered().length;
    if (!isSettled) this.#cancelLook = this.clock.after(LOOK_MS, () => this.#look());
  }

  #closeDirect() {
    if (this.#connectedAt === null) return;
    const now = this.clock.now(), isLate = now - this.#connectedAt >= DIRECT_MS;
    for (const id of this.call.peers.keys()) {
      const person = this.call.people.get(id);
      if (person && this.page.sendsFiles(person.participant.key)) continue;
      if (isLate || person && this.#isReplaced(id, this.#keys?.isKeyUsed === true && this.#isReceived(person), DIRECT_OVERLAP_MS)) this.call.closeDirect(id);
    }
  }

  /** Whether the media of somebody comes through the forwarder, or nothing is to come. @param {Person} person */
  #isReceived({ participant: { id, media } }) {
    const awaited = [...(media.microphone ? /** @type {const} */ (['audio']) : []), ...this.#displayedOf(id)];
    return awaited.every(stream => this.lineOf(id, stream));
  }

  /** The pictures of somebody that are displayed. @param {string} id @returns {('camera' | 'screen')[]} */
  #displayedOf(id) {
    return JSON.parse(this.#view).filter((/** @type {Displayed} */ one) => one.id === id).map((/** @type {Displayed} */ one) => one.kind);
  }

  /** Whether everybody is connected directly, and received. */
  #isForwarderReplaced() {
    if (this.#directAt === null) return false;
    const all = [...this.call.people.values()].filter(person => !person.distrust);
    const works = all.every(person => this.#isDirect(person));
    return this.clock.now() - this.#directAt >= FORWARDER_MS || this.#isReplaced(FORWARDER, works, FORWARDER_OVERLAP_MS);
  }

  /** Whether the media of somebody comes over a direct connection, or nothing is to come. @param {Person} person */
  #isDirect({ participant: { id, media } }) {
    const isConnected = this.call.peers.get(id)?.pc.connectionState === 'connected';
    return isConnected && (!media.microphone || this.page.receivesDirectly(id)) && this.#displayedOf(id).every(kind => this.page.displaysDirectly(id, kind));
  }

  /** Whether a new way has worked for so long. @param {string} way @param {boolean} works @param {number} overlap ms */
  #isReplaced(way, works, overlap) {
    if (!works) this.#replacedAt.delete(way);
    else if (!this.#replacedAt.has(way)) this.#replacedAt.set(way, this.clock.now());
    return this.clock.now() - (this.#replacedAt.get(way) ?? Infinity) >= overlap;
  }

  #emit() {
    this.dispatchEvent(new Event('changed'));
  }
}
