// The texts of the screens, in the language of the settings or of the system.

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

/** The texts in the current language. */
export let t = all[language];

/** Sets the language, and calls the listeners if it changes. @param {Language | null} wanted null: the system's */
export function setLanguage(wanted) {
  const next = wanted ?? (navigator.language.toLowerCase().startsWith('ko') ? 'ko' : 'en');
  document.documentElement.lang = next;
  if (next === language) return;
  language = next;
  t = all[next];
  listeners.forEach(listener => listener());
}

/** Adds a listener for changes of the language; returns a function that removes it. @param {() => void} listener */
export function onLanguage(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Describes why a call ended or could not be joined. Guests, who have neither a board nor settings, have texts of their own. @param {string} code @param {boolean} guest */
export function endWords(code, guest) {
  const words = guest ? /** @type {Record<string, string>} */ (t.guestProblems)[code] : undefined;
  return words ?? problem(code);
}

/**
 * Describes a problem with a device. If the machine has no device of the kind, the text does not suggest another one.
 * @param {import('./model.d.ts').Problem} failure @param {Pick<import('./model.d.ts').AppState, 'devices' | 'choice' | 'problems'>} state
 */
export function deviceProblem({ code, message, device }, state) {
  return device && MISSING_CODES.has(code) && isMissing(state, device) ? t.noDevice[device] : problem(code, message);
}

/**
 * Describes an error code: what happened and what the person can do. Unknown codes are shown with the message.
 * @param {string} code @param {string} [message]
 */
export function problem(code, message) {
  const words = /** @type {Record<string, string>} */ (t.problems)[code];
  return words ?? (message ? `${t.somethingWrong} (${message})` : `${t.somethingWrong} (${code})`);
}
