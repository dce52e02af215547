// A guest's first look: what the link is for, the app first, else this browser.

import { h, shown, text } from '../shared/dom.js';
import { roundTable } from '../shared/parts/round-table.js';
import { state } from '../shared/backend.js';
import { place } from '../shared/place.js';
import { t } from '../shared/strings.js';
import { clock, zoneOr } from '../shared/times.js';
import { View } from '../shared/view.js';

/** @typedef {import('../shared/model.d.ts').AppState} AppState */
/** @typedef {import('./invitation.js').Invitation} Invitation */

export class GuestWelcome extends View {
  /** @param {Invitation} invitation */
  constructor(invitation) {
    super();
    this.invitation = invitation;
    this.over = state().call.stage.kind === 'ended';
  }

  build() {
    const { link, room, server, invite } = this.invitation;
    const able = typeof RTCPeerConnection === 'function' && Boolean(navigator.mediaDevices) && Boolean(crypto.subtle);
    this.glyph = h('div', { class: 'mark' });
    this.lead = h('p', { class: 'lead', dir: 'auto' });
    this.seats = h('p', { class: 'quiet', role: 'status' });
    const open = link ? h('a', { class: this.over ? 'way' : 'primary', href: link, text: t.openInApp }) : null;
    const join = h('button', { type: 'button', id: 'join-here', class: open && !this.over ? '' : 'primary large', text: this.over ? t.joinAgain : t.joinInBrowser,
      onclick: () => place.go({ room, server, invite, known: true }) });
    this.append(h('main', { class: 'center' }, h('div', { class: 'card' }, this.glyph,
      h('h1', { text: this.over ? t.guestEnded : t.guestTitle }), this.lead, this.seats,
      h('div', { class: 'ways' }, ...(this.over ? [able ? join : null, open] : [open, open ? h('p', { class: 'quiet', text: t.openInAppHint }) : null, able ? join : null]),
        able ? null : h('p', { class: 'trouble', text: t.browserTooOld })))));
  }

  /** @param {AppState} state */
  update({ board }) {
    if (!this.glyph || !this.lead || !this.seats) return;
    const table = board?.tables.find(one => one.room === this.invitation.room);
    const words = table && board ? [table.topic, table.now ? t.now : clock(table.starts_ms, zoneOr(board.zone)), table.place].filter(Boolean).join(' · ') : '';
    text(this.lead, this.over ? t.guestEndedWords : words || t.guestLead(this.invitation.room));
    shown(this.seats, table !== undefined);
    if (table) text(this.seats, table.in_call ? t.peopleInCall(table.in_call) : t.seatsTaken(table.taken_count, table.seats));
    const key = table ? `${table.seats} ${table.taken_count}` : 'none';
    if (this.glyph.dataset.key === key) return;
    this.glyph.dataset.key = key;
    this.glyph.replaceChildren(roundTable(table ? { seats: table.seats, taken: table.taken, takenCount: table.taken_count } : { seats: 4, taken: [], takenCount: 1 }));
  }
}
customElements.define('lr-guest', GuestWelcome);
