// Dialogs with a heading, a body and a close button. The browser's `<dialog>` traps and restores the focus.

import { h, id } from '../dom.js';
import { icon } from '../icons.js';
import { t } from '../strings.js';

/**
 * Opens a dialog.
 * @param {{ title: string, class?: string, body: Node[], closed?: () => void }} options `closed` is called after it is closed
 * @returns {HTMLDialogElement}
 */
export function openDialog({ title, class: name = '', body, closed }) {
  const heading = id('dialog');
  const dialog = h('dialog', { class: `sheet ${name}`, 'aria-labelledby': heading },
    h('header', {},
      h('h2', { id: heading, text: title }),
      h('button', { type: 'button', class: 'icon-only plain', 'aria-label': t.close, onclick: () => dialog.close() }, icon('close'))),
    h('div', { class: 'body' }, ...body));
  // A press on the backdrop closes the dialog.
  dialog.addEventListener('pointerdown', event => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener('close', () => {
    dialog.remove();
    updateCovered();
    closed?.();
  });
  document.body.append(dialog);
  updateCovered();
  dialog.showModal();
  return dialog;
}

/** Disables scrolling below an open dialog, because WebKitGTK paints scroll bars over it. */
const updateCovered = () => document.documentElement.classList.toggle('covered', document.querySelector('dialog.sheet') !== null);

/** Asks a question; resolves to whether the person confirmed. @param {{ title: string, words: string, yes: string, no?: string, danger?: boolean }} question @returns {Promise<boolean>} */
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
