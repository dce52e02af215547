// Avatars of people without a picture.

import { h } from './dom.js';

const letters = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/**
 * Returns one or two letters for a name, as grapheme clusters. Hangul: the last two of three or more syllables, which are
 * the given name. Han: the first character. Other scripts: the initials of the first and the last word.
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

/** Returns the upper case of a letter, unless that has more letters, as for ß. @param {string} letter */
function capital(letter) {
  const large = letter.toLocaleUpperCase();
  return lettersOf(large).length > 1 ? letter : large;
}

/** Returns one of eight colours, always the same for a key. @param {string} key */
export function hue(key) {
  let sum = 7;
  for (const c of key) sum = (sum * 31 + (c.codePointAt(0) ?? 0)) >>> 0;
  return sum % 8;
}

/** Makes an avatar. @param {string} name @param {string} key selects the colour */
export function avatar(name, key) {
  return h('span', { class: `avatar hue-${hue(key)}`, 'aria-hidden': 'true', text: initials(name) });
}
