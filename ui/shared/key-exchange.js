// Which key this client sends frames with, who gets it, and the keys of others (PROTOCOL.md, "When there is a new key"). The
// Rust client's `e2ee::exchange` follows the same rules. No DOM.
//
//            start                       the rest is over                    the delay is over
// (none) ───────────▶ change is waited for ─────────▶ key is given ──────────────────▶ key is used
//                              ▲                                                            │
//                              └──────────────── somebody comes or goes, or renew ──────────┘
//
// A key is given only to people who were in the room when it was made. So a newcomer decrypts nothing from before, and
// somebody who has gone decrypts nothing from a second later on.

import { toBase64Url } from './base64url.js';
import { wallClock } from './clock.js';
import { announce, givingInfo, signGiven, verifyAnnounced, verifyGiven } from './frame-statements.js';
import { newPair, openWith, sealTo } from './hpke.js';
import { isStay, refusal } from './statement.js';

/** @typedef {import('./clock.js').Clock} Clock */
/** @typedef {import('./protocol.js').Message} Message */
/** @typedef {import('./sframe.js').SenderKey} SenderKey */
/** @typedef {import('./statement.js').Signer} Signer */
/** @typedef {import('./statement.js').Stay} Stay */
/**
 * @typedef {object} Other  another participant
 * @property {Stay} stay
 * @property {number} came  ms
 * @property {Uint8Array | null} key  their frame key
 * @property {number | null} received  epoch of the newest key that they gave
 * @property {boolean} wasGiven  whether they may have a key of ours
 * @property {number | null} giveAt  when they are to be given the newest key, ms
 * @property {number} wait  how long the last wait before that was, ms
 */
/**
 * @typedef {object} Sending  the own keys while the room is forwarded
 * @property {{ key: SenderKey, made: number } | null} newest
 * @property {number | null} useAt  when the newest key is used, ms; null once it is
 * @property {boolean} isAnyUsed
 * @property {{ since: number, hasAnybodyLeft: boolean } | null} change  a reason for a new key
 */
/**
 * @typedef {object} Options
 * @property {Signer} signer of the present stay
 * @property {string} room
 * @property {(message: Message) => void} send sends a message to the server
 * @property {(key: SenderKey) => void} use encrypts with this key from now on; nothing is sent to the forwarder before the first
 * @property {Clock} [clock]
 */

/** People to whom one gives keys. */
export const MAX_OTHERS = 59;
/** How long others may come and go before there is a new key for all of it, ms. */
export const COALESCE_MS = 100;
/** Least time between two keys, if somebody has gone and if people have only come, ms. */
export const LEAVE_REST_MS = 500, JOIN_REST_MS = 1_000;
/** How long after a key was given it is used, if somebody has gone and if people have only come, ms. */
export const LEAVE_DELAY_MS = 300, JOIN_DELAY_MS = 500;
/** How long to wait before a key that could not be delivered is sent again: at first, and at most. It doubles each time, ms. */
const RETRY_MIN_MS = 1_000, RETRY_MAX_MS = 8_000;
const MAX_EPOCH = 2 ** 32 - 1;

/** The keys of one stay in a room. Between two keys of the own there is a rest, and at most {@link MAX_OTHERS} people are known. */
export class KeyExchange {
  /** @type {Map<string, Other>} */
  #others = new Map();
  /** Of the last key that was made. */
  #epoch = 0;
  /** @type {Sending | null} */
  #sending = null;
  #isClosed = false;
  #pair = newPair();
  /** Encrypts, signs and sends one after the other. At most one entry waits for each key and each retry. */
  #out = Promise.resolve();
  /** Checks what others say one after the other, in the order of the messages of one session. */
  #in = Promise.resolve();
  /** Cancels the timer. @type {() => void} */
  #cancel = () => {};

  /** @param {Options} options */
  constructor({ signer, room, send, use, clock = wallClock }) {
    this.device = signer.key;
    this.own = signer.stay();
    this.room = room;
    this.send = send;
    this.use = use;
    this.clock = clock;
  }

