// A dialog for pasting a link.

import { backend } from '../backend.js';
import { h, id } from '../dom.js';
import { t } from '../strings.js';
import { attempt } from './notices.js';
import { openDialog } from './dialog.js';

export function pasteLink() {
  const name = id('link');
  const input = h('input', { id: name, type: 'text', autocomplete: 'off', spellcheck: 'false', placeholder: 'lunchroom://join/…', required: true });
  const dialog = openDialog({ title: t.openLink, class: 'question', body: [h('form', { onsubmit: async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (await attempt(backend.call('open_link', { link: input.value.trim() }).then(() => true))) dialog.close();
  } },
  h('div', { class: 'field' }, h('label', { for: name, text: t.link }), input),
  h('p', { class: 'quiet', text: t.openLinkHint }),
  h('div', { class: 'actions' }, h('button', { type: 'submit', class: 'primary', text: t.open })))] });
  input.focus();
}
