// Signs the certificate of a description for one other participant, and checks that a received description is signed by
// its sender's device (PROTOCOL.md, "Statements"). The Rust client's `signaling::statement` follows the same rules; the
// vectors are in docs/protocol/statements.json. No DOM.

/** @typedef {import('./protocol.js').DeviceKey} DeviceKey */
/** @typedef {{ key: string, nonce?: string | null }} Stay  a device key and the nonce of its `join`, base64url */
/**
 * @typedef {object} Statement
 * @property {string} room
 * @property {Stay} from the sender
 * @property {Stay} to the addressee
 * @property {string} fingerprint of the sender's certificate: 32 pairs of hexadecimal digits with colons
 */
/** @typedef {'statement_missing' | 'statement_wrong'} StatementError */

const utf8 = new TextEncoder();
const DOMAIN = 'lunchroom-statement-v1';

/**
 * Keys and points of small order, without the sign bit. A signature by such a key fits any text, and not every browser
 * refuses them.
 */
const SMALL_ORDER = new Set([
  '00'.repeat(32), `01${'00'.repeat(31)}`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  `ec${'ff'.repeat(30)}7f`, `ed${'ff'.repeat(30)}7f`, `ee${'ff'.repeat(30)}7f`,
]);

/** Why a description or a key is not accepted. @param {StatementError} code */
export const refusal = code => Object.assign(new Error(code), { code });

/** The bytes that are signed. @param {Statement} statement */
export const statementBytes = ({ room, from, to, fingerprint }) =>
  purposeBytes('dtls', room, [from, to], fingerprint.split(':').map(pair => parseInt(pair, 16)));

/** The bytes of a statement for any purpose. @param {string} purpose @param {string} room @param {Stay[]} stays @param {Iterable<number>} rest */
export function purposeBytes(purpose, room, stays, rest) {
  const parts = stays.flatMap(stay => [...bytesOf(stay.key, 32) ?? [], ...bytesOf(stay.nonce, 32) ?? []]);
  return Uint8Array.from([...utf8.encode(`${DOMAIN}\0${purpose}\0${room}\0`), ...parts, ...rest]);
}

/**
 * Checks a signature.
 * @param {Statement} statement
 * @param {string | null | undefined} signature base64url
 * @throws {Error & { code: StatementError }}
 */
export async function verifyStatement(statement, signature) {
  const { from, to } = statement;
  if (signature === null || signature === undefined || !isStay(from) || !isStay(to)) throw refusal('statement_missing');
  // A server that announces our own key could send us our own statement.
  if (from.key === to.key || !await isSigned(from.key, signature, statementBytes(statement))) throw refusal('statement_wrong');
}

/**
 * Whether a device has signed these bytes. Strict: keys and points of small order are refused.
 * @param {string} publicKey base64url @param {unknown} signature base64url @param {Uint8Array} bytes
 * @returns {Promise<boolean>}
 */
export async function isSigned(publicKey, signature, bytes) {
  const key = bytesOf(publicKey, 32), given = bytesOf(signature, 64);
  if (!key || !given || isSmall(key) || isSmall(given.subarray(0, 32))) return false;
  try {
    const imported = await crypto.subtle.importKey('raw', key, { name: 'Ed25519' }, false, ['verify']);
    return await crypto.subtle.verify({ name: 'Ed25519' }, imported, given, /** @type {BufferSource} */ (bytes));
  } catch {
    return false; // not a point of the curve
  }
}

/**
 * The SHA-256 fingerprint that a description names, in the session and in every media line, in capitals.
 * @param {string} sdp
 * @returns {string | null} null if there is none, if two differ, or if one is malformed
 */
export function fingerprintOf(sdp) {
  const prints = new Set();
  for (const line of lines(sdp)) {
    const [, hash, digits] = line.trim().match(/^a=fingerprint:\s*(\S*)\s*(.*)$/i) ?? [];
    if (hash?.toLowerCase() !== 'sha-256') continue;
    prints.add(/^([0-9a-f]{2}:){31}[0-9a-f]{2}$/i.test(digits) ? digits.toUpperCase() : null);
  }
  const [print] = prints;
  return prints.size === 1 ? print : null;
}

/**
 * The description with this certificate and no other one, however the browser reads SDP.
 * @param {string} sdp @param {string} fingerprint
 */
export function withFingerprint(sdp, fingerprint) {
  const kept = lines(sdp).filter(line => line && !/fingerprint/i.test(line)), first = kept.findIndex(line => line.startsWith('m='));
  kept.splice(first < 0 ? kept.length : first, 0, `a=fingerprint:sha-256 ${fingerprint}`);
  return `${kept.join('\r\n')}\r\n`;
}

/** Signs and checks descriptions with one device key, during one stay in a room at a time. */
export class Signer {
  #nonce = '';

  /** @param {DeviceKey} key */
  constructor(key) {
    this.key = key;
  }

  /** Begins another stay. Descriptions for the previous one are no longer accepted. @returns {string} the nonce of its `join` */
  begin() {
    return this.#nonce = textOf(crypto.getRandomValues(new Uint8Array(32)));
  }

  /** Whether a participant can be connected to. @param {Stay} participant */
  knows(participant) {
    return isStay(participant);
  }

  /** Signs our description. @param {string} room @param {Stay} to @param {string} sdp @returns {Promise<string>} base64url */
  async sign(room, to, sdp) {
    const fingerprint = fingerprintOf(sdp);
    if (!fingerprint) throw refusal('statement_wrong');
    return this.key.sign(statementBytes({ room, from: this.stay(), to, fingerprint }));
  }

  /**
   * Checks a description for us.
   * @param {string} room @param {Stay} from @param {string} sdp @param {string} [signature]
   * @returns {Promise<string>} the description to hand to the browser
   * @throws {Error & { code: StatementError }}
   */
  async verify(room, from, sdp, signature) {
    if (signature === null || signature === undefined) throw refusal('statement_missing');
    const fingerprint = fingerprintOf(sdp);
    if (!fingerprint) throw refusal('statement_wrong');
    await verifyStatement({ room, from, to: this.stay(), fingerprint }, signature);
    return withFingerprint(sdp, fingerprint);
  }

  /** The own key and the nonce of the present stay. @returns {Stay} */
  stay() {
    return { key: this.key.publicKey, nonce: this.#nonce };
  }
}

/** @param {Stay} stay */
export const isStay = ({ key, nonce }) => bytesOf(key, 32) !== null && bytesOf(nonce, 32) !== null;

/** Where a browser might see an end of line. @param {string} sdp */
const lines = sdp => sdp.split(/[\r\n]/);

/** @param {Uint8Array} point */
function isSmall(point) {
  const bare = Uint8Array.from(point);
  bare[31] &= 0x7f;
  return SMALL_ORDER.has([...bare].map(byte => byte.toString(16).padStart(2, '0')).join(''));
}

/** @param {Uint8Array} bytes */
const textOf = bytes => btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');

/**
 * Bytes of base64url without padding, in their one spelling; null for anything else.
 * @param {unknown} text @param {number} length
 */
export function bytesOf(text, length) {
  if (typeof text !== 'string' || text.length > 2 * length) return null;
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), c => c.charCodeAt(0));
    return bytes.length === length && textOf(bytes) === text ? bytes : null;
  } catch {
    return null;
  }
}
