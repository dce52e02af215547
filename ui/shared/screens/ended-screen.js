// The end of a call that the person did not leave: what happened, and what the person can do.

import { backend, state } from '../backend.js';
import { h, shown, text } from '../dom.js';
import { reasonOf } from '../parts/order.js';
import { roundTable } from '../parts/round-table.js';
import { navigation } from '../navigation.js';
import { endWords, t } from '../strings.js';
import { View } from '../view.js';

/** Codes after which another attempt makes sense. */
const RETRYABLE = ['room_full', 'room_locked', 'timeout', 'server_stopping', 'server_full', 'too_slow', 'internal', 'rate_limited', 'server_unreachable', 'server_silent', 'knocking_refused', 'too_early', 'table_full', 'lost', 'replaced'];

/** @typedef {import('../model.d.ts').AppState} AppState */

export class EndedScreen extends View {
  build() {
    const { call } = state();
    const code = call.stage.kind === 'ended' ? call.stage.code : '';
    const heads = /** @type {Record<string, string>} */ (t.ends);
    const canRetry = RETRYABLE.includes(code) && call.room;
    this.lead = h('p', { class: 'lead', text: endWords(code, backend.shell === 'guest') });
    this.reason = h('p', { dir: 'auto', hidden: true });
    this.append(h('div', { class: 'center' },
      h('div', { class: 'mark' }, roundTable({ seats: 4, taken: [], takenCount: ['room_full', 'table_full'].includes(code) ? 4 : 0 })),
      h('h1', { text: heads[code] ?? t.callEnded }),
      this.lead,
      this.reason,
      h('div', { class: 'actions' },
        h('button', { type: 'button', class: canRetry ? '' : 'primary', text: backend.shell === 'guest' ? t.back : t.home, onclick: () => navigation.go(null) }),
        canRetry ? h('button', { type: 'button', class: 'primary', text: t.tryAgain, onclick: () => navigation.go(navigation.target ?? { room: call.room, known: true }) }) : null)));
  }

  /** A steward's reason arrives after the end of the call. @param {AppState} state */
  update({ call, board }) {
    if (!this.reason || !this.lead) return;
    const reason = call.stage.kind === 'ended' && board ? reasonOf(call.stage.code, board) : '';
    // The board is named only where the reason is not here.
    if (call.stage.kind === 'ended') text(this.lead, endWords(call.stage.code, backend.shell === 'guest' || reason !== ''));
    shown(this.reason, reason !== '');
    text(this.reason, reason);
  }
}
customElements.define('lr-ended', EndedScreen);
