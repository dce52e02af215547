// All frames of a call that pass through the forwarder: encrypts the own ones and decrypts those of others. No DOM: it runs in
// a worker (guest/frame-worker.js).

import { wallClock } from './clock.js';
import { Opener, STREAMS, Sealer, streamOf } from './sframe.js';

/** @typedef {import('./clock.js').Clock} Clock */
/** @typedef {import('./sframe.js').SenderKey} SenderKey */
/** @typedef {import('./sframe.js').Kind} Kind */
/** @typedef {import('./sframe.js').Stream} Stream */
/** @typedef {{ line: string, sender: string, stream: Stream, csrc: number }} Slot  what a line carries */
/**
 * @typedef {{ news: 'author', line: string, sender: string, stream: Stream } | { news: 'renew', epoch: number }} News  `author`:
 *   a line carries decrypted frames of this stream from now on; `renew`: the key of this epoch has encrypted many frames
 */

/** Lines of which the author is known at most. The page has fewer. */
const MAX_LINES = 256;

export class CallFrames {
  /** With the newest own key. @type {Map<Stream, Sealer>} */
  #sealers = new Map();
  /** By sender. The page adds and removes them, as many as people in the room. @type {Map<string, Record<Stream, Opener>>} */
  #openers = new Map();
  /** By number of a sender. @type {Map<number, string>} */
  #senders = new Map();
  /** Whose frames were last decrypted on each line. @type {Map<string, { sender: string, stream: Stream }>} */
  #authors = new Map();
  /** Senders whose voices are dropped. @type {Set<string>} */
  #silent = new Set();
  /** Epochs of the newest key that was used, and of the newest that another is wanted for. */
  #used = -1;
  #renewed = -1;
  /** Own frames that were encrypted, by stream. */
  sealed = { audio: 0, camera: 0, screen: 0 };

  /** @param {(news: News) => void} report @param {Clock} [clock] */
  constructor(report, clock = wallClock) {
    this.report = report;
    this.clock = clock;
  }

  /** Encrypts with this key from now on. With null nothing is sent. @param {SenderKey | null} key newer than those before */
  use(key) {
    if (key && key.epoch <= this.#used) return; // a second count under one key would repeat its counters
    this.#used = key?.epoch ?? this.#used;
    this.#sealers = new Map(key ? STREAMS.map(stream => [stream, new Sealer(key, stream)]) : []);
  }

  /** Decrypts with this key of a sender too. @param {string} sender @param {SenderKey} key */
  accept(sender, key) {
    const openers = this.#openers.get(sender) ?? { audio: new Opener('audio'), camera: new Opener('camera'), screen: new Opener('screen') };
    this.#openers.set(sender, openers);
    for (const stream of STREAMS) openers[stream].accept(this.clock.now(), key);
  }

  /** Decrypts nothing of a sender any more. @param {string} sender */
  remove(sender) {
    this.#openers.delete(sender);
    for (const [line, author] of this.#authors) if (author.sender === sender) this.#authors.delete(line);
    for (const [csrc, one] of this.#senders) if (one === sender) this.#senders.delete(csrc);
  }

  /** What the lines carry. @param {Slot[]} slots */
  setSlots(slots) {
    this.#senders = new Map(slots.map(({ csrc, sender }) => [csrc, sender]));
    for (const [line, author] of this.#authors) if (!slots.some(slot => slot.line === line && slot.sender === author.sender && slot.stream === author.stream)) this.#authors.delete(line);
  }

  /** Voices that are heard otherwise, and are dropped here. @param {string[]} senders */
  setSilent(senders) {
    this.#silent = new Set(senders);
  }

  /** Encrypts an own frame. @param {Stream} stream @param {Uint8Array} frame @returns {Promise<Uint8Array | null>} null: it must not be sent */
  async seal(stream, frame) {
    const sealer = this.#sealers.get(stream);
    if (!sealer) return null;
    const sealed = await sealer.seal(frame).catch(() => null);
    if (sealer.wantsNewKey && this.#renewed !== sealer.epoch) {
      this.#renewed = sealer.epoch;
      this.report({ news: 'renew', epoch: sealer.epoch });
    }
    // A key that was replaced meanwhile is still known to the others.
    if (sealed) this.sealed[stream]++;
    return sealed;
  }

  /**
   * Decrypts a frame.
   * @param {string} line where it came @param {Kind} kind of the line @param {number[]} csrcs of its packets
   * @param {Uint8Array} sealed
   * @returns {Promise<Uint8Array | null>} null: it is dropped
   */
  async open(line, kind, csrcs, sealed) {
    const stream = streamOf(kind, sealed);
    if (!stream) return null;
    const named = csrcs.map(csrc => this.#senders.get(csrc)).find(sender => sender !== undefined);
    const found = named === undefined ? await this.#guess(stream, sealed) : { sender: named, frame: await this.#opened(named, stream, sealed) };
    return found?.frame ? this.#pass(line, stream, found.sender, found.frame) : null;
  }

  /** @param {string} sender @param {Stream} stream @param {Uint8Array} sealed */
  async #opened(sender, stream, sealed) {
    return this.#openers.get(sender)?.[stream].open(this.clock.now(), sealed).catch(() => null);
  }

  /**
   * Finds the sender of a frame that came before the server has said whose it is. Only the right key decrypts it.
   * @param {Stream} stream @param {Uint8Array} sealed
   */
  async #guess(stream, sealed) {
    const now = this.clock.now();
    for (const [sender, { [stream]: opener }] of this.#openers) {
      const frame = opener.hasKeyOf(now, sealed) ? await opener.tryOpen(now, sealed).catch(() => null) : null;
      if (frame) return { sender, frame };
    }
    return null;
  }

  /** @param {string} line @param {Stream} stream @param {string} sender @param {Uint8Array} frame */
  #pass(line, stream, sender, frame) {
    if (!this.#openers.has(sender)) return null; // gone meanwhile
    const author = this.#authors.get(line);
    if (author?.sender !== sender || author.stream !== stream) {
      if (!author && this.#authors.size >= MAX_LINES) return null;
      this.#authors.set(line, { sender, stream });
      this.report({ news: 'author', line, sender, stream });
    }
    return stream === 'audio' && this.#silent.has(sender) ? null : frame;
  }
}
