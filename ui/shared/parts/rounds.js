// Planned rounds: people sign up, and an hour before the meal the server seats them with others.

import { backend, state } from '../backend.js';
import { attribute, h, id, keyed, shown, text } from '../dom.js';
import { icon } from '../icons.js';
import { t } from '../strings.js';
import { serverNow } from '../tables.js';
import { bothTimes, clock, dayOf, longDay, zoneOr } from '../times.js';
import { View } from '../view.js';
import { ask } from './dialog.js';
import { layRound } from './lay-round.js';
import { menu } from './menu.js';
import { announce, attempt } from './notices.js';

/** @typedef {import('../model.d.ts').AppState} AppState */
/** @typedef {import('../model.d.ts').RoundView} RoundView */

/** Rounds that are shown at first, besides those for which the person has signed up. */
const FIRST = 2;

export class Rounds extends View {
  #all = false;

  build() {
    const name = id('rounds');
    this.list = h('ul', { role: 'list' });
    this.more = h('button', { type: 'button', class: 'small plain', id: 'all-rounds', hidden: true, onclick: () => this.#toggle() });
    const lay = h('button', { type: 'button', class: 'small plain', id: 'lay-round', onclick: () => layRound() }, icon('plus'), h('span', { text: t.rounds.lay }));
    this.section = h('section', { class: 'rounds', 'aria-labelledby': name, hidden: true },
      h('div', { class: 'rounds-top' }, h('h2', { id: name, text: t.rounds.title }), lay), this.list, this.more);
    this.append(this.section);
  }

  /** @param {AppState} state */
  update({ board, session }) {
    const { section, list, more } = this;
    if (!section || !list || !more) return;
    const rounds = board?.member ? board.rounds : [];
    shown(section, rounds.length > 0);
    if (!board) return;
    const first = new Set(rounds.filter(round => !round.joined).slice(0, FIRST));
    const visible = this.#all ? rounds : rounds.filter(round => round.joined || first.has(round));
    shown(more, this.#all ? rounds.length > FIRST : visible.length < rounds.length);
    text(more, this.#all ? t.rounds.fewer : t.rounds.all(rounds.length));
    attribute(more, 'aria-expanded', String(this.#all));
    const zone = zoneOr(board.zone), now = serverNow(board), isOpen = session.kind === 'open';
    keyed(list, visible, round => round.id, () => new Round(), (item, round) => item.show(round, zone, now, isOpen));
  }

  #toggle() {
    this.#all = !this.#all;
    this.update(state());
  }
}
customElements.define('lr-rounds', Rounds);

/** One round of the list. */
class Round extends HTMLElement {
  /** @type {RoundView | null} */
  #round = null;
  #title = h('h3', { dir: 'auto' });
  #when = h('p', { class: 'when' });
  #facts = h('p', { class: 'facts' });
  #act = /** @type {HTMLButtonElement} */ (h('button', { type: 'button', class: 'small act', onclick: () => this.#run() }));
  #more = h('button', { type: 'button', class: 'icon-only plain more', hidden: true }, icon('more'));

  connectedCallback() {
    if (this.childElementCount) return;
    this.role = 'listitem';
    this.append(h('div', { class: 'round-words' }, this.#title, this.#when, this.#facts), this.#act, this.#more);
    menu(/** @type {HTMLButtonElement} */ (this.#more), () => [{ words: t.rounds.cancel, icon: 'trash', danger: true, run: () => this.#cancel() }]);
  }

  /** @param {RoundView} round @param {string} zone @param {number} now @param {boolean} isOpen whether requests can be sent */
  show(round, zone, now, isOpen) {
    this.#round = round;
    const title = round.title || t.rounds.one, day = longDay(dayOf(round.starts_ms, zone)), closed = now >= round.closes_ms;
    // The line above has the day of the meal.
    const closingDay = dayOf(round.closes_ms, zone), at = clock(round.closes_ms, zone), closes = closingDay === dayOf(round.starts_ms, zone) ? at : `${longDay(closingDay)} ${at}`;
    this.classList.toggle('mine', round.joined);
    text(this.#title, title);
    text(this.#when, [`${day} ${bothTimes(round.starts_ms, zone)}`, round.weekly ? t.weekly : '', t.rounds.sizes[round.size]].filter(Boolean).join(' · '));
    text(this.#facts, [round.joined ? t.rounds.youAreIn : '', t.rounds.signedUp(round.signed_up), closed ? t.rounds.closed : t.rounds.closes(closes)].filter(Boolean).join(' · '));
    text(this.#act, round.joined ? t.rounds.withdraw : t.rounds.signUp);
    attribute(this.#act, 'aria-label', round.joined ? t.rounds.withdrawFrom(title, day) : t.rounds.signUpFor(title, day));
    this.#act.disabled = closed || !isOpen;
    shown(this.#more, round.own || (state().board?.order.steward ?? false));
    attribute(this.#more, 'aria-label', t.rounds.moreOf(title));
  }

  async #run() {
    const round = this.#round;
    if (!round) return;
    const done = await attempt(backend.call(round.joined ? 'withdraw' : 'sign_up', { round: round.id }).then(() => true));
    if (done) announce(round.joined ? t.rounds.withdrawn : t.rounds.youAreSignedUp);
  }

  async #cancel() {
    const round = this.#round;
    if (!round) return;
    const sure = { title: t.rounds.cancel, words: t.rounds.cancelSure(round.signed_up, round.weekly), yes: t.rounds.cancelYes, danger: true };
    if (!await ask(sure)) return;
    if (await attempt(backend.call('cancel_round', { round: round.id }).then(() => true))) announce(t.rounds.cancelled);
  }
}
customElements.define('lr-round', Round);
