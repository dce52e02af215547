// The link that opened the page. Only the server parses it, and writes its fields into the page's meta elements.

import { isVisible } from '../shared/text.js';

/**
 * @typedef {object} Invitation
 * @property {string} room
 * @property {string} server `ws:` or `wss:` address
 * @property {string | null} invite the link's token
 * @property {string | null} link the `lunchroom:` link, which opens the app
 * @property {string | null} trouble the code of why the link cannot be used; null: no reason is known
 */

/** Returns the page's link. @returns {Invitation} */
export function invitation() {
  const { protocol, host, hash } = location;
  const server = `${protocol === 'https:' ? 'wss' : 'ws'}://${host}`;
  const trouble = hidesParameter(hash) ? 'link_parameter' : null;
  return { room: meta('lunchroom-room') ?? '', server, invite: meta('lunchroom-invite'), link: meta('lunchroom-link'), trouble };
}

/** A text that still changes after this number of rounds of percent-decoding is rejected. */
const MAX_ROUNDS = 8;

/**
 * Whether the fragment of a URL could be meant as a parameter, or contains text with the shape of a fingerprint
 * (PROTOCOL.md, Links). A browser does not send the fragment, so the server cannot reject it. The Rust client's
 * `signaling::link` follows the same rules, and both run docs/protocol/links.json.
 * @param {string} hash as in `location.hash`
 */
export function hidesParameter(hash) {
  const plain = normalize(hash.replace(/^#/, ''));
  if (plain === null) return true;
  const hidden = wordsOf(plain).some(word => {
    const parts = word.split('='), value = parts.pop() ?? '';
    return parts.some(resemblesParameter) || isFingerprint(value);
  });
  return hidden || wordsOf(plain.replaceAll(':', '')).flatMap(word => word.split('=')).some(isFingerprint);
}

/** Normalizes a text: no escapes, compatibility characters, upper case or invisible characters. Null after too many rounds. @param {string} text */
function normalize(text) {
  let now = text.replaceAll('+', ' ');
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const next = now.replace(/(%[0-9a-f]{2})+/gi, escaped => utf8.decode(Uint8Array.from(escaped.match(/[0-9a-f]{2}/gi) ?? [], hex => parseInt(hex, 16))));
    if (next === now) return [...now.normalize('NFKC').toLowerCase()].filter(isVisible).join('');
    now = next;
  }
  return null;
}
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** Splits at all characters that can separate parameters, including the semicolon of entities such as `&amp;`. @param {string} text */
const wordsOf = text => text.split(/[^\p{Alphabetic}\p{N}=\-_.~]+/u).filter(Boolean);

/** Whether a word is the name of a parameter, with at most one typing error. @param {string} word */
function resemblesParameter(word) {
  const letters = word.replace(/[^\p{Alphabetic}\p{N}]/gu, '');
  return /^fp|^pf$|fingerprint|sha256/.test(letters) || ['server', 'invite'].some(name => isNear(letters, name));
}

/** Whether the words differ by at most one insertion, deletion, replacement or swap of two neighbours. @param {string} word @param {string} name */
function isNear(word, name) {
  const [a, b] = [[...word], [...name]];
  let same = 0;
  while (same < a.length && a[same] === b[same]) same++;
  const restOf = (/** @type {string[]} */ letters, /** @type {number} */ from) => letters.slice(same + from).join('');
  if (restOf(a, 1) === restOf(b, 1) || restOf(a, 1) === restOf(b, 0) || restOf(a, 0) === restOf(b, 1)) return true;
  return same + 1 < a.length && same + 1 < b.length && a[same] === b[same + 1] && a[same + 1] === b[same] && restOf(a, 2) === restOf(b, 2);
}

/** Whether a word has the shape of a SHA-256, in hex or base64url. @param {string} word */
const isFingerprint = word => /^([0-9a-f]{64}|[\w-]{43})$/.test(word);

/** Returns the content of a meta element; null if the server left it empty or did not fill it in. @param {string} name */
function meta(name) {
  const content = /** @type {HTMLMetaElement | null} */ (document.querySelector(`meta[name="${name}"]`))?.content ?? '';
  return content && !content.startsWith('{{') ? content : null;
}
