// The words of the screens, in the language that is chosen or else the system's.

import { en } from './strings/en.js';
import { ko } from './strings/ko.js';
import { MISSING_CODES, isMissing } from './own-media.js';

/** @typedef {'ko' | 'en'} Language */
/** @typedef {typeof en} Strings */

/** @type {Record<Language, Strings>} */
const all = { ko, en };

/** @type {Set<() => void>} */
const listeners = new Set();

/** @type {Language} */
export let language = navigator.language.toLowerCase().startsWith('ko') ? 'ko' : 'en';

/** The words now. */
export let t = all[language];

/** @param {Language | null} wanted null: as the system */
export function setLanguage(wanted) {
  const next = wanted ?? (navigator.language.toLowerCase().startsWith('ko') ? 'ko' : 'en');
  document.documentElement.lang = next;
  if (next === language) return;
  language = next;
  t = all[next];
  listeners.forEach(listener => listener());
}

/** @param {() => void} listener */
export function onLanguage(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Why one did not come in, or is out. A guest has no board, no settings and no line to wait in. @param {string} code @param {boolean} guest */
export function endWords(code, guest) {
  const words = guest ? /** @type {Record<string, string>} */ (t.guestProblems)[code] : undefined;
  return words ?? problem(code);
}

/**
 * What is wrong with a device. Where there is none of its kind nobody is told to choose another one.
 * @param {import('./model.d.ts').Problem} wrong @param {Pick<import('./model.d.ts').AppState, 'devices' | 'choice' | 'problems'>} state
 */
export function deviceProblem({ code, message, device }, state) {
  return device && MISSING_CODES.has(code) && isMissing(state, device) ? t.noDevice[device] : problem(code, message);
}

/**
 * What a stable error code means in words: what happened and what can be done. Unknown codes fall back to the message.
 * @param {string} code @param {string} [message]
 */
export function problem(code, message) {
  const words = /** @type {Record<string, string>} */ (t.problems)[code];
  return words ?? (message ? `${t.somethingWrong} (${message})` : `${t.somethingWrong} (${code})`);
}
