// How loud the own microphone is: segments that light up, and words for those who do not see them.

import { backend } from '../backend.js';
import { h, text } from '../dom.js';
import { t } from '../strings.js';

/** Quietest and loudest that show, dBFS. */
const FLOOR = -60, CEILING = -6;
const SEGMENTS = 16;
/** From here on it is a voice and no room noise. */
export const VOICE = -42;
/** How long "they hear you" stays after a word, ms. */
const HEARD_MS = 2500;

export class Meter extends HTMLElement {
  /** @type {(() => void) | null} */
  #stop = null;
  #heardAt = -Infinity;
  #off = true;

  connectedCallback() {
    if (!this.firstChild) {
      this.bar = h('div', { class: 'segments', role: 'meter', 'aria-label': t.microphoneLevel, 'aria-valuemin': 0, 'aria-valuemax': SEGMENTS, 'aria-valuenow': 0 },
        ...Array.from({ length: SEGMENTS }, () => h('span')));
      this.words = h('p', { class: 'quiet', role: 'status' });
      this.append(this.bar, this.words);
    }
    this.#stop = backend.levels(levels => this.#hear(levels.own ?? -Infinity));
    this.#say();
  }

  disconnectedCallback() {
    this.#stop?.();
  }

  /** @param {boolean} on whether the microphone is meant to be open */
  set on(on) {
    if (this.#off === !on) return;
    this.#off = !on;
    this.#heardAt = -Infinity;
    this.#hear(-Infinity);
  }

  /** @param {number} level dBFS */
  #hear(level) {
    if (!this.bar) return;
    const lit = this.#off ? 0 : Math.round(Math.max(0, Math.min(1, (level - FLOOR) / (CEILING - FLOOR))) * SEGMENTS);
    [...this.bar.children].forEach((segment, n) => segment.classList.toggle('lit', n < lit));
    this.bar.setAttribute('aria-valuenow', String(lit));
    if (level > VOICE && !this.#off) this.#heardAt = performance.now();
    this.#say();
  }

  #say() {
    if (!this.words) return;
    const heard = performance.now() - this.#heardAt < HEARD_MS;
    this.words.classList.toggle('good', heard);
    text(this.words, this.#off ? t.microphoneIsOff : heard ? t.theyHearYou : t.saySomething);
  }
}
customElements.define('lr-meter', Meter);
