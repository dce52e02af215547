// The chat. Lines are text, never markup. The Enter that confirms an input method's composition does not send the line.

import { backend, state } from '../backend.js';
import { composing, h, keyed, shown, text } from '../dom.js';
import { draft } from '../draft.js';
import { LIMITS, limitInput } from '../input-limit.js';
import { problem, t } from '../strings.js';
import { localClock } from '../times.js';
import { View } from '../view.js';
import { EMOJI_GROUPS, canDraw } from '../emoji.js';
import { icon } from '../icons.js';
import { emojiButtons } from './emoji-buttons.js';
import { Transfers, offersFromOthers, sendFileButton } from './transfers.js';
import { withLinks } from './web-link.js';

/** @typedef {import('../model.d.ts').AppState} AppState */
/** @typedef {import('../model.d.ts').ChatLine} ChatLine */
/** @typedef {import('../model.d.ts').UnsentLine} UnsentLine */

/** Consecutive lines of a person within this time share one heading, ms. */
const GROUP_MS = 2 * 60_000;

export class Chat extends View {
  #isComposing = false;
  /** Lines that were taken back during a composition. They are inserted before the field's text when it ends. */
  #returned = '';

  build() {
    this.#isComposing = false;
    this.lines = h('ol', { class: 'lines', role: 'list' });
    this.waiting = h('ol', { class: 'lines waiting', role: 'list', 'aria-live': 'off', 'aria-label': t.notSeenYet });
    this.status = h('p', { class: 'visually-hidden', role: 'status' });
    this.log = h('div', { class: 'log', role: 'log', 'aria-label': t.chat, tabindex: 0 }, this.lines, this.waiting);
    this.none = h('p', { class: 'quiet none', text: t.nobodyWrote });
    this.input = h('textarea', { id: 'chat-input', rows: 1, placeholder: t.writeSomething, 'aria-label': t.writeSomething });
    this.input.addEventListener('keydown', event => {
      if (event.key !== 'Enter' || event.shiftKey || composing(event)) return;
      event.preventDefault();
      this.#send();
    });
    limitInput(this.input, LIMITS.chat);
    this.input.addEventListener('compositionstart', () => { this.#isComposing = true; });
    this.input.addEventListener('compositionend', () => this.#endComposition());
    this.input.addEventListener('input', () => {
      draft.text = this.#returned + (this.input?.value ?? '');
      if (!this.#returned) this.#showError('');
      this.#grow();
    });
    this.error = h('p', { class: 'trouble', role: 'alert', id: 'chat-wrong', hidden: true });
    const emoji = h('button', { type: 'button', class: 'icon-only plain', id: 'chat-emoji', 'aria-label': t.emoji, title: t.emoji }, icon('smile'));
    const transfers = new Transfers();
    this.append(this.none, this.log, transfers, this.status, this.error, h('form', { class: 'say', onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); this.#send(); } },
      sendFileButton(() => transfers.chooseFiles()), h('span', { class: 'holder' }, emoji), this.input, h('button', { type: 'submit', class: 'primary small', text: t.send })));
    emojiButtons(emoji, { label: t.emoji, class: 'emoji-table', choose: (_, one) => this.#insert(one), closed: () => this.focusInput(),
      groups: () => EMOJI_GROUPS.map(({ group, emoji }) => ({ title: t.emojiGroups[group], emoji: emoji.filter(canDraw).map(text => ({ text })) })) });
    this.#showDraft();
  }

  /** Inserts a text at the cursor. @param {string} text */
  #insert(text) {
    const { input } = this;
    if (!input) return;
    input.setRangeText(text, input.selectionStart, input.selectionEnd, 'end');
    input.dispatchEvent(new Event('input', { bubbles: true }));
  }

  /** @param {AppState} state */
  update({ call, chat }) {
    if (!this.lines || !this.waiting || !this.log || !this.none || !this.status) return;
    const waiting = (call.unsent ?? []).filter(line => line.failed === null);
    shown(this.none, chat.length + waiting.length === 0);
    const before = this.lines.childElementCount + this.waiting.childElementCount, atEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 40;
    /** @type {Map<string, number>} */
    const seen = new Map();
    const lines = chat.map((line, n) => {
      const stem = `${line.at} ${line.from} ${line.text}`, nth = seen.get(stem) ?? 0;
      seen.set(stem, nth + 1);
      const last = chat[n - 1];
      return { line, key: `${stem} ${nth}`, first: last?.from !== line.from || line.at - last.at > GROUP_MS };
    });
    keyed(this.lines, lines, one => one.key, ({ line, first }) => this.#line(line, first, line.from === call.you));
    text(this.status, waiting.length && call.stage.kind === 'reconnecting' ? t.linesWait(waiting.length) : '');
    keyed(this.waiting, waiting, one => String(one.number), one => waitingLine(one));
    if (this.lines.childElementCount + this.waiting.childElementCount !== before && atEnd) this.log.scrollTop = this.log.scrollHeight;
  }

  connected() {
    draft.enter(state().call.room);
    this.onDisconnect(draft.onReturn(() => this.#takeBack()));
    this.#showDraft();
    if (this.log) this.log.scrollTop = this.log.scrollHeight;
  }

  /** Shows the draft and its error. */
  #showDraft() {
    if (!this.input) return;
    this.input.value = draft.text;
    this.#showError(draft.error);
    this.#grow();
  }

  /** Inserts lines that were taken back before the text. During a composition they wait, because a new value would end it. */
  #takeBack() {
    if (!this.#isComposing) return this.#showDraft();
    const { value = '' } = this.input ?? {};
    this.#returned = value ? draft.text.slice(0, -value.length) : `${draft.text}\n`;
    this.#showError(draft.error);
  }

  #endComposition() {
    this.#isComposing = false;
    if (!this.#returned) return;
    this.#returned = '';
    this.#showDraft();
  }

  /** @param {string} code why the text in the field was not sent; empty: no error */
  #showError(code) {
    if (!this.error || !this.input) return;
    draft.error = code;
    shown(this.error, code !== '');
    text(this.error, code ? t.notSaid(problem(code)) : '');
    if (code) this.input.setAttribute('aria-describedby', this.error.id);
    else this.input.removeAttribute('aria-describedby');
  }

  /** @param {ChatLine} line @param {boolean} first @param {boolean} own */
  #line(line, first, own) {
    return h('li', { class: `${own ? 'own' : ''}${first ? ' first' : ''}` },
      first ? h('p', { class: 'from' }, h('strong', { dir: 'auto', text: own ? t.youShort : line.name }), h('time', { class: 'quiet', text: localClock(line.at) })) : null,
      h('p', { class: 'text', dir: 'auto' }, ...withLinks(line.text)));
  }

  async #send() {
    const { input } = this;
    const words = input?.value.trim();
    if (!input || !words) return;
    const typed = input.value;
    input.value = draft.text = '';
    this.#showError('');
    this.#grow();
    input.focus();
    try {
      await backend.call('send_chat', { text: words });
    } catch (error) {
      // Keep a text that was rejected.
      draft.text = [typed, draft.text].filter(Boolean).join('\n');
      draft.error = /** @type {{ code?: string }} */ (error ?? {}).code ?? 'internal';
      this.#takeBack();
    }
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

/** Makes a line that is not confirmed yet. @param {UnsentLine} line */
const waitingLine = line => h('li', { class: 'own first' },
  h('p', { class: 'from' }, h('strong', { dir: 'auto', text: t.youShort }), h('span', { class: 'quiet', text: t.beingSent })),
  h('p', { class: 'text', dir: 'auto', text: line.text }));

/** Returns the number of lines and files from others, for the badge. */
export const othersLines = () => state().chat.filter(line => line.from !== state().call.you).length + offersFromOthers();
