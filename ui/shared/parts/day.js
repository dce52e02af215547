// The next days, and the tables of the selected day in half-hour slots.

import { attribute, h, keyed, shown, text } from '../dom.js';
import { state } from '../backend.js';
import { icon } from '../icons.js';
import { t } from '../strings.js';
import { serverNow } from '../tables.js';
import { clockOfMinute, dayNumber, dayOf, daysFrom, differsFromLocal, longDay, minuteOf, weekday, zoneName, zoneOr } from '../times.js';
import { View } from '../view.js';
import { Card } from './card.js';
import { layTable } from './lay-table.js';
import { roundTable } from './round-table.js';
import { Rounds } from './rounds.js';

/** @typedef {import('../model.d.ts').AppState} AppState */
/** @typedef {import('../model.d.ts').BoardState} BoardState */
/** @typedef {import('../model.d.ts').TableView} TableView */
/** @typedef {{ key: string, minute: number, tables: TableView[] }} Slot */

const DAYS = 7;
/** Slots that are shown even if empty, in minutes since midnight. */
const DEFAULT_SLOTS = [11 * 60 + 30, 12 * 60, 12 * 60 + 30, 13 * 60];
const HALF_HOUR = 30;
/** The slot of tables for now. */
const NOW = -1;

export class Day extends View {
  /** The selected day; null: today, also after midnight. @type {string | null} */
  #selected = null;

  build() {
    this.strip = h('div', { class: 'days', role: 'tablist', 'aria-label': t.days });
    this.strip.addEventListener('keydown', event => this.#handleKey(event));
    this.heading = h('h2', {});
    this.zone = h('p', { class: 'quiet zone', hidden: true });
    this.slots = h('div', { class: 'shelves' });
    this.rounds = new Rounds();
    this.empty = h('div', { class: 'empty', hidden: true });
    this.panel = h('section', { class: 'day', id: 'day-panel', role: 'tabpanel', tabindex: -1 }, this.rounds, this.heading, this.zone, this.empty, this.slots);
    this.append(this.strip, this.panel);
  }

  connected() {
    const timer = setInterval(() => this.update(state()), 20_000);
    this.onDisconnect(() => clearInterval(timer));
  }

  /** @param {AppState} state */
  update({ board }) {
    if (!board || !this.strip || !this.slots || !this.heading || !this.zone || !this.empty || !this.panel) return;
    const zone = zoneOr(board.zone), now = serverNow(board);
    shown(this.zone, differsFromLocal(now, zone));
    text(this.zone, t.timesIn(zoneName(now, zone)));
    const days = daysFrom(now, DAYS, zone), today = days[0];
    if (this.#selected !== null && !days.includes(this.#selected)) this.#selected = null;
    const selected = this.#selected ?? today;
    // A table that has ended is hidden, unless people are still in its room.
    const current = board.tables.filter(table => table.ends_ms > now || table.in_call > 0);
    const byDay = group(current, table => table.now ? today : dayOf(table.starts_ms, zone));
    this.#updateDays(days, selected, today, byDay);
    text(this.heading, selected === today ? `${t.today}, ${longDay(selected)}` : longDay(selected));
    attribute(this.panel, 'aria-labelledby', `day-${selected}`);
    const tables = byDay.get(selected) ?? [];
    this.#updateEmpty(tables.length === 0, selected, today);
    this.#updateSlots(board, tables, selected, today, now, zone);
  }

  /** @param {string[]} days @param {string} selected @param {string} today @param {Map<string, TableView[]>} byDay */
  #updateDays(days, selected, today, byDay) {
    if (!this.strip) return;
    keyed(this.strip, days, day => day, day => h('button', { type: 'button', role: 'tab', id: `day-${day}`, 'aria-controls': 'day-panel', onclick: () => this.#select(day) },
      h('span', { class: 'weekday', 'aria-hidden': 'true' }), h('span', { class: 'number', 'aria-hidden': 'true', text: dayNumber(day) }), h('span', { class: 'count', 'aria-hidden': 'true' }), h('span', { class: 'visually-hidden' })),
    (element, day) => {
      const tables = byDay.get(day) ?? [], mine = tables.some(table => table.mine === 'seat' || table.mine === 'host');
      attribute(element, 'aria-selected', String(day === selected));
      element.tabIndex = day === selected ? 0 : -1;
      element.classList.toggle('mine', mine);
      text(element.children[0], day === today ? t.today : weekday(day));
      text(element.children[2], tables.length ? t.tablesShort(tables.length) : '');
      text(element.children[3], [day === today ? t.today : '', longDay(day), t.tableCount(tables.length), mine ? t.youHaveASeat : ''].filter(Boolean).join(', '));
    });
  }

  /** @param {string} day */
  #select(day) {
    this.#selected = day;
    this.update(state());
    if (this.panel) this.panel.scrollTop = 0;
  }

  /** @param {KeyboardEvent} event */
  #handleKey(event) {
    const tabs = /** @type {HTMLElement[]} */ ([...(this.strip?.children ?? [])]);
    const here = tabs.findIndex(tab => tab.tabIndex === 0);
    const to = { ArrowRight: here + 1, ArrowLeft: here - 1, ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const tab = tabs[(to + tabs.length) % tabs.length];
    this.#select(tab.id.slice('day-'.length));
    tab.focus();
  }

  /** @param {boolean} nothing @param {string} selected @param {string} today */
  #updateEmpty(nothing, selected, today) {
    if (!this.empty) return;
    shown(this.empty, nothing);
    const key = nothing ? selected : '';
    if (this.empty.dataset.key === key) return;
    this.empty.dataset.key = key;
    if (!nothing) return this.empty.replaceChildren();
    this.empty.replaceChildren(
      roundTable({ seats: 4, taken: [], takenCount: 0 }),
      h('p', { class: 'lead', text: t.nobodyYet }), h('p', { class: 'quiet', text: selected === today ? t.beTheFirstToday : t.beTheFirst }),
      h('button', { type: 'button', class: 'primary', text: t.layTable, onclick: () => layTable(selected === today ? {} : { day: selected }) }));
  }

