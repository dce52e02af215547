// What the page's address says: read by the server, which put it into the page, so that there is one reader of it.

import { isVisible } from '../shared/text.js';

/**
 * @typedef {{ room: string, server: string, invite: string | null, link: string | null, trouble: string | null }} Invitation
 *   trouble: why it lets nobody in, as far as is known; a code
 */

/** @returns {Invitation} */
export function invitation() {
  const { protocol, host, hash } = location;
  const server = `${protocol === 'https:' ? 'wss' : 'ws'}://${host}`;
  const trouble = hidesParameter(hash) ? 'link_parameter' : null;
  return { room: meta('lunchroom-room') ?? '', server, invite: meta('lunchroom-invite'), link: meta('lunchroom-link'), trouble };
}

/** Rounds of percent-decoding after which a text that still changes is taken for a trick. */
const MAX_ROUNDS = 8;

/**
 * Whether something after the # could be meant as a parameter or has the shape of a fingerprint (PROTOCOL.md, Links). A
 * browser does not send that part, so the server could not refuse it. The Rust client's `signaling::link` does the same;
 * both run docs/protocol/links.json.
 * @param {string} hash as `location.hash`
 */
export function hidesParameter(hash) {
  const plain = plainOf(hash.replace(/^#/, ''));
  if (plain === null) return true;
  const hidden = wordsOf(plain).some(word => {
    const parts = word.split('='), value = parts.pop() ?? '';
    return parts.some(resembles) || isFingerprint(value);
  });
  return hidden || wordsOf(plain.replaceAll(':', '')).flatMap(word => word.split('=')).some(isFingerprint);
}

/** What a text says without escapes, look-alikes, case and what cannot be seen; null if it is escaped without end. @param {string} text */
function plainOf(text) {
  let now = text.replaceAll('+', ' ');
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const next = now.replace(/(%[0-9a-f]{2})+/gi, escaped => utf8.decode(Uint8Array.from(escaped.match(/[0-9a-f]{2}/gi) ?? [], hex => parseInt(hex, 16))));
    if (next === now) return [...now.normalize('NFKC').toLowerCase()].filter(isVisible).join('');
    now = next;
  }
  return null;
}
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** Pieces between whatever can separate parameters; entities such as `&amp;` end with such a sign. @param {string} text */
const wordsOf = text => text.split(/[^\p{Alphabetic}\p{N}=\-_.~]+/u).filter(Boolean);

/** Whether a word is a parameter's name but for a slip: one letter too many, too few, wrong, or two swapped. @param {string} word */
function resembles(word) {
  const letters = word.replace(/[^\p{Alphabetic}\p{N}]/gu, '');
  return /^fp|^pf$|fingerprint|sha256/.test(letters) || ['server', 'invite'].some(name => isNear(letters, name));
}

/** Whether one edit at most makes one of the other. @param {string} word @param {string} name */
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

/** What the server put in; null if it did not, or nothing. @param {string} name */
function meta(name) {
  const content = /** @type {HTMLMetaElement | null} */ (document.querySelector(`meta[name="${name}"]`))?.content ?? '';
  return content && !content.startsWith('{{') ? content : null;
}