  /** Announces the own frame key. Called once, right after `joined`. */
  announce() {
    this.#then(async () => {
      const { raw } = await this.#pair, announced = await announce(this.device, this.own, this.room, raw);
      if (!this.#isClosed) this.send({ type: 'frame_key', ...announced });
    });
  }

  /** Somebody is in the room or comes. @param {string} id @param {Stay} stay */
  joined(id, { key, nonce }) {
    if (this.#others.has(id) || this.#others.size >= MAX_OTHERS) return;
    this.#others.set(id, { stay: { key, nonce }, came: this.clock.now(), key: null, received: null, wasGiven: false, giveAt: null, wait: 0 });
  }

  /** Somebody has gone. Their frames and keys are of no use any more. @param {string} id */
  left(id) {
    const wasGiven = this.#others.get(id)?.wasGiven;
    this.#others.delete(id);
    if (wasGiven) this.#change(true);
    this.#arm();
  }

  /**
   * Somebody announces their frame key.
   * @param {string} from @param {import('./frame-statements.js').FrameKey} announced
   * @throws {Error & { code: string }} `statement_missing` or `statement_wrong`: they get no key of ours, and the person is to
   *   know; `not_newer` or `not_here`: without effect
   */
  announced(from, announced) {
    return this.#check(async () => {
      const other = this.#other(from), key = await verifyAnnounced(this.own, this.room, other.stay, announced);
      if (this.#other(from) !== other || other.key) throw refused('not_newer');
      other.key = key;
      const made = this.#sending?.newest?.made;
      if (made !== undefined && other.came < made) other.giveAt = this.clock.now() + COALESCE_MS;
      else this.#change(false);
      this.#arm();
    });
  }

  /** The room is forwarded: keys are made and given from now on. */
  start() {
    if (this.#sending || this.#isClosed) return;
    this.#sending = { newest: null, useAt: null, isAnyUsed: false, change: null };
    this.#change(false);
    this.#arm();
  }

  /** Nothing goes through the forwarder any more. The own key is forgotten. */
  stop() {
    this.#sending = null;
    for (const other of this.#others.values()) Object.assign(other, { wasGiven: false, giveAt: null });
    this.#arm();
  }

  /** The stay is over. */
  close() {
    this.stop();
    this.#isClosed = true;
    this.#others.clear();
  }

  /** The key of this epoch has encrypted many frames. @param {number} epoch */
  renew(epoch) {
    if (epoch !== this.#epoch) return;
    this.#change(false);
    this.#arm();
  }

  /**
   * Somebody gives us their key.
   * @param {string} from @param {{ epoch: number, sealed: string, signature: string }} given
   * @returns {Promise<SenderKey>}
   * @throws {Error & { code: string }} as {@link KeyExchange#announced}, or `unreadable`: their device has signed a key that
   *   does not open
   */
  receive(from, { epoch, sealed, signature }) {
    return this.#check(async () => {
      const other = this.#other(from), pair = await this.#pair;
      if (!Number.isInteger(epoch) || epoch < 0 || epoch > MAX_EPOCH) throw refusal('statement_wrong');
      if (other.received !== null && other.received >= epoch) throw refused('not_newer');
      const giving = { room: this.room, from: other.stay, to: this.own, toKey: pair.raw, epoch };
      const base = await openWith(pair, givingInfo(giving), await verifyGiven(giving, sealed, signature));
      if (this.#other(from) !== other) throw refused('not_here');
      if (base?.length !== 32) throw refused('unreadable');
      other.received = epoch;
      return { epoch, base };
    });
  }

  /** The key of this epoch did not reach these people. @param {number} epoch @param {string[]} to */
  undelivered(epoch, to) {
    if (epoch !== this.#epoch || !this.#sending) return;
    for (const id of to) {
      const other = this.#others.get(id);
      if (!other) continue;
      other.wait = Math.min(Math.max(other.wait * 2, RETRY_MIN_MS), RETRY_MAX_MS);
      other.giveAt = this.clock.now() + other.wait;
    }
    this.#arm();
  }

  /** Ids of people who have announced no valid frame key. They decrypt nothing of ours, and the person is to know. */
  uncovered() {
    return [...this.#others].filter(([, other]) => !other.key).map(([id]) => id);
  }

  /** Whether frames are encrypted with a key of ours now. */
  get isKeyUsed() {
    return this.#sending?.isAnyUsed ?? false;
  }

  /** Resolves when everything that was begun is done. */
  async settled() {
    await Promise.all([this.#in, this.#out]);
  }

  /** @param {string} id */
  #other(id) {
    const other = this.#others.get(id);
    if (!other) throw refused('not_here');
    return other;
  }

  /** @param {boolean} hasAnybodyLeft */
  #change(hasAnybodyLeft) {
    if (!this.#sending) return;
    this.#sending.change ??= { since: this.clock.now(), hasAnybodyLeft };
    this.#sending.change.hasAnybodyLeft ||= hasAnybodyLeft;
  }

  /** When there will be a new key, ms; `Infinity` if nothing has changed. */
  #changeDue() {
    const { change, newest } = this.#sending ?? {};
    if (!change) return Infinity;
    const rest = change.hasAnybodyLeft ? LEAVE_REST_MS : JOIN_REST_MS;
    return Math.max(change.since + COALESCE_MS, newest ? newest.made + rest : 0);
  }

  /** Does what is due, and sets the timer for what is next. */
  #tick() {
    const now = this.clock.now();
    this.#useNewest(now);
    if (this.#changeDue() <= now) this.#makeKey(now);
    const due = [...this.#others].filter(([, other]) => (other.giveAt ?? Infinity) <= now).map(([id]) => id);
    if (due.length) this.#give(due);
    this.#arm();
  }

  #arm() {
    this.#cancel();
    this.#cancel = () => {};
    const next = Math.min(this.#sending?.useAt ?? Infinity, this.#changeDue(), ...[...this.#others.values()].map(other => other.giveAt ?? Infinity));
    if (next < Infinity) this.#cancel = this.clock.after(Math.max(0, next - this.clock.now()), () => this.#tick());
  }

  /** @param {number} now */
  #makeKey(now) {
    const sending = this.#sending;
    if (!sending || this.#epoch >= MAX_EPOCH) return;
    const delay = sending.change?.hasAnybodyLeft ? LEAVE_DELAY_MS : JOIN_DELAY_MS;
    sending.change = null;
    sending.newest = { key: { epoch: ++this.#epoch, base: crypto.getRandomValues(new Uint8Array(32)) }, made: now };
    // Nobody can decrypt anything yet, so nothing is gained by waiting with the first.
    sending.useAt = sending.isAnyUsed ? now + delay : now;
    for (const other of this.#others.values()) other.wait = 0;
    this.#give([...this.#others.keys()]);
    this.#useNewest(now);
  }

  /** @param {number} now */
  #useNewest(now) {
    const sending = this.#sending;
    if (!sending?.newest || sending.useAt === null || sending.useAt > now) return;
    Object.assign(sending, { useAt: null, isAnyUsed: true });
    const { key } = sending.newest;
    this.#then(async () => {
      if (this.#sending === sending) this.use(key);
    });
  }

  /** Seals the newest key to these people, if they have announced a key. @param {string[]} people */
  #give(people) {
    const sending = this.#sending, key = sending?.newest?.key;
    if (!key) return;
    /** @type {[string, Other][]} */
    const receivers = [];
    for (const id of people) {
      const other = this.#others.get(id);
      if (!other) continue;
      other.giveAt = null;
      if (!other.key || !isStay(other.stay)) continue;
      other.wasGiven = true;
      receivers.push([id, other]);
    }
    if (receivers.length) this.#then(async () => {
      const keys = (await Promise.all(receivers.map(([id, other]) => this.#sealed(id, other, key)))).filter(one => one !== null);
      if (keys.length && this.#sending === sending) this.send({ type: 'sender_keys', epoch: key.epoch, keys });
    });
  }

  /** A key for one receiver; null if their frame key is of small order. @param {string} to @param {Other} other @param {SenderKey} key */
  async #sealed(to, { stay, key: toKey }, { epoch, base }) {
    if (!toKey) return null;
    const giving = { room: this.room, from: this.own, to: stay, toKey, epoch };
    try {
      const sealed = await sealTo(toKey, givingInfo(giving), base);
      return { to, sealed: toBase64Url(sealed), signature: await signGiven(this.device, giving, sealed) };
    } catch (error) {
      console.warn('sender key', String(error));
      return null;
    }
  }

  /** @param {() => Promise<void>} run */
  #then(run) {
    this.#out = this.#out.then(run).catch(error => console.warn('keys', String(error)));
  }

  /** @template T @param {() => Promise<T>} run @returns {Promise<T>} */
  #check(run) {
    const checked = this.#in.then(run);
    this.#in = checked.then(() => {}, () => {});
    return checked;
  }
}

/** @param {string} code */
const refused = code => Object.assign(new Error(code), { code });
