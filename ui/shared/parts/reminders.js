// Reminders of the board, shown on every screen with a button that goes to the table. When a table opens while the window
// has the focus and nothing else is open, its device check opens automatically.

import { backend } from '../backend.js';
import { h, shown, text } from '../dom.js';
import { icon } from '../icons.js';
import { navigation } from '../navigation.js';
import { t } from '../strings.js';
import { isOpen, serverNow } from '../tables.js';
import { View } from '../view.js';

/** @typedef {import('../model.d.ts').AppState} AppState */
/** @typedef {import('../model.d.ts').Reminder} Reminder */

export class Reminders extends View {
  /** The newest reminder that was not dismissed. @type {Reminder | null} */
  #newest = null;
  /** Number of the last dismissed reminder. */
  #lastDismissed = -1;

  build() {
    this.className = 'notice reminder';
    this.setAttribute('role', 'status');
    this.words = h('p', { dir: 'auto' });
    this.go = h('button', { type: 'button', class: 'small', id: 'reminder-go', text: t.goToTable, onclick: () => this.#go() });
    this.append(this.words, this.go, h('button', { type: 'button', class: 'icon-only plain', id: 'reminder-close', 'aria-label': t.close, onclick: () => this.#dismiss() }, icon('close')));
  }

  connected() {
    const refresh = () => backend.state && this.update(backend.state);
    addEventListener('focus', refresh);
    this.onDisconnect(() => removeEventListener('focus', refresh));
    this.onDisconnect(navigation.onChange(refresh));
  }

  /** @param {AppState} state */
  update(state) {
    const { words, go } = this;
    if (!words || !go) return;
    const one = this.#newest = state.reminders.findLast(reminder => reminder.number > this.#lastDismissed) ?? null;
    shown(this, one !== null);
    if (!one) return;
    const { call, board } = state;
    const busy = ['joining', 'knocking', 'joined', 'reconnecting'].includes(call.stage.kind);
    const there = one.kind !== 'deleted' && one.room === (busy ? call.room : navigation.target?.room);
    if (there) return this.#dismiss();
    const opens = one.kind === 'begins' || one.kind === 'seated';
    const idle = !busy && !navigation.target && !state.link && !document.querySelector('dialog[open]');
    if (opens && idle && document.hasFocus()) return this.#go();
    text(words, t.reminders[one.kind](one.topic || t.yourTable));
    const table = board?.tables.find(table => table.id === one.table);
    shown(go, Boolean(board && table && !busy && isOpen(table, serverNow(board))));
  }

  #go() {
    const one = this.#newest;
    this.#dismiss();
    if (one) navigation.go({ room: one.room, known: true, table: one.table });
  }

  #dismiss() {
    if (!this.#newest) return;
    this.#lastDismissed = this.#newest.number;
    this.#newest = null;
    shown(this, false);
    backend.call('dismiss_reminders', { last: this.#lastDismissed }).catch(() => {});
  }
}
customElements.define('lr-reminders', Reminders);
