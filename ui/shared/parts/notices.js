// What is said by the way: a quiet line at the window's edge, which screen readers speak too.

import { h, text } from '../dom.js';
import { t, problem } from '../strings.js';
import { icon } from '../icons.js';

/** How long a line stays, ms; longer ones stay longer. */
const STAY_MS = 4000, EACH_LETTER_MS = 50;
/** Urgent ones at a time; the oldest goes. */
const MOST_ALARMS = 3;

const line = h('p');
const polite = h('div', { class: 'notice', role: 'status', hidden: true }, line);
const urgent = h('div', { class: 'alarms', role: 'alert' });

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
  const same = [...urgent.children].find(one => one.firstChild?.textContent === words);
  same?.remove();
  const one = h('div', { class: 'notice urgent' }, h('p', { text: words }), h('button', { type: 'button', class: 'icon-only plain', 'aria-label': t.close, onclick: () => one.remove() }, icon('close')));
  urgent.append(one);
  while (urgent.childElementCount > MOST_ALARMS) urgent.firstElementChild?.remove();
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
