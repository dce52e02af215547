// Avatars, which show people where there is no camera: a photo, a glyph or the initials, on a colour.

import { h } from './dom.js';
import { canDraw } from './emoji.js';
import { ownPhoto, photo } from './photos.js';

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

/**
 * What an avatar shows: `photo` is the id of a photo that the server has, `jpeg` one that is here, base64url.
 * @typedef {{ photo?: string | null, jpeg?: string | null, color?: number | null, glyph?: string | null }} Look
 */

/** @type {WeakMap<HTMLElement, { name: string, key: string, look: Look }>} */
const drawn = new WeakMap();

/** Makes an avatar. @param {string} name @param {string} key selects the colour, unless the person chose one @param {Look} [look] */
export function avatar(name, key, look) {
  const element = h('span', { class: 'avatar', 'aria-hidden': 'true' });
  showAvatar(element, name, key, look);
  return element;
}

/** Shows somebody in an avatar, if that is a change. @param {HTMLElement} element @param {string} name @param {string} key @param {Look} [look] */
export function showAvatar(element, name, key, look = {}) {
  const before = drawn.get(element);
  if (before?.name === name && before.key === key && sameLook(before.look, look)) return;
  drawn.set(element, { name, key, look });
  element.className = `avatar hue-${colorOf(key, look)}`;
  element.replaceChildren(signOf(name, look));
  const url = photoOf(look);
  url?.then(src => {
    if (drawn.get(element)?.look === look) element.replaceChildren(h('img', { src, alt: '', draggable: 'false' }));
  }, () => drawn.delete(element)); // the next change of the state tries once more
}

/** The number of a person's colour. @param {string} key @param {Look} [look] */
export const colorOf = (key, look) => look?.color ?? hue(key);

/** The glyph of a person, if a font here has it, or else the initials. @param {string} name @param {Look} [look] */
export const signOf = (name, look) => look?.glyph && canDraw(look.glyph) ? look.glyph : initials(name);

/** The address of a person's photo; null if they have none. @param {Look} [look] @returns {Promise<string> | null} */
export function photoOf(look) {
  if (look?.jpeg) return ownPhoto(look.jpeg);
  return look?.photo ? photo(look.photo) : null;
}

/** The own look, from the settings. @param {{ avatar: import('./model.d.ts').OwnAvatar }} settings @returns {Look} */
export const ownLook = ({ avatar: { color, glyph, photo: jpeg } }) => ({ color, glyph, jpeg });

/** @param {Look} one @param {Look} other */
const sameLook = (one, other) => (one.photo ?? null) === (other.photo ?? null) && (one.jpeg ?? null) === (other.jpeg ?? null) && (one.color ?? null) === (other.color ?? null) && (one.glyph || null) === (other.glyph || null);
