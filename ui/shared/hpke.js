// HPKE (RFC 9180) in base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-128-GCM, for one message each, with
// WebCrypto. The additional data is empty. No DOM.

/** Identifiers of the algorithms (RFC 9180 section 7). */
const KEM = [0, 0x20], KDF = [0, 1], AEAD = [0, 1];
const KEY_BYTES = 16, NONCE_BYTES = 12, HASH_BYTES = 32, X25519_BYTES = 32;

const utf8 = new TextEncoder();
const KEM_SUITE = [...utf8.encode('KEM'), ...KEM], SUITE = [...utf8.encode('HPKE'), ...KEM, ...KDF, ...AEAD];
/** An HMAC key of zeros is the same as none, which not every browser imports. */
const NO_SALT = new Uint8Array(HASH_BYTES);

/** @typedef {{ privateKey: CryptoKey, raw: Uint8Array }} Pair  `raw`: the public key, 32 bytes */

/**
 * Draws a pair of keys for X25519. The private key cannot be exported.
 * @returns {Promise<Pair>}
 * @throws {DOMException} `NotSupportedError` in a browser without X25519
 */
export async function newPair() {
  const pair = /** @type {CryptoKeyPair} */ (await crypto.subtle.generateKey({ name: 'X25519' }, false, ['deriveBits']));
  return { privateKey: pair.privateKey, raw: new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey)) };
}

/**
 * Encrypts a message to a public key.
 * @param {Uint8Array} receiver 32 bytes @param {Uint8Array} info @param {Uint8Array} message
 * @returns {Promise<Uint8Array>} the encapsulated key (32 bytes), and the encrypted message with its tag
 * @throws {DOMException} the receiver's key is of small order
 */
export async function sealTo(receiver, info, message) {
  const ephemeral = await newPair();
  const dh = await agree(ephemeral.privateKey, await importPublic(receiver));
  const { key, iv } = await schedule(dh, ephemeral.raw, receiver, info);
  const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, /** @type {BufferSource} */ (message));
  return bytes(ephemeral.raw, new Uint8Array(sealed));
}

/**
 * Decrypts a message.
 * @param {Pair} pair the receiver's @param {Uint8Array} info @param {Uint8Array} sealed
 * @returns {Promise<Uint8Array | null>} null if it was not encrypted to this key, for this `info`
 */
export async function openWith(pair, info, sealed) {
  const encapsulated = sealed.subarray(0, X25519_BYTES);
  try {
    const dh = await agree(pair.privateKey, await importPublic(encapsulated));
    const { key, iv } = await schedule(dh, encapsulated, pair.raw, info);
    return new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, /** @type {BufferSource} */ (sealed.subarray(X25519_BYTES))));
  } catch {
    return null;
  }
}

/** @param {Uint8Array} raw */
const importPublic = raw => crypto.subtle.importKey('raw', /** @type {BufferSource} */ (raw), { name: 'X25519' }, true, []);

/** @param {CryptoKey} own @param {CryptoKey} other */
async function agree(own, other) {
  const shared = new Uint8Array(await crypto.subtle.deriveBits({ name: 'X25519', public: other }, own, X25519_BYTES * 8));
  // Of a point of small order. Not every browser refuses it.
  if (!shared.some(byte => byte)) throw new DOMException('a key of small order', 'OperationError');
  return shared;
}

/** The key and nonce of the message (RFC 9180 sections 4.1 and 5.1). @param {Uint8Array} dh @param {Uint8Array} encapsulated @param {Uint8Array} receiver @param {Uint8Array} info */
async function schedule(dh, encapsulated, receiver, info) {
  const prk = await extract(KEM_SUITE, NO_SALT, 'eae_prk', dh);
  const shared = await expand(KEM_SUITE, prk, 'shared_secret', bytes(encapsulated, receiver), HASH_BYTES);
  const [id, hash] = await Promise.all([extract(SUITE, NO_SALT, 'psk_id_hash', new Uint8Array(0)), extract(SUITE, NO_SALT, 'info_hash', info)]);
  const context = bytes([0], id, hash), secret = await extract(SUITE, shared, 'secret', new Uint8Array(0));
  const key = await expand(SUITE, secret, 'key', context, KEY_BYTES), iv = await expand(SUITE, secret, 'base_nonce', context, NONCE_BYTES);
  return { key: await crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt', 'decrypt']), iv };
}

/** LabeledExtract. @param {number[]} suite @param {Uint8Array} salt @param {string} label @param {Uint8Array} material */
const extract = (suite, salt, label, material) => hmac(salt, bytes(utf8.encode('HPKE-v1'), suite, utf8.encode(label), material));

/** LabeledExpand, of at most one hash. @param {number[]} suite @param {Uint8Array} key @param {string} label @param {Uint8Array} info @param {number} length */
async function expand(suite, key, label, info, length) {
  const block = await hmac(key, bytes([0, length], utf8.encode('HPKE-v1'), suite, utf8.encode(label), info, [1]));
  return block.slice(0, length);
}

/** @param {Uint8Array} key @param {Uint8Array} message */
async function hmac(key, message) {
  const imported = await crypto.subtle.importKey('raw', /** @type {BufferSource} */ (key), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, /** @type {BufferSource} */ (message)));
}

/** @param {...(Uint8Array | number[])} parts */
const bytes = (...parts) => Uint8Array.from(parts.flatMap(part => [...part]));
