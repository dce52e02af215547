// The guest's first screen: what the link opens, in the app or in this browser.

import { h, shown, text } from '../shared/dom.js';
import { LanguageChoice } from '../shared/parts/language.js';
import { reasonOf } from '../shared/parts/order.js';
import { roundTable } from '../shared/parts/round-table.js';
import { state } from '../shared/backend.js';
import { navigation } from '../shared/navigation.js';
import { endWords, t } from '../shared/strings.js';
import { isMine, isOpen, isTableRoom, serverNow, EARLY_MS } from '../shared/tables.js';
import { bothTimes, dayOf, longDay, zoneOr } from '../shared/times.js';
import { View } from '../shared/view.js';

/** @typedef {import('../shared/model.d.ts').AppState} AppState */
/** @typedef {import('../shared/model.d.ts').BoardState} BoardState */
/** @typedef {import('../shared/model.d.ts').TableView} TableView */
/** @typedef {import('./invitation.js').Invitation} Invitation */

export class GuestWelcome extends View {
  /** @param {Invitation} invitation */
  constructor(invitation) {
    super();
    this.invitation = invitation;
    const { stage } = state().call;
    this.over = stage.kind === 'ended' && stage.code === 'left';
  }

  build() {
    const { link, room, server, invite } = this.invitation;
    const able = typeof RTCPeerConnection === 'function' && Boolean(navigator.mediaDevices) && Boolean(crypto.subtle);
    this.glyph = h('div', { class: 'mark' });
    this.lead = h('p', { class: 'lead', dir: 'auto' });
    this.seats = h('p', { class: 'quiet', role: 'status' });
    this.how = h('p', { class: 'lead' });
    this.error = h('p', { class: 'trouble', role: 'alert', hidden: true });
    this.heading = h('h1', { dir: 'auto', text: this.over ? t.guestEnded : isTableRoom(room) ? t.guestTitle : t.guestRoomTitle(room) });
    const open = this.open = link ? h('a', { class: this.over ? 'way' : 'primary', href: link, text: t.openInApp }) : null;
    const join = this.join = h('button', { type: 'button', id: 'join-here', class: open && !this.over ? '' : 'primary large', text: this.over ? t.joinAgain : t.joinInBrowser,
      onclick: () => navigation.go({ room, server, invite, known: true }) });
    this.hint = open && !this.over ? h('p', { class: 'quiet', text: t.openInAppHint }) : null;
    this.append(h('main', { class: 'center' }, h('div', { class: 'card' }, this.glyph,
      this.heading, this.lead, this.seats, this.how, this.error,
      h('div', { class: 'ways' }, ...(this.over ? [able ? join : null, open] : [open, this.hint, able ? join : null]),
        able ? null : h('p', { class: 'trouble', text: isSecureContext ? t.browserTooOld : t.needsHttps }))),
    new LanguageChoice()));
  }

  /** @param {AppState} state */
  update({ board, session }) {
    if (!this.glyph || !this.lead || !this.seats || !this.how || !this.error || !this.heading || !this.join) return;
    const { room, trouble } = this.invitation, table = board?.tables.find(one => one.room === room);
    const words = table && board ? [table.topic, when(table, board), table.place].filter(Boolean).join(' · ') : '';
    const heads = /** @type {Record<string, string>} */ (t.ends), blocked = trouble !== null && !this.over;
    text(this.heading, this.over ? t.guestEnded : trouble ? heads[trouble] ?? t.guestNoWay : isTableRoom(room) || table ? t.guestTitle : t.guestRoomTitle(room));
    text(this.lead, this.over ? t.guestEndedWords : trouble ? [endWords(trouble, true), board ? reasonOf(trouble, board) : ''].join(' ').trim() : words || (isTableRoom(room) ? t.guestLeadTable : t.guestLead));
    shown(this.seats, table !== undefined && !blocked);
    if (table) text(this.seats, table.in_call ? t.peopleInCall(table.in_call) : t.seatsTaken(table.taken_count, table.seats));
    const how = table && board && !this.over && !trouble ? entryCondition(table, board) : '';
    shown(this.how, how !== '');
    text(this.how, how);
    shown(this.join, !blocked);
    // Members can join in the app without the invite. Nobody can join after the host removed them, if the table does
    // not exist, or with an incomplete link.
    const closed = blocked && (trouble === 'removed' || trouble === 'suspended' || trouble === 'no_such_table' || trouble === 'link_parameter');
    if (this.open) shown(this.open, !closed);
    if (this.hint) {
      shown(this.hint, !closed);
      text(this.hint, blocked ? t.membersByApp : t.openInAppHint);
    }
    const lost = session.kind === 'open' ? null : session.problem;
    shown(this.error, lost !== null);
    if (lost) text(this.error, session.kind === 'connecting' ? `${endWords(lost.code, true)} ${t.tryingAgain}` : endWords(lost.code, true));
    const key = table ? `${table.seats} ${table.taken_count}` : 'none';
    if (this.glyph.dataset.key === key) return;
    this.glyph.dataset.key = key;
    this.glyph.replaceChildren(roundTable(table ? { seats: table.seats, taken: table.taken, takenCount: table.taken_count } : { seats: 4, taken: [], takenCount: 1 }));
  }
}
customElements.define('lr-guest', GuestWelcome);

/** The table's time, with the day unless it is today. @param {TableView} table @param {BoardState} board */
function when(table, board) {
  if (table.now) return t.now;
  const zone = zoneOr(board.zone), day = dayOf(table.starts_ms, zone), time = bothTimes(table.starts_ms, zone);
  return day === dayOf(serverNow(board), zone) ? time : `${longDay(day)} · ${time}`;
}

/** What the guest must wait for, or why the table is closed; empty if nothing. @param {TableView} table @param {BoardState} board */
function entryCondition(table, board) {
  if (isMine(table)) return '';
  if (!isOpen(table, serverNow(board))) return t.opensAt(bothTimes(table.starts_ms - EARLY_MS, zoneOr(board.zone)));
  if (table.locked) return t.problems.room_locked;
  if (table.taken_count >= table.seats) return t.guestProblems.table_full;
  return table.door === 'knock' ? t.knocksFirst : '';
}
