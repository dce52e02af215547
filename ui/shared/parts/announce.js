// What is said by the way: a quiet line at the window's edge, which screen readers speak too.

import { h, text } from '../dom.js';
import { t, problem } from '../strings.js';
import { icon } from '../icons.js';

/** How long a line stays, ms; longer ones stay longer. */
const STAY_MS = 4000, EACH_LETTER_MS = 50;

const line = h('p');
const polite = h('div', { class: 'notice', role: 'status', hidden: true }, line);
const urgentLine = h('p');
const dismiss = h('button', { type: 'button', class: 'icon-only plain' }, icon('close'));
const urgent = h('div', { class: 'notice urgent', role: 'alert', hidden: true }, urgentLine, dismiss);
dismiss.addEventListener('click', () => { urgent.hidden = true; });

/** @type {ReturnType<typeof setTimeout> | undefined} */
let gone;

/** Puts the lines on the page, with others of the kind. @param {HTMLElement} page @param {HTMLElement[]} more */
export function placeNotices(page, ...more) {
  page.append(h('div', { class: 'notices' }, ...more, polite, urgent));
}

/** @param {string} words @param {{ heard?: boolean }} [how] heard: for screen readers alone, where the screen shows it anyway */
export function announce(words, { heard = false } = {}) {
  polite.classList.toggle('heard', heard);
  polite.hidden = false;
  text(line, '');
  text(line, words);
  clearTimeout(gone);
  gone = setTimeout(() => { polite.hidden = true; }, STAY_MS + words.length * EACH_LETTER_MS);
}

/** What could not be done; stays until it is closed. @param {string} words */
export function alarm(words) {
  dismiss.setAttribute('aria-label', t.close);
  urgent.hidden = false;
  text(urgentLine, words);
}

/** Runs a command and says so when it is refused. @param {Promise<any>} command @returns {Promise<any>} undefined when refused */
export async function tried(command) {
  try {
    return await command;
  } catch (error) {
    const { code = 'internal', message = String(error) } = /** @type {{ code?: string, message?: string }} */ (error ?? {});
    alarm(problem(code, message));
  }
}
