// How people are drawn when there is no picture of them.

import { h } from './dom.js';

const letters = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/**
 * One or two letters as readers know them, not code points: Hangul and Han by the given name's first, others by the first of first
 * and last name.
 * @param {string} name
 */
export function initials(name) {
  const words = name.normalize('NFC').trim().split(/\s+/u).filter(Boolean);
  if (!words.length) return '?';
  const first = lettersOf(words[0]);
  if (/^\p{Script=Hangul}/u.test(first[0])) return first.length >= 3 ? first.slice(-2).join('') : first.slice(0, 2).join('');
  if (/^\p{Script=Han}/u.test(first[0])) return first[0];
  const last = words.length > 1 ? lettersOf(words[words.length - 1])[0] : '';
  return capital(first[0]) + capital(last);
}

/** @param {string} word */
const lettersOf = word => Array.from(letters.segment(word), part => part.segment);

/** One letter stays one: ß has no capital of its own. @param {string} letter */
function capital(letter) {
  const large = letter.toLocaleUpperCase();
  return lettersOf(large).length > 1 ? letter : large;
}

/** Always the same colour for the same person. @param {string} key */
export function hue(key) {
  let sum = 7;
  for (const c of key) sum = (sum * 31 + (c.codePointAt(0) ?? 0)) >>> 0;
  return sum % 8;
}

/** @param {string} name @param {string} key */
export function avatar(name, key) {
  return h('span', { class: `avatar hue-${hue(key)}`, 'aria-hidden': 'true', text: initials(name) });
}
