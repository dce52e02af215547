// The sizes at which this page displays the others' cameras, and when a `resolution` is sent to them (PROTOCOL.md,
// resolution). A larger size is sent immediately. A smaller size, or a hidden picture, is sent after two seconds, because
// each change of size costs a keyframe. The Rust client's `call::displayed` follows the same rules, and both run
// docs/protocol/sizes.json. This module does not use the DOM.

import { wallClock } from './clock.js';

/** @typedef {import('./clock.js').Clock} Clock */
/** @typedef {{ max_width: number, max_height: number }} Size  device pixels, as in W3C's RTCResolutionRestriction; 0 and 0: hidden */
/** @typedef {{ size: Size, since: number, sent: Size | null, sentAt: number }} Displayed  times in ms of the clock */

/** A smaller size is sent after this time. */
export const PATIENCE_MS = 2000;
/** Shortest time between the last size sent and a larger one. */
export const SPACING_MS = 500;
/** Sizes that differ by at most this share of each side count as equal. */
const TOLERANCE = 1 / 16;

export class DisplayedSizes {
  /** By participant id. @type {Map<string, Displayed>} */
  #displayed = new Map();
  /** Cancels the timer. @type {() => void} */
  #cancel = () => {};

  /** @param {(id: string, size: Size) => void} send sends a `resolution` to a participant @param {Clock} [clock] */
  constructor(send, clock = wallClock) {
    this.send = send;
    this.clock = clock;
  }

  /** Records the size at which a participant's camera is displayed. @param {string} id participant @param {Size} size */
  update(id, size) {
    const before = this.#displayed.get(id), now = this.clock.now();
    if (!before) this.#displayed.set(id, { size, since: now, sent: null, sentAt: 0 });
    else if (before.size.max_width !== size.max_width || before.size.max_height !== size.max_height) Object.assign(before, { size, since: now });
    this.sendDue();
  }

  /** Removes a participant who has left. @param {string} id */
  remove(id) {
    this.#displayed.delete(id);
  }

  /** Forgets all sizes. Called after each join, because the participants of the new seat have received none. */
  clear() {
    this.#displayed.clear();
  }

  /** Sends the sizes that are due and sets the timer for the next one. */
  sendDue() {
    this.#cancel();
    const now = this.clock.now();
    for (const [id, displayed] of this.#displayed) {
      if (dueAt(displayed) > now) continue;
      Object.assign(displayed, { sent: displayed.size, sentAt: now });
      this.send(id, displayed.size);
    }
    const next = Math.min(...[...this.#displayed.values()].map(dueAt));
    if (next < Infinity) this.#cancel = this.clock.after(Math.max(1, next - now), () => this.sendDue());
  }
}

/** Returns when to send the size, in ms of the clock; `Infinity` if it need not be sent. @param {Displayed} displayed */
function dueAt({ size, since, sent, sentAt }) {
  if (!sent) return isHidden(size) ? since + PATIENCE_MS : since;
  if (isClose(sent, size)) return Infinity;
  const isLarger = size.max_width > sent.max_width || size.max_height > sent.max_height;
  return isLarger ? Math.max(since, sentAt + SPACING_MS) : since + PATIENCE_MS;
}

/** @param {Size} size */
const isHidden = size => !size.max_width || !size.max_height;

/** @param {Size} a @param {Size} b */
function isClose(a, b) {
  /** @param {number} m @param {number} n */
  const isNear = (m, n) => Math.abs(m - n) <= Math.min(m, n) * TOLERANCE;
  return isHidden(a) === isHidden(b) && isNear(a.max_width, b.max_width) && isNear(a.max_height, b.max_height);
}
