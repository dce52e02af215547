// Reactions: which there are, how long one is shown, when an own one is sent, and which are announced. The Rust client's
// `call::reactions` has the same rules, and both run docs/protocol/reactions.json. This module does not use the DOM.

import { wallClock } from './clock.js';

/** @typedef {import('./clock.js').Clock} Clock */
/** @typedef {import('./model.d.ts').Reaction} Reaction */
/** @typedef {import('./model.d.ts').ShownReaction} ShownReaction */
/** @typedef {Exclude<Reaction, 'unknown'>} Known */

/** All reactions, in the order in which they are offered. @type {Known[]} */
export const REACTIONS = ['thumbs_up', 'heart', 'clap', 'laugh', 'surprise', 'celebrate', 'yum'];

/** Whether this version knows a reaction. @param {unknown} name @returns {name is Known} */
export const isReaction = name => REACTIONS.includes(/** @type {Known} */ (name));

/** How long a reaction is shown, ms. */
const SHOWN_MS = 5000;
/** A person's next reaction is ignored for this long, whoever sends it how often, ms. */
const SPACING_MS = 250;
/** Own reactions in a time, ms. Further ones are dropped: they would only replace each other. The server accepts more. */
const MOST = 5, WINDOW_MS = 5000;

/** The reactions that are shown, one for each person: the newest replaces the one before. */
export class Reactions {
  /** By person. @type {Map<string, { reaction: Known, number: number, since: number }>} */
  #shown = new Map();
  /** How many each person has shown. It grows with the people in a call. @type {Map<string, number>} */
  #numbers = new Map();
  /** Cancels the timer. @type {() => void} */
  #cancel = () => {};

  /** @param {(id: string) => void} changed called when a person's reaction begins or ends @param {Clock} [clock] */
  constructor(changed, clock = wallClock) {
    this.changed = changed;
    this.clock = clock;
  }

  /** Shows a reaction. @param {string} id the person @param {unknown} reaction */
  show(id, reaction) {
    const now = this.clock.now(), before = this.#shown.get(id);
    if (!isReaction(reaction) || before && now < before.since + SPACING_MS) return;
    const number = (this.#numbers.get(id) ?? 0) + 1;
    this.#numbers.set(id, number);
    this.#shown.set(id, { reaction, number, since: now });
    this.changed(id);
    this.#hideDue();
  }

  /** What a person shows. @param {string} id @returns {ShownReaction | null} */
  of(id) {
    const shown = this.#shown.get(id);
    return shown ? { reaction: shown.reaction, number: shown.number } : null;
  }

  /** The person has left. @param {string} id */
  remove(id) {
    this.#shown.delete(id);
    this.#numbers.delete(id);
  }

  /** The call is over. */
  clear() {
    this.#shown.clear();
    this.#numbers.clear();
    this.#cancel();
  }

  #hideDue() {
    this.#cancel();
    const now = this.clock.now();
    for (const [id, { since }] of this.#shown) {
      if (since + SHOWN_MS > now) continue;
      this.#shown.delete(id);
      this.changed(id);
    }
    const next = Math.min(...[...this.#shown.values()].map(one => one.since + SHOWN_MS));
    if (next < Infinity) this.#cancel = this.clock.after(Math.max(1, next - now), () => this.#hideDue());
  }
}

/** When the person's own reactions were sent. */
export class OwnReactions {
  /** At most {@link MOST} times, ms. @type {number[]} */
  #sent = [];

  /** Whether a reaction may be sent now. If so, it counts as sent. @param {number} now in ms */
  maySend(now) {
    this.#sent = this.#sent.filter(at => now < at + WINDOW_MS);
    if (this.#sent.length >= MOST) return false;
    this.#sent.push(now);
    return true;
  }
}

/** How soon a reaction is announced after the last one, and after one of the same person, ms. */
const ANNOUNCE_SPACING_MS = 3000, SAME_PERSON_MS = 15_000;

/** Finds out which reactions a screen reader says: they must not be the only thing that it says. */
export class ReactionNews {
  /** The number of each person's last reaction, by id. @type {Map<string, number>} */
  #numbers = new Map();
  /** When each person's was last announced, by id, ms. @type {Map<string, number>} */
  #announced = new Map();
  #last = -Infinity;

  /**
   * Takes the reactions that are shown now.
   * @template {{ id: string, reaction: ShownReaction | null }} T
   * @param {T[]} people @param {number} now in ms
   * @returns {T[]} whose reactions to announce
   */
  update(people, now) {
    const fresh = people.filter(({ id, reaction }) => reaction && reaction.number !== this.#numbers.get(id));
    this.#numbers = new Map(people.flatMap(({ id, reaction }) => reaction ? [[id, reaction.number]] : []));
    for (const [id, at] of this.#announced) if (now - at >= SAME_PERSON_MS) this.#announced.delete(id);
    const news = fresh.filter(({ id }) => !this.#announced.has(id));
    if (!news.length || now - this.#last < ANNOUNCE_SPACING_MS) return [];
    this.#last = now;
    for (const { id } of news) this.#announced.set(id, now);
    return news;
  }
}
