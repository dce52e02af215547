// Notices at the edge of the window, which screen readers also speak.

import { h, text } from '../dom.js';
import { t, problem } from '../strings.js';
import { icon } from '../icons.js';

/** A status line stays for this time, plus a time for each UTF-16 unit, ms. */
const STAY_MS = 4000, PER_UNIT_MS = 50;
/** Error notices shown at a time. A further one removes the oldest. */
const MAX_ERRORS = 3;

const line = h('p');
const status = h('div', { class: 'notice', role: 'status', hidden: true }, line);
const errors = h('div', { class: 'errors', role: 'alert' });

/** @type {ReturnType<typeof setTimeout> | undefined} */
let hideTimer;

/** Adds the notices to the page, after other elements of the same kind. @param {HTMLElement} page @param {HTMLElement[]} more */
export function placeNotices(page, ...more) {
  page.append(h('div', { class: 'notices' }, ...more, status, errors));
}

/**
 * Shows a status line for a few seconds.
 * @param {string} words
 * @param {{ visuallyHidden?: boolean }} [options] visuallyHidden: only for screen readers, because the screen shows the
 *   change anyway
 */
export function announce(words, { visuallyHidden = false } = {}) {
  status.classList.toggle('visually-hidden', visuallyHidden);
  status.hidden = false;
  text(line, '');
  text(line, words);
  clearTimeout(hideTimer);
  hideTimer = setTimeout(() => { status.hidden = true; }, STAY_MS + words.length * PER_UNIT_MS);
}

/** Shows an error until the person closes it. @param {string} words */
export function showError(words) {
  const same = [...errors.children].find(one => one.firstChild?.textContent === words);
  same?.remove();
  const one = h('div', { class: 'notice urgent' }, h('p', { text: words }), h('button', { type: 'button', class: 'icon-only plain', 'aria-label': t.close, onclick: () => one.remove() }, icon('close')));
  errors.append(one);
  while (errors.childElementCount > MAX_ERRORS) errors.firstElementChild?.remove();
}

/** Waits for a command and shows its error, if any. @param {Promise<any>} command @returns {Promise<any>} the command's result; undefined after an error */
export async function attempt(command) {
  try {
    return await command;
  } catch (error) {
    const { code = 'internal', message = String(error) } = /** @type {{ code?: string, message?: string }} */ (error ?? {});
    showError(problem(code, message));
  }
}
