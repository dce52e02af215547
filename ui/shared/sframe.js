// Frames of one stream, encrypted and decrypted by SFrame (RFC 9605) with AES_128_GCM_SHA256_128 (PROTOCOL.md, "Encrypted
// frames"). The Rust client's `e2ee::frame` follows the same rules; the vectors are in docs/protocol/frames.json. No DOM:
// it runs in a worker.
//
//   | clear bytes | SFrame header | encrypted rest | tag |

/** @typedef {'audio' | 'camera' | 'screen'} Stream */
/** @typedef {{ epoch: number, base: Uint8Array }} SenderKey  the key of a participant in one epoch: 32 bytes */
/** @typedef {'audio' | 'picture'} Kind  of a line that receives: pictures are those of cameras and screens */
/** @typedef {'malformed' | 'no_key' | 'old' | 'forged'} OpenError */
/** @typedef {{ key: CryptoKey, salt: Uint8Array }} Derived  of a sender key for one stream */

/** In the order of their numbers in key ids. @type {Stream[]} */
export const STREAMS = ['audio', 'camera', 'screen'];
/** Bytes of a frame before it is encrypted. */
export const MAX_FRAME_BYTES = 4 * 1024 * 1024;
/** Bytes that encryption adds to a frame at most: the header with eight-byte fields, and the tag. */
const MAX_OVERHEAD = 17 + 16;
/** Frames of one stream under one key, and the number after which another key is wanted. */
export const MAX_FRAMES = 2 ** 22, RENEW_AFTER = MAX_FRAMES / 2;
/** How far behind the newest frame of a key another may be. */
export const REPLAY_WINDOW = 1024;
/** Keys of one sender that are kept, and how long one is kept after a newer one has arrived, ms. */
export const MAX_KEYS = 4, OLD_KEY_MS = 10_000;
const TAG_BYTES = 16, NONCE_BYTES = 12, SUITE = 4;
/** Bytes of a VP8 keyframe and of another frame that are not compressed (RFC 6386 section 9.1). */
const KEYFRAME_CHUNK = 10, FRAME_CHUNK = 3;

const utf8 = new TextEncoder();

/** Why a frame is not encrypted or decrypted. @param {OpenError | 'used_up'} code */
const refusal = code => Object.assign(new Error(code), { code });

/** The SFrame key id (KID). @param {Stream} stream @param {number} epoch */
export const keyIdOf = (stream, epoch) => epoch * STREAMS_PER_EPOCH + STREAMS.indexOf(stream);
const STREAMS_PER_EPOCH = 4;

/**
 * How many bytes at the start of a frame are authenticated but not encrypted, because the forwarder reads them.
 * @param {Stream} stream @param {Uint8Array} frame
 * @returns {number | null} null if the frame is shorter
 */
function clearBytes(stream, frame) {
  if (!frame.length) return null;
  const clear = stream === 'audio' ? 0 : frame[0] & 1 ? FRAME_CHUNK : KEYFRAME_CHUNK;
  return frame.length >= clear ? clear : null;
}

