// The code by which two people compare their keys (PROTOCOL.md, "Comparing keys"), in a browser. The Rust client's
// `signaling::comparison` computes the same; the vectors are in docs/protocol/comparison.json. No DOM.

import { fromBase64Url } from './base64url.js';
import { CODE_WORDS } from './code-words.js';

const NUMBERS = 10, ITERATIONS = 2 ** 19, SALT = new TextEncoder().encode('lunchroom-comparison-v1');

/**
 * The numbers of the code of two keys, in either order. It takes about a quarter of a second.
 * @param {string} one base64url @param {string} other
 * @returns {Promise<number[]>} ten numbers from 0 to 255
 */
export async function comparisonCode(one, other) {
  const keys = [fromBase64Url(one), fromBase64Url(other)].sort(compare);
  const password = await crypto.subtle.importKey('raw', Uint8Array.from([...keys[0], ...keys[1]]), 'PBKDF2', false, ['deriveBits']);
  return [...new Uint8Array(await crypto.subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt: SALT, iterations: ITERATIONS }, password, NUMBERS * 8))];
}

/** The words that stand for the numbers. @param {number[]} numbers @param {'en' | 'ko'} language */
export const codeWords = (numbers, language) => numbers.map(number => CODE_WORDS[language][number]);

/** @param {Uint8Array} one @param {Uint8Array} other */
function compare(one, other) {
  const at = one.findIndex((byte, n) => byte !== other[n]);
  return at < 0 ? 0 : one[at] - other[at];
}
