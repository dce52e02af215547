// Selects the language, on the first screens.

import { backend, state } from '../backend.js';
import { h } from '../dom.js';
import { t } from '../strings.js';
import { View } from '../view.js';
import { attempt } from './notices.js';

/** @typedef {import('../model.d.ts').AppState} AppState */
/** @typedef {import('../strings.js').Language} Language */

export class LanguageChoice extends View {
  build() {
    this.append(h('fieldset', { class: 'languages' }, h('legend', { class: 'visually-hidden', text: t.language }),
      this.#option('ko', '한국어', 'ko'), this.#option('en', 'English', 'en'), this.#option('system', t.asTheSystem, null)));
  }

  /** @param {AppState} state */
  update({ settings }) {
    const chosen = settings.language ?? 'system';
    for (const radio of this.querySelectorAll('input')) radio.checked = radio.value === chosen;
  }

  /** @param {string} value @param {string} words @param {Language | null} language null: the system's */
  #option(value, words, language) {
    const radio = h('input', { type: 'radio', name: 'language', id: `language-${value}`, value,
      onchange: () => attempt(backend.call('save_settings', { settings: { ...state().settings, language } })) });
    return h('span', { class: 'language' }, radio, h('label', { for: radio.id, lang: language, text: words }));
  }
}
customElements.define('lr-language', LanguageChoice);
