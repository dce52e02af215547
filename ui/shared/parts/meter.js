// The level meter of the own microphone: segments, and a text for people who do not see them.

import { backend } from '../backend.js';
import { h, text } from '../dom.js';
import { t } from '../strings.js';

/** Range of the meter, dBFS. */
const MIN_LEVEL = -60, MAX_LEVEL = -6;
const SEGMENTS = 16;
/** Levels above this count as speech, dBFS. */
export const VOICE = -42;
/** Decay of the shown level, dB per second, so that short words stay visible. */
const DECAY = 25;

/** @typedef {'on' | 'off' | 'missing'} Source */

export class Meter extends HTMLElement {
  /** @type {(() => void) | null} */
  #stop = null;
  /** The shown level, dBFS. */
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
    this.#stop = backend.levels(({ levels }) => this.#showLevel(levels.own ?? -Infinity));
    this.#updateText();
  }

  disconnectedCallback() {
    this.#stop?.();
  }

  /** Sets the state of the microphone. @param {Source} source on, off, or `missing` if there is none */
  setSource(source) {
    if (this.#source === source) return;
    this.#source = source;
    this.#level = -Infinity;
    this.#showLevel(-Infinity);
  }

  /** @param {number} level dBFS */
  #showLevel(level) {
    if (!this.bar) return;
    const now = performance.now(), faded = this.#level - DECAY * (now - this.#at) / 1000;
    [this.#level, this.#at] = [this.#source === 'on' ? Math.max(level, faded) : -Infinity, now];
    const lit = Math.round(Math.max(0, Math.min(1, (this.#level - MIN_LEVEL) / (MAX_LEVEL - MIN_LEVEL))) * SEGMENTS);
    [...this.bar.children].forEach((segment, n) => segment.classList.toggle('lit', n < lit));
    this.bar.setAttribute('aria-valuenow', String(lit));
    this.#updateText();
  }

  /** Updates the text, which always agrees with the segments. */
  #updateText() {
    if (!this.words) return;
    const isSpeech = this.#level > VOICE;
    this.words.classList.toggle('good', isSpeech);
    text(this.words, { on: isSpeech ? t.youAreAudible : t.saySomething, off: t.microphoneIsOff, missing: t.noDevice.microphone }[this.#source]);
  }
}
customElements.define('lr-meter', Meter);
