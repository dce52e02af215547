// A dialog: a heading, a body and a way out. The browser's own `<dialog>` keeps the focus in and gives it back.

import { h, id } from '../dom.js';
import { icon } from '../icons.js';
import { t } from '../strings.js';

/**
 * @param {{ title: string, class?: string, body: Node[], closed?: () => void }} options
 * @returns {HTMLDialogElement} open already; `close()` it
 */
export function openDialog({ title, class: name = '', body, closed }) {
  const heading = id('dialog');
  const dialog = h('dialog', { class: `sheet ${name}`, 'aria-labelledby': heading },
    h('header', {},
      h('h2', { id: heading, text: title }),
      h('button', { type: 'button', class: 'icon-only plain', 'aria-label': t.close, onclick: () => dialog.close() }, icon('close'))),
    h('div', { class: 'body' }, ...body));
  // A press beside the sheet closes it, as everywhere.
  dialog.addEventListener('pointerdown', event => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener('close', () => {
    dialog.remove();
    cover();
    closed?.();
  });
  document.body.append(dialog);
  cover();
  dialog.showModal();
  return dialog;
}

/** WebKitGTK paints the scroll bars of what lies below over a dialog: while one is open nothing below scrolls. */
const cover = () => document.documentElement.classList.toggle('covered', document.querySelector('dialog.sheet') !== null);

/** A question with one button that does it. @param {{ title: string, words: string, yes: string, no?: string, danger?: boolean }} question @returns {Promise<boolean>} */
export function ask({ title, words, yes, no = t.cancel, danger = false }) {
  return new Promise(resolve => {
    let answer = false;
    const about = id('words');
    const dialog = openDialog({
      title, class: 'question', closed: () => resolve(answer),
      body: [h('p', { id: about, text: words }), h('div', { class: 'actions' },
        h('button', { type: 'button', text: no, onclick: () => dialog.close() }),
        h('button', { type: 'button', class: danger ? 'danger' : 'primary', text: yes, onclick: () => { answer = true; dialog.close(); } }))],
    });
    dialog.setAttribute('aria-describedby', about);
  });
}
