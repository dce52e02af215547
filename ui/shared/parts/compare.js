// The code of one other person: both read it out, and whoever has compared it marks the person as known.

import { backend, state } from '../backend.js';
import { codeWords } from '../comparison.js';
import { h, id } from '../dom.js';
import { language, t } from '../strings.js';
import { announce, attempt } from './notices.js';
import { openDialog } from './dialog.js';

/** @typedef {import('../known.js').Standing} Standing */

/**
 * Shows the code in the language of the page and, below, in the other one: the two may have different languages.
 * @param {{ id: string, key: string, name: string, standing: Standing }} person
 */
export async function compareKeys({ id: who, key, name, standing }) {
  const words = h('div', { class: 'code-words', 'aria-live': 'polite' }, h('p', { class: 'quiet', text: t.codeIsComing }));
  const about = id('words'), other = language === 'ko' ? 'en' : 'ko';
  const done = h('button', { type: 'button', class: 'primary', disabled: true, text: t.codesAgree, onclick: () => agree() });
  const dialog = openDialog({ title: t.compareWith(name), class: 'question compare', body: [
    h('p', { id: about, text: standing === 'known' ? t.comparedBefore(name) : standing === 'changed' ? t.keyChangedWords(name) : t.compareWords(name) }),
    words,
    h('p', { class: 'quiet', text: t.codesDiffer }),
    h('div', { class: 'actions' }, h('button', { type: 'button', text: t.close, onclick: () => dialog.close() }), done)] });
  dialog.setAttribute('aria-describedby', about);
  const agree = async () => {
    if (!await attempt(backend.call('mark_compared', { id: who, key }).then(() => true))) return;
    dialog.close();
    announce(t.isKnownNow(name));
  };
  const numbers = await attempt(backend.call('compare', { id: who, key }));
  if (!numbers) return dialog.close();
  const stillHere = state().call.participants.some(one => one.id === who && one.key === key);
  words.replaceChildren(list(numbers, language), h('details', {}, h('summary', { text: t.inTheOtherLanguage }), list(numbers, other)));
  done.disabled = !stillHere || standing === 'known';
}

/** @param {number[]} numbers @param {'en' | 'ko'} language */
const list = (numbers, language) => h('ol', { class: 'code', lang: language, 'aria-label': t.code }, ...codeWords(numbers, language).map(word => h('li', { text: word })));

/** What is known about somebody, for a mark beside the name. @param {Standing} standing */
export const standingWords = standing => standing === 'known' ? t.compared : standing === 'changed' ? t.keyChanged : '';
