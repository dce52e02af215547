// The chat. Lines are text, never markup; the confirming Enter of an input method does not send half a syllable.

import { backend, state } from '../backend.js';
import { composing, h, keyed, shown, text } from '../dom.js';
import { t } from '../strings.js';
import { localClock } from '../times.js';
import { View } from '../view.js';
import { tried } from './announce.js';

/** @typedef {import('../model.d.ts').AppState} AppState */
/** @typedef {import('../model.d.ts').ChatLine} ChatLine */

/** Longest line, in letters (PROTOCOL.md). */
const LONGEST = 4000;
/** Lines of one person within this time stand under one name, ms. */
const TOGETHER_MS = 2 * 60_000;

export class Chat extends View {
  build() {
    this.lines = h('ol', { class: 'lines', role: 'list' });
    this.log = h('div', { class: 'log', role: 'log', 'aria-label': t.chat, tabindex: 0 }, this.lines);
    this.none = h('p', { class: 'quiet none', text: t.nobodyWrote });
    this.input = h('textarea', { id: 'chat-input', rows: 1, maxlength: LONGEST, placeholder: t.writeSomething, 'aria-label': t.writeSomething });
    this.input.addEventListener('keydown', event => {
      if (event.key !== 'Enter' || event.shiftKey || composing(event)) return;
      event.preventDefault();
      this.#send();
    });
    this.input.addEventListener('input', () => this.#grow());
    this.append(this.none, this.log, h('form', { class: 'say', onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); this.#send(); } },
      this.input, h('button', { type: 'submit', class: 'primary small', text: t.send })));
  }

  /** @param {AppState} state */
  update({ call }) {
    if (!this.lines || !this.log || !this.none) return;
    shown(this.none, call.chat.length === 0);
    const before = this.lines.childElementCount, atEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 40;
    /** @type {Map<string, number>} */
    const seen = new Map();
    const lines = call.chat.map((line, n) => {
      const stem = `${line.at} ${line.from} ${line.text}`, nth = seen.get(stem) ?? 0;
      seen.set(stem, nth + 1);
      const last = call.chat[n - 1];
      return { line, key: `${stem} ${nth}`, first: last?.from !== line.from || line.at - last.at > TOGETHER_MS };
    });
    keyed(this.lines, lines, one => one.key, ({ line, first }) => this.#line(line, first, line.from === call.you));
    if (this.lines.childElementCount !== before && atEnd) this.log.scrollTop = this.log.scrollHeight;
  }

  connected() {
    if (this.log) this.log.scrollTop = this.log.scrollHeight;
  }

  /** @param {ChatLine} line @param {boolean} first @param {boolean} own */
  #line(line, first, own) {
    return h('li', { class: `${own ? 'own' : ''}${first ? ' first' : ''}` },
      first ? h('p', { class: 'from' }, h('strong', { dir: 'auto', text: own ? t.youShort : line.name }), h('time', { class: 'quiet', text: localClock(line.at) })) : null,
      h('p', { class: 'text', dir: 'auto', text: line.text }));
  }

  async #send() {
    const { input } = this;
    const words = input?.value.trim();
    if (!input || !words) return;
    input.value = '';
    this.#grow();
    input.focus();
    const sent = await tried(backend.call('send_chat', { text: words }).then(() => true));
    // What could not be said is not lost.
    if (!sent && !input.value) input.value = words;
  }

  #grow() {
    if (!this.input) return;
    this.input.style.height = 'auto';
    this.input.style.height = `${Math.min(this.input.scrollHeight, 160)}px`;
  }

  focusInput() {
    this.input?.focus();
  }
}
customElements.define('lr-chat', Chat);

/** Lines of others, for the badge. */
export const othersLines = () => state().call.chat.filter(line => line.from !== state().call.you).length;
