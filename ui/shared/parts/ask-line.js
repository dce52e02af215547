// A dialog that asks for one line of text, and for one choice if there are several.

import { h, id, shown, text } from '../dom.js';
import { limitInput } from '../input-limit.js';
import { problem, t } from '../strings.js';
import { openDialog } from './dialog.js';

/**
 * @typedef {object} Question
 * @property {string} title
 * @property {string} words what happens then
 * @property {string} label of the line
 * @property {string} yes
 * @property {{ label: string, options: { value: string, words: string }[] }} [choice]
 * @property {(line: string, choice: string) => Promise<unknown>} run does it; a refusal is shown in the dialog, which stays open
 */

/** Opens the dialog. @param {Question} question */
export function askLine({ title, words, label, yes, choice, run }) {
  const about = id('words');
  const line = h('input', { id: id('line'), type: 'text', required: true, autocomplete: 'off' });
  limitInput(line, { characters: 200 });
  const select = choice && h('select', { id: id('choice') }, ...choice.options.map(one => h('option', { value: one.value, text: one.words })));
  const trouble = h('p', { class: 'trouble', role: 'alert', hidden: true });
  const submit = h('button', { type: 'submit', class: 'danger', text: yes });
  const form = h('form', { onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); send(); } },
    h('p', { id: about, text: words }),
    select && choice ? h('div', { class: 'field' }, h('label', { for: select.id, text: choice.label }), select) : null,
    h('div', { class: 'field' }, h('label', { for: line.id, text: label }), line),
    trouble,
    h('div', { class: 'actions' }, h('button', { type: 'button', text: t.cancel, onclick: () => dialog.close() }), submit));
  const dialog = openDialog({ title, class: 'question ask-line', body: [form] });
  dialog.setAttribute('aria-describedby', about);
  (select ?? line).focus();

  async function send() {
    const said = line.value.trim();
    if (!said) return line.focus();
    submit.disabled = true;
    try {
      await run(said, select?.value ?? '');
      dialog.close();
    } catch (error) {
      const { code = 'internal', message } = /** @type {import('../backend.js').CommandError} */ (error ?? {});
      shown(trouble, true);
      // A server from before this request does not know it.
      text(trouble, problem(code === 'malformed' ? 'server_too_old' : code, message));
    } finally {
      submit.disabled = false;
    }
  }
}
