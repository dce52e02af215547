// Raised hands, in the order in which they were raised.

/** @typedef {import('./model.d.ts').AppState} AppState */
/** @typedef {{ id: string, key: string, name: string }} Raised */

/** Returns whose hands are raised, the earliest first. The own id is `own`. @param {AppState} state @returns {Raised[]} */
export function raisedHands({ call, settings, you }) {
  const own = { id: 'own', key: you.key, name: settings.name, hand: call.hand };
  const raised = [own, ...call.participants].flatMap(({ id, key, name, hand }) => hand == null ? [] : [{ id, key, name, hand }]);
  return raised.sort((one, other) => one.hand - other.hand).map(({ id, key, name }) => ({ id, key, name }));
}

/** How soon the hand of the same person is announced again, ms. Who waves must not be the only thing that a screen reader says. */
const ANNOUNCE_SPACING_MS = 10_000;

/** Finds out which changes of raised hands are news for the person. */
export class HandNews {
  /** @type {Set<string> | null} */
  #before = null;
  /** When the hand of a person was last announced, by key, ms. @type {Map<string, number>} */
  #announced = new Map();

  /**
   * Takes a new state. Call it only while the call is joined.
   * @param {Raised[]} raised @param {number} now in ms
   * @returns {{ others: string[], own: boolean | null }} names of those whose hands are newly raised; whether the own hand was raised or lowered, null: neither
   */
  update(raised, now) {
    const before = this.#before, keys = new Set(raised.map(keyOf));
    this.#before = keys;
    for (const [key, at] of this.#announced) if (now - at >= ANNOUNCE_SPACING_MS) this.#announced.delete(key);
    if (!before) return { others: [], own: null };
    const others = raised.filter(one => one.id !== 'own' && !before.has(keyOf(one)) && !this.#announced.has(keyOf(one)));
    for (const one of others) this.#announced.set(keyOf(one), now);
    const own = keys.has('own') === before.has('own') ? null : keys.has('own');
    return { others: others.map(one => one.name), own };
  }

  /** There is no seat at present: what changes meanwhile is no news. */
  forget() {
    this.#before = null;
  }
}

/** @param {Raised} one */
const keyOf = ({ id, key }) => id === 'own' ? 'own' : key || id;