/** A number in as few bytes as it fits, big-endian. @param {number} number */
function shortest(number) {
  const bytes = [];
  for (let rest = number; rest || !bytes.length; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return bytes;
}

/** The header (RFC 9605 section 4.3). @param {number} keyId @param {number} counter */
function headerOf(keyId, counter) {
  const [first, second] = [keyId, counter].map(number => number < 8 ? { bits: number, bytes: [] } : { bits: 8 + shortest(number).length - 1, bytes: shortest(number) });
  return [first.bits << 4 | second.bits, ...first.bytes, ...second.bytes];
}

/** Reads a header. @param {Uint8Array} bytes @returns {{ keyId: number, counter: number, length: number } | null} null if it is too short */
function parseHeader(bytes) {
  if (!bytes.length) return null;
  let at = 1;
  const field = (/** @type {number} */ bits) => {
    if (bits < 8) return bits;
    let number = 0;
    for (const end = at + bits - 7; at < end; at++) number = number * 256 + (bytes[at] ?? 0);
    return number;
  };
  const [keyId, counter] = [field(bytes[0] >> 4), field(bytes[0] & 15)];
  return at <= bytes.length ? { keyId, counter, length: at } : null;
}

/**
 * The stream that an encrypted frame names. If the name is wrong, it is not decrypted.
 * @param {Kind} kind of the line where it came @param {Uint8Array} sealed
 * @returns {Stream | null} null if it names none of this kind
 */
export function streamOf(kind, sealed) {
  const clear = clearBytes(kind === 'audio' ? 'audio' : 'camera', sealed), header = clear === null ? null : parseHeader(sealed.subarray(clear));
  const stream = header && STREAMS[header.keyId % STREAMS_PER_EPOCH];
  return stream && (stream === 'audio') === (kind === 'audio') ? stream : null;
}

/** Derives what encrypts one stream (RFC 9605 section 4.4.2). @param {SenderKey} key @param {Stream} stream @returns {Promise<Derived>} */
async function derive({ base, epoch }, stream) {
  const secret = await crypto.subtle.importKey('raw', /** @type {BufferSource} */ (base), 'HKDF', false, ['deriveBits']);
  const derived = async (/** @type {string} */ label, /** @type {number} */ bytes) => {
    const info = new Uint8Array(label.length + 10), view = new DataView(info.buffer);
    info.set(utf8.encode(label));
    view.setBigUint64(label.length, BigInt(keyIdOf(stream, epoch)));
    view.setUint16(label.length + 8, SUITE);
    return new Uint8Array(await crypto.subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info }, secret, bytes * 8));
  };
  const [key, salt] = await Promise.all([derived('SFrame 1.0 Secret key ', 16), derived('SFrame 1.0 Secret salt ', NONCE_BYTES)]);
  return { key: await crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt', 'decrypt']), salt };
}

/** @param {Uint8Array} salt @param {number} counter below 2^32 */
function nonceOf(salt, counter) {
  const nonce = Uint8Array.from(salt), view = new DataView(nonce.buffer);
  view.setUint32(8, view.getUint32(8) ^ counter);
  return nonce;
}

/** @param {Uint8Array} salt @param {number} counter @param {Uint8Array} additionalData */
const parameters = (salt, counter, additionalData) => ({ name: 'AES-GCM', iv: nonceOf(salt, counter), additionalData: /** @type {BufferSource} */ (additionalData), tagLength: TAG_BYTES * 8 });

