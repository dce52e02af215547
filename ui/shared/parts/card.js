// A table on the board.

import { backend, state } from '../backend.js';
import { h, text } from '../dom.js';
import { icon } from '../icons.js';
import { problem, t } from '../strings.js';
import { enter, isMine, isOpen, serverNow } from '../tables.js';
import { clock, ownTime, zoneOr } from '../times.js';
import { announce, attempt } from './notices.js';
import { ask } from './dialog.js';
import { menu } from './menu.js';
import { roundTable } from './round-table.js';
import { moveTable } from './move-table.js';
import { closeTable } from './order.js';
import { copyTableLink, saveCalendar } from './table-links.js';

/** @typedef {import('../model.d.ts').BoardState} BoardState */
/** @typedef {import('../model.d.ts').TableView} TableView */

/** Further names are only counted. */
const MAX_NAMES = 4;

export class Card extends HTMLElement {
  /** Identifies what is shown, to update only after a change. */
  #shownKey = '';
  /** @type {TableView | null} */
  table = null;

  #build() {
    this.glyph = h('div', { class: 'glyph' });
    this.topic = h('h4', { dir: 'auto' });
    this.when = h('p', { class: 'when' });
    this.names = h('p', { class: 'names', dir: 'auto' });
    this.seats = h('p', { class: 'seats' });
    this.main = h('button', { type: 'button', class: 'take' });
    this.main.addEventListener('click', () => this.#runAction());
    const more = h('button', { type: 'button', class: 'icon-only plain more', 'aria-label': t.more }, icon('more'));
    this.more = more;
    this.append(this.glyph, h('div', { class: 'about' }, this.topic, this.when, this.names, this.seats), h('div', { class: 'do' }, this.main, more));
    menu(more, () => this.#menu());
  }

  /** @param {TableView} table @param {BoardState} board @param {number} now */
  show(table, board, now) {
    const open = isOpen(table, now);
    const key = `${JSON.stringify(table)} ${open} ${board.member} ${t.takeSeat}`;
    if (key === this.#shownKey) return;
    this.#shownKey = key;
    this.table = table;
    if (!this.firstChild) this.#build();
    if (!this.glyph || !this.topic || !this.when || !this.names || !this.seats || !this.main || !this.more) return;
    const zone = zoneOr(board.zone), full = table.taken_count >= table.seats, mine = isMine(table);
    const topic = table.topic || t.table;
    this.classList.toggle('mine', mine);
    this.classList.toggle('full', full && !mine);
    this.glyph.replaceChildren(roundTable({ seats: table.seats, taken: table.taken, takenCount: table.taken_count, mine: backend.state?.you.person ?? backend.state?.you.key, ...(board.member && !mine && !full ? { take: () => this.#take() } : {}) }));
    text(this.topic, topic);
    const times = table.now ? t.untilTime(clock(table.ends_ms, zone)) : `${clock(table.starts_ms, zone)}–${clock(table.ends_ms, zone)}`;
    const own = table.now ? null : ownTime(table.starts_ms, zone);
    this.when.replaceChildren(h('time', { text: times }), ...(own ? [h('span', { text: t.yourTime(own) })] : []), ...(table.place ? [h('span', { class: 'place', dir: 'auto', text: table.place })] : []),
      ...(table.weekly ? [h('span', { class: 'tag', text: t.weekly })] : []), ...(table.door === 'knock' ? [h('span', { class: 'tag' }, icon('door'), t.byKnocking)] : []),
      ...(table.locked ? [h('span', { class: 'tag' }, icon('lock'), t.locked)] : []));
    text(this.names, this.#names(table));
    this.seats.replaceChildren(...this.#seats(table, full, mine));
    const action = this.#action(table, open, full, mine, board.member);
    text(this.main, action.words);
    this.main.disabled = !action.enabled;
    this.main.className = `take${action.primary ? ' primary' : ''}`;
    this.main.dataset.action = action.name;
    this.main.setAttribute('aria-label', `${action.words}: ${topic}, ${times}`);
    this.more.setAttribute('aria-label', `${t.more}: ${topic}`);
  }

  /** @param {TableView} table */
  #names(table) {
    const names = table.taken.map(person => person.name).filter(Boolean);
    if (!names.length) return '';
    return names.length > MAX_NAMES ? t.andOthers(names.slice(0, MAX_NAMES).join(', '), names.length - MAX_NAMES) : names.join(', ');
  }

  /** @param {TableView} table @param {boolean} full @param {boolean} mine */
  #seats(table, full, mine) {
    const left = table.seats - table.taken_count;
    return [
      mine ? h('strong', { class: 'yours', text: table.mine === 'host' ? t.yourTableAsHost : t.yourSeat }) : table.mine === 'waiting' ? h('strong', { text: t.youWait }) : null,
      full ? h('span', { text: table.waiting_count ? t.fullWaiting(table.waiting_count) : t.full }) : h('span', { class: 'good', text: t.seatsLeft(left) }),
      table.in_call ? h('span', { class: 'live', text: t.peopleInCall(table.in_call) }) : null,
    ].filter(part => part !== null);
  }

  /** @param {TableView} table @param {boolean} open @param {boolean} full @param {boolean} mine @param {boolean} member */
  #action(table, open, full, mine, member) {
    if (mine && open) return { name: 'enter', words: t.goToTable, primary: true, enabled: true };
    if (mine) return { name: 'leave', words: t.leaveSeat, primary: false, enabled: true };
    if (table.mine === 'waiting') return { name: 'leave', words: t.leaveWaitList, primary: false, enabled: true };
    if (!member) return { name: 'enter', words: t.goToTable, primary: false, enabled: open };
    if (table.locked) return { name: 'take', words: t.locked, primary: false, enabled: false };
    if (full) return { name: 'take', words: t.joinWaitList, primary: false, enabled: true };
    return { name: 'take', words: t.takeSeat, primary: false, enabled: true };
  }

  #runAction() {
    const action = this.main?.dataset.action;
    if (action === 'enter' && this.table) enter(this.table);
    else if (action === 'leave') this.#leave();
    else this.#take();
  }

  async #take() {
    const { table } = this;
    if (!table) return;
    const full = table.taken_count >= table.seats;
    try {
      await backend.call('take_seat', { table: table.id, wait: full });
      announce(full ? t.onTheWaitList : t.seatTaken(table.topic || t.table));
    } catch (error) {
      if (full || /** @type {{ code?: string }} */ (error).code !== 'table_full') return void attempt(Promise.reject(error));
      if (await ask({ title: t.someoneQuicker, words: problem('table_full'), yes: t.joinWaitList })) {
        if (await attempt(backend.call('take_seat', { table: table.id, wait: true }).then(() => true))) announce(t.onTheWaitList);
      }
    }
  }

  async #leave() {
    if (this.table && await attempt(backend.call('leave_seat', { table: this.table.id }).then(() => true))) announce(t.seatLeft);
  }

  /** @returns {import('./menu.js').Item[]} */
  #menu() {
    const { table } = this;
    if (!table) return [];
    const mine = isMine(table), { board } = state(), hasBegun = board !== null && serverNow(board) >= table.starts_ms;
    return [
      { words: t.copyLink, icon: 'link', run: () => copyTableLink(table) },
      { words: t.addToCalendar, icon: 'calendar', run: () => saveCalendar(table) },
      ...(mine && this.main?.dataset.action !== 'leave' ? [{ words: t.leaveSeat, icon: /** @type {const} */ ('leave'), run: () => this.#leave() }] : []),
      ...(table.mine === 'host' && !hasBegun ? [{ words: t.moveTable, icon: /** @type {const} */ ('clock'), run: () => moveTable(table) }] : []),
      ...(table.mine === 'host' && table.weekly ? [{ words: t.cancelDate, icon: /** @type {const} */ ('close'), danger: true, run: () => this.#cancelDate(table) }] : []),
      ...(table.mine === 'host' ? [{ words: t.deleteTable, icon: /** @type {const} */ ('trash'), danger: true, run: () => this.#delete(table) }] : []),
      ...(board?.order.steward && table.mine !== 'host' ? [{ words: t.order.closeTable, icon: /** @type {const} */ ('lock'), danger: true, run: () => closeTable(table) }] : []),
    ];
  }

  /** Cancels this date of a weekly table. The others stay. @param {TableView} table */
  async #cancelDate(table) {
    if (!await ask({ title: t.cancelDate, words: t.cancelDateSure(table.taken_count - 1), yes: t.cancelDate, danger: true })) return;
    try {
      await backend.call('cancel_date', { table: table.id });
      announce(t.dateCancelled);
    } catch (error) {
      // An older server does not know the request.
      const isOld = /** @type {{ code?: string }} */ (error ?? {}).code === 'malformed';
      attempt(Promise.reject(isOld ? { code: 'cancel_date_unsupported', message: '' } : error));
    }
  }

  /** @param {TableView} table */
  async #delete(table) {
    const others = table.taken_count - 1;
    if (others > 0 && !await ask({ title: t.deleteTable, words: t.deleteTableSure(others), yes: t.deleteTable, danger: true })) return;
    if (await attempt(backend.call('delete_table', { table: table.id }).then(() => true))) announce(t.tableDeleted);
  }
}
customElements.define('lr-card', Card);
