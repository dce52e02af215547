// Statements about keys for frames that pass through a forwarder: a device's frame key for one stay, and a sender's key that
// is sealed to somebody else's (PROTOCOL.md, "Encrypted frames"). The Rust client's `signaling::statement::frames` follows the
// same rules. No DOM.

import { toBase64Url } from './base64url.js';
import { bytesOf, isSigned, isStay, purposeBytes, refusal } from './statement.js';

/** @typedef {import('./protocol.js').DeviceKey} DeviceKey */
/** @typedef {import('./statement.js').Stay} Stay */
/** @typedef {{ key: string, signature: string }} FrameKey  an announced public key, both base64url */
/**
 * @typedef {object} Giving  who gives a sender's key to whom
 * @property {string} room
 * @property {Stay} from
 * @property {Stay} to
 * @property {Uint8Array} toKey  the receiver's frame key
 * @property {number} epoch
 */

/** Bytes of a frame key, and of a sealed key: the encapsulated key, and the encrypted key with its tag. */
const KEY_BYTES = 32, SEALED_BYTES = 80;

/** Announces a frame key for one stay. @param {DeviceKey} device @param {Stay} own @param {string} room @param {Uint8Array} key @returns {Promise<FrameKey>} */
export const announce = async (device, own, room, key) =>
  ({ key: toBase64Url(key), signature: await device.sign(announcement(room, own, key)) });

/**
 * Checks what somebody announces.
 * @param {Stay} own @param {string} room @param {Stay} from @param {FrameKey} announced
 * @returns {Promise<Uint8Array>} their frame key
 * @throws {Error & { code: import('./statement.js').StatementError }} it is not of their device for this stay, or of our own
 */
export async function verifyAnnounced(own, room, from, { key, signature }) {
  if (!isStay(from)) throw refusal('statement_missing');
  const bytes = bytesOf(key, KEY_BYTES);
  if (!bytes || from.key === own.key || !await isSigned(from.key, signature, announcement(room, from, bytes))) throw refusal('statement_wrong');
  return bytes;
}

/** What a sealed key is bound to: HPKE's `info`, and the beginning of what is signed. @param {Giving} giving */
export function givingInfo({ room, from, to, toKey, epoch }) {
  const number = new Uint8Array(4);
  new DataView(number.buffer).setUint32(0, epoch);
  return purposeBytes('sender-key', room, [from, to], [...toKey, ...number]);
}

/** Signs a sealed key. @param {DeviceKey} device @param {Giving} giving @param {Uint8Array} sealed @returns {Promise<string>} base64url */
export const signGiven = (device, giving, sealed) => device.sign(signed(giving, sealed));

/**
 * Checks a sealed key that somebody gives.
 * @param {Giving} giving @param {unknown} sealed base64url @param {unknown} signature base64url
 * @returns {Promise<Uint8Array>} the sealed key
 * @throws {Error & { code: import('./statement.js').StatementError }} it is not the sender's for exactly this
 */
export async function verifyGiven(giving, sealed, signature) {
  if (!isStay(giving.from)) throw refusal('statement_missing');
  const bytes = bytesOf(sealed, SEALED_BYTES);
  if (!bytes || giving.from.key === giving.to.key || !await isSigned(giving.from.key, signature, signed(giving, bytes))) throw refusal('statement_wrong');
  return bytes;
}

/** @param {string} room @param {Stay} from @param {Uint8Array} key */
const announcement = (room, from, key) => purposeBytes('frame-key', room, [from], key);

/** @param {Giving} giving @param {Uint8Array} sealed */
const signed = (giving, sealed) => Uint8Array.from([...givingInfo(giving), ...sealed]);