/** @param {...(Uint8Array | number[])} parts */
function joined(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Encrypts the frames of one stream with one key. Make at most one for each key and stream: a second would repeat its counters. */
export class Sealer {
  #counter = 0;
  /** @type {Promise<Derived>} */
  #derived;

  /** @param {SenderKey} key @param {Stream} stream @param {number} [counter] the first one */
  constructor(key, stream, counter = 0) {
    this.epoch = key.epoch;
    this.stream = stream;
    this.#counter = counter;
    this.#derived = derive(key, stream);
  }

  /** Whether the key has encrypted so many frames that another is wanted. */
  get wantsNewKey() {
    return this.#counter >= RENEW_AFTER;
  }

  /**
   * Encrypts a frame.
   * @param {Uint8Array} frame
   * @returns {Promise<Uint8Array>}
   * @throws {Error & { code: 'malformed' | 'used_up' }} the frame must not be sent
   */
  async seal(frame) {
    const clear = clearBytes(this.stream, frame);
    if (clear === null || frame.length > MAX_FRAME_BYTES) throw refusal('malformed');
    if (this.#counter >= MAX_FRAMES) throw refusal('used_up');
    const counter = this.#counter++, header = headerOf(keyIdOf(this.stream, this.epoch), counter), start = frame.subarray(0, clear);
    const { key, salt } = await this.#derived;
    const rest = await crypto.subtle.encrypt(parameters(salt, counter, joined(header, start)), key, /** @type {BufferSource} */ (frame.subarray(clear)));
    return joined(start, header, new Uint8Array(rest));
  }
}

/** Which counters of a key were decrypted (RFC 9605 section 9.3). */
class Seen {
  #highest = -1;
  /** One bit for each of the newest counters. */
  #bits = new Uint32Array(REPLAY_WINDOW / 32);

  /** Whether a counter may still come. @param {number} counter */
  admits(counter) {
    if (counter > this.#highest) return true;
    return this.#highest - counter < REPLAY_WINDOW && !(this.#bits[this.#word(counter)] & 1 << counter % 32);
  }

  /** A frame with this counter, which {@link Seen#admits}, was decrypted. @param {number} counter */
  add(counter) {
    if (counter - this.#highest >= REPLAY_WINDOW) this.#bits.fill(0);
    else for (let one = this.#highest + 1; one < counter; one++) this.#bits[this.#word(one)] &= ~(1 << one % 32);
    this.#highest = Math.max(this.#highest, counter);
    this.#bits[this.#word(counter)] |= 1 << counter % 32;
  }

  /** @param {number} counter */
  #word(counter) {
    return Math.floor(counter % REPLAY_WINDOW / 32);
  }
}

/** Decrypts the frames of one stream of one sender. It keeps at most {@link MAX_KEYS} keys, whatever the sender does. */
export class Opener {
  /** The newest last. `until`: when it is dropped, ms. @type {{ key: SenderKey, derived: Promise<Derived> | null, seen: Seen, until: number }[]} */
  #keys = [];
  /** How many frames were decrypted, and dropped for each reason. */
  counts = { opened: 0, malformed: 0, no_key: 0, old: 0, forged: 0 };

  /** @param {Stream} stream */
  constructor(stream) {
    this.stream = stream;
  }

  /**
   * Decrypts with this key too. Older ones are dropped in a while.
   * @param {number} now ms @param {SenderKey} key
   * @returns {boolean} whether it is new: each must have a higher epoch than those before
   */
  accept(now, key) {
    const newest = this.#keys.at(-1);
    if (newest && newest.key.epoch >= key.epoch) return false;
    this.#forget(now);
    for (const old of this.#keys) old.until = Math.min(old.until, now + OLD_KEY_MS);
    this.#keys = [...this.#keys, { key, derived: null, seen: new Seen(), until: Infinity }].slice(-MAX_KEYS);
    return true;
  }

  /** Whether a frame names one of the keys. @param {number} now ms @param {Uint8Array} sealed */
  hasKeyOf(now, sealed) {
    this.#forget(now);
    const read = this.#read(sealed);
    return read !== null && this.#find(read.keyId) !== undefined;
  }

  /**
   * Decrypts a frame.
   * @param {number} now ms @param {Uint8Array} sealed
   * @returns {Promise<Uint8Array>}
   * @throws {Error & { code: OpenError }} which is counted too
   */
  async open(now, sealed) {
    try {
      return await this.tryOpen(now, sealed);
    } catch (error) {
      this.counts[/** @type {{ code: OpenError }} */ (error).code]++;
      throw error;
    }
  }

  /** As {@link Opener#open}, for a frame that may be somebody else's: an error is not counted. @param {number} now ms @param {Uint8Array} sealed */
  async tryOpen(now, sealed) {
    this.#forget(now);
    const frame = await this.#decrypt(sealed);
    this.counts.opened++;
    return frame;
  }

  /** @param {Uint8Array} sealed */
  async #decrypt(sealed) {
    const read = this.#read(sealed);
    if (!read) throw refusal('malformed');
    const { keyId, counter, start, header, rest } = read, found = this.#find(keyId);
    if (!found) throw refusal('no_key');
    if (!found.seen.admits(counter)) throw refusal('old');
    found.derived ??= derive(found.key, this.stream);
    const { key, salt } = await found.derived;
    const opened = await crypto.subtle.decrypt(parameters(salt, counter, joined(header, start)), key, /** @type {BufferSource} */ (rest)).catch(() => { throw refusal('forged'); });
    // Another frame with this counter may have been decrypted meanwhile.
    if (!found.seen.admits(counter)) throw refusal('old');
    found.seen.add(counter);
    return joined(start, new Uint8Array(opened));
  }

  /** The parts of a frame; null if it is malformed. @param {Uint8Array} sealed */
  #read(sealed) {
    const clear = clearBytes(this.stream, sealed);
    if (clear === null || sealed.length > MAX_FRAME_BYTES + MAX_OVERHEAD) return null;
    const header = parseHeader(sealed.subarray(clear));
    if (!header || header.counter >= MAX_FRAMES || sealed.length - clear - header.length < TAG_BYTES) return null;
    const end = clear + header.length;
    return { ...header, start: sealed.subarray(0, clear), header: sealed.subarray(clear, end), rest: sealed.subarray(end) };
  }

  /** @param {number} keyId */
  #find(keyId) {
    return this.#keys.find(one => keyIdOf(this.stream, one.key.epoch) === keyId);
  }

  /** @param {number} now ms */
  #forget(now) {
    this.#keys = this.#keys.filter(one => now < one.until);
  }
}
