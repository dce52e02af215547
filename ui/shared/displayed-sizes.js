// How large the others' cameras are shown on this page, and when a `resolution` is sent to them (PROTOCOL.md, resolution). A
// larger size at once; a smaller one, or that a picture is out of sight, when it has stood for a while: each size begins
// with a keyframe. The Rust client's `call::sight` does the same; both run docs/protocol/sizes.json. No DOM.

import { wallClock } from './clock.js';

/** @typedef {import('./clock.js').Clock} Clock */
/** @typedef {{ max_width: number, max_height: number }} Size  as W3C's RTCResolutionRestriction; 0 and 0: out of sight */
/** @typedef {{ size: Size, since: number, sent: Size | null, at: number }} Sight */

/** How long a smaller size must have stood. */
export const PATIENCE_MS = 2000;
/** Least time between two that grow. */
export const SPACING_MS = 500;
/** A share of a side that is not worth a keyframe. */
const CLOSE = 1 / 16;

export class Sights {
  /** @type {Map<string, Sight>} */
  #all = new Map();
  /** @type {() => void} */
  #stop = () => {};

  /** @param {(id: string, size: Size) => void} send sends a `resolution` to a participant @param {Clock} [clock] */
  constructor(send, clock = wallClock) {
    this.send = send;
    this.clock = clock;
  }

  /** Somebody's camera is displayed in this size, in pixels of the screen. @param {string} id @param {Size} size */
  show(id, size) {
    const before = this.#all.get(id), now = this.clock.now();
    if (!before) this.#all.set(id, { size, since: now, sent: null, at: 0 });
    else if (before.size.max_width !== size.max_width || before.size.max_height !== size.max_height) Object.assign(before, { size, since: now });
    this.look();
  }

  /** Somebody has left. @param {string} id */
  forget(id) {
    this.#all.delete(id);
  }

  /** A new seat: nothing was sent to anybody. */
  clear() {
    this.#all.clear();
  }

  /** Sends what is due, and looks again when the next is. */
  look() {
    this.#stop();
    const now = this.clock.now();
    for (const [id, sight] of this.#all) {
      if (due(sight) > now) continue;
      Object.assign(sight, { sent: sight.size, at: now });
      this.send(id, sight.size);
    }
    const next = Math.min(...[...this.#all.values()].map(due));
    if (next < Infinity) this.#stop = this.clock.after(Math.max(1, next - now), () => this.look());
  }
}

/** When the size should be sent; never is Infinity. @param {Sight} sight */
function due({ size, since, sent, at }) {
  if (!sent) return hidden(size) ? since + PATIENCE_MS : since;
  if (close(sent, size)) return Infinity;
  const larger = size.max_width > sent.max_width || size.max_height > sent.max_height;
  return larger ? Math.max(since, at + SPACING_MS) : since + PATIENCE_MS;
}

/** @param {Size} size */
const hidden = size => !size.max_width || !size.max_height;

/** @param {Size} a @param {Size} b */
function close(a, b) {
  /** @param {number} m @param {number} n */
  const near = (m, n) => Math.abs(m - n) <= Math.min(m, n) * CLOSE;
  return hidden(a) === hidden(b) && near(a.max_width, b.max_width) && near(a.max_height, b.max_height);
}