  /** @param {BoardState} board @param {TableView[]} tables @param {string} selected @param {string} today @param {number} now @param {string} zone */
  #updateSlots(board, tables, selected, today, now, zone) {
    if (!this.slots) return;
    const nowMinute = selected === today ? Math.floor(minuteOf(now, zone) / HALF_HOUR) * HALF_HOUR : -HALF_HOUR;
    const byMinute = group(tables, table => table.now ? NOW : Math.floor(minuteOf(table.starts_ms, zone) / HALF_HOUR) * HALF_HOUR);
    const minutes = new Set([...byMinute.keys(), ...(tables.length ? DEFAULT_SLOTS : [])]);
    if (selected === today && tables.length) minutes.add(nowMinute);
    // The slot of tables for now precedes the current slot.
    const place = (/** @type {number} */ minute) => minute === NOW ? nowMinute - 1 : minute;
    const slots = [...minutes].sort((a, b) => place(a) - place(b)).map(minute => ({ key: String(minute), minute, tables: byMinute.get(minute) ?? [] }));
    keyed(this.slots, slots, slot => slot.key, slot => makeSlot(slot), (element, slot) => {
      const isNow = slot.minute === nowMinute, past = selected === today && slot.minute >= 0 && slot.minute < nowMinute;
      element.classList.toggle('is-now', isNow);
      element.classList.toggle('past', past);
      element.classList.toggle('vacant', slot.tables.length === 0);
      const add = /** @type {HTMLElement} */ (element.querySelector('.add'));
      shown(add, board.member && slot.minute >= 0 && !past && slot.tables.length === 0);
      // A table in the current slot starts now.
      add.onclick = () => layTable(isNow ? {} : { day: selected, minute: slot.minute });
      attribute(add, 'aria-label', isNow ? t.layTableNow : t.layTableAt(clockOfMinute(Math.max(0, slot.minute))));
      text(/** @type {Node} */ (add.lastChild), isNow ? t.layTableNow : t.layTable);
      const mark = /** @type {HTMLElement} */ (element.querySelector('.now-mark'));
      shown(mark, isNow);
      text(mark, isNow ? t.nowIs(clockOfMinute(minuteOf(now, zone))) : '');
      const cards = /** @type {HTMLElement} */ (element.querySelector('.cards'));
      attribute(cards, 'aria-label', slot.minute === NOW ? t.now : clockOfMinute(slot.minute));
      keyed(cards, slot.tables, table => table.id, () => h('li', {}, new Card()), (item, table) => /** @type {Card} */ (item.firstChild).show(table, board, now));
    });
  }
}
customElements.define('lr-day', Day);

/** @param {Slot} slot */
function makeSlot({ minute }) {
  return h('section', { class: 'shelf' },
    h('h3', { text: minute === NOW ? t.now : clockOfMinute(minute) }),
    h('div', { class: 'row-of-cards' },
      h('p', { class: 'now-mark', hidden: true }),
      h('ul', { class: 'cards', role: 'list' }),
      h('button', { type: 'button', class: 'add plain' }, icon('plus'), h('span'))));
}

/**
 * @template T
 * @template K
 * @param {T[]} items @param {(item: T) => K} key @returns {Map<K, T[]>}
 */
function group(items, key) {
  /** @type {Map<K, T[]>} */
  const groups = new Map();
  for (const item of items) {
    const name = key(item), group = groups.get(name);
    if (group) group.push(item);
    else groups.set(name, [item]);
  }
  return groups;
}
