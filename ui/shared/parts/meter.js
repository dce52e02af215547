// How loud the own microphone is: segments that light up, and words for those who do not see them.

import { backend } from '../backend.js';
import { h, text } from '../dom.js';
import { t } from '../strings.js';

/** Quietest and loudest that show, dBFS. */
const FLOOR = -60, CEILING = -6;
const SEGMENTS = 16;
/** From here on it is a voice and no room noise. */
export const VOICE = -42;
/** How fast what was loud fades, dB in a second: a word is seen after it was said. */
const FADE = 25;

/** @typedef {'on' | 'off' | 'missing'} Source */

export class Meter extends HTMLElement {
  /** @type {(() => void) | null} */
  #stop = null;
  /** What is shown, dBFS. */
  #level = -Infinity;
  #at = 0;
  /** @type {Source} */
  #source = 'off';

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

  /** @param {Source} source whether the microphone is meant to be open, or there is none */
  tell(source) {
    if (this.#source === source) return;
    this.#source = source;
    this.#level = -Infinity;
    this.#hear(-Infinity);
  }

  /** @param {number} level dBFS */
  #hear(level) {
    if (!this.bar) return;
    const now = performance.now(), faded = this.#level - FADE * (now - this.#at) / 1000;
    [this.#level, this.#at] = [this.#source === 'on' ? Math.max(level, faded) : -Infinity, now];
    const lit = Math.round(Math.max(0, Math.min(1, (this.#level - FLOOR) / (CEILING - FLOOR))) * SEGMENTS);
    [...this.bar.children].forEach((segment, n) => segment.classList.toggle('lit', n < lit));
    this.bar.setAttribute('aria-valuenow', String(lit));
    this.#say();
  }

  /** Of what is seen: nobody is heard while nothing is lit. */
  #say() {
    if (!this.words) return;
    const heard = this.#level > VOICE;
    this.words.classList.toggle('good', heard);
    text(this.words, { on: heard ? t.theyHearYou : t.saySomething, off: t.microphoneIsOff, missing: t.noDevice.microphone }[this.#source]);
  }
}
customElements.define('lr-meter', Meter);
