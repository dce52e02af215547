// The list of people. It may have thousands of rows, and only the visible ones are in the page.

import { state } from '../backend.js';
import { attribute, h, keyed, shown, text } from '../dom.js';
import { icon } from '../icons.js';
import { avatar, showAvatar } from '../avatar.js';
import { menu } from './menu.js';
import { orderItems } from './order.js';
import { finder } from '../search.js';
import { t, language } from '../strings.js';
import { View } from '../view.js';

/** @typedef {import('../model.d.ts').AppState} AppState */
/** @typedef {import('../model.d.ts').PersonInfo} PersonInfo */
/** @typedef {{ person: PersonInfo, index: number }} Place */

/** Rows rendered beyond each edge, for smooth scrolling. */
const OVERSCAN = 6;
/** The search field is shown from this number of people on. */
const SEARCH_FROM = 12;
/** Height of a row in rem, as in board.css. */
const ROW_REM = 3;

const ORDER = { free: 0, at_table: 1, away: 2 };

export class FreePeople extends View {
  /** @param {Set<string>} chosen ids of people selected for "eat with", shared with the board @param {() => void} changed called after a change of the selection */
  constructor(chosen, changed) {
    super();
    this.chosen = chosen;
    this.changed = changed;
  }

  /** @type {PersonInfo[]} */
  #people = [];
  /** @type {Map<string, number>} */
  #ranks = new Map();
  #rankedFor = '';
  #key = '';
  #wanted = '';

  build() {
    this.heading = h('h2', { id: 'free-heading' });
    this.find = h('input', { type: 'search', id: 'find-people', placeholder: t.findPeople, 'aria-label': t.findPeople, oninput: () => { this.#wanted = this.find?.value ?? ''; this.#key = ''; this.update(state()); } });
    this.find.value = this.#wanted;
    this.rows = h('ul', { class: 'rows', role: 'list', 'aria-labelledby': 'free-heading' });
    this.window = h('div', { class: 'scroll', tabindex: -1, onscroll: () => this.#draw() }, this.rows);
    this.count = h('p', { class: 'quiet none', hidden: true });
    this.append(this.heading, this.find, this.count, this.window);
    this.#key = '';
  }

  connected() {
    const observer = new ResizeObserver(() => this.#draw());
    if (this.window) observer.observe(this.window);
    this.onDisconnect(() => observer.disconnect());
  }

  /** @param {AppState} state */
  update({ board, you }) {
    if (!board || !this.heading || !this.find || !this.count || !this.window) return;
    text(this.heading, board.member ? t.whoIsFree : t.freeCount(board.free_count));
    const others = board.people.filter(person => person.id !== (you.person ?? you.key));
    shown(this.find, others.length >= SEARCH_FROM);
    const key = others.map(person => `${person.id}${person.presence}${person.name}${JSON.stringify(person.avatar ?? '')}`).join();
    if (key !== this.#key) {
      this.#key = key;
      const isWanted = finder(this.#wanted);
      this.#rank(others);
      const place = (/** @type {PersonInfo} */ person) => ORDER[person.presence] * 1e6 + (this.#ranks.get(person.name) ?? 0);
      this.#people = others.filter(person => isWanted(person.name)).sort((a, b) => place(a) - place(b));
    }
    shown(this.window, this.#people.length > 0);
    shown(this.count, this.#people.length === 0);
    text(this.count, board.member ? (this.#wanted ? t.nobodyOfThatName : t.nobodyHere) : t.namesForMembers);
    this.#draw();
  }

  /** Sorts the names again if there is a new one. Collation is slow. @param {PersonInfo[]} people */
  #rank(people) {
    if (this.#rankedFor === language && people.every(person => this.#ranks.has(person.name))) return;
    this.#rankedFor = language;
    const names = [...new Set(people.map(person => person.name))].sort(new Intl.Collator(language).compare);
    this.#ranks = new Map(names.map((name, n) => [name, n]));
  }

  /** Renders the visible rows. */
  #draw() {
    if (!this.rows || !this.window) return;
    const row = ROW_REM * parseFloat(getComputedStyle(document.documentElement).fontSize);
    const first = Math.max(0, Math.floor(this.window.scrollTop / row) - OVERSCAN);
    const last = Math.min(this.#people.length, Math.ceil((this.window.scrollTop + (this.window.clientHeight || 600)) / row) + OVERSCAN);
    this.rows.style.height = `${this.#people.length * row}px`;
    const places = this.#people.slice(first, last).map((person, n) => ({ person, index: first + n }));
    keyed(this.rows, places, ({ person }) => person.id, place => this.#row(place), (element, place) => this.#fill(element, place, row));
  }

  /** @param {Place} place */
  #row({ person: { id, name } }) {
    const button = h('button', { type: 'button', class: 'person', onclick: () => this.#toggle(id) },
      avatar(name, id), h('span', { class: 'name', dir: 'auto' }), h('span', { class: 'presence-words' }), h('span', { class: 'tick' }, icon('check')));
    const more = h('button', { type: 'button', class: 'icon-only plain more', 'aria-label': `${t.more}: ${name}` }, icon('more'));
    const item = h('li', {}, button, more);
    menu(more, () => orderItems({ name, person: id }));
    return item;
  }

  /** @param {HTMLElement} element @param {Place} place @param {number} row */
  #fill(element, { person, index }, row) {
    element.style.transform = `translateY(${index * row}px)`;
    attribute(element, 'aria-posinset', index + 1);
    attribute(element, 'aria-setsize', this.#people.length);
    const button = /** @type {HTMLButtonElement} */ (element.firstChild);
    button.dataset.presence = person.presence;
    const chosen = this.chosen.has(person.id);
    attribute(button, 'aria-pressed', String(chosen));
    showAvatar(/** @type {HTMLElement} */ (button.children[0]), person.name, person.id, person.avatar);
    text(button.children[1], person.name);
    text(button.children[2], chosen ? t.eatWith : t.presences[person.presence]);
    attribute(button, 'title', t.eatWithTitle(person.name));
    button.disabled = person.presence !== 'free' && !chosen;
  }

  /** @param {string} id */
  #toggle(id) {
    if (!this.chosen.delete(id)) this.chosen.add(id);
    this.#draw();
    this.changed();
  }
}
customElements.define('lr-free-people', FreePeople);
