// Shortcuts of the call. By the key's place and not its letter: a Korean layout types ㅡ where M is.

import { composing } from '../dom.js';
import { state } from '../backend.js';

/**
 * @typedef {object} Wishes
 * @property {(what: 'microphone' | 'camera') => void} toggle
 * @property {(on: boolean) => void} talk
 * @property {(panel: 'chat' | 'people') => void} open
 * @property {() => void} view
 * @property {() => void} leave
 */

export class Shortcuts {
  /** Space is held and opened the microphone. */
  #talking = false;

  /** @param {Wishes} wishes */
  constructor(wishes) {
    this.wishes = wishes;
    this.down = (/** @type {KeyboardEvent} */ event) => this.#down(event);
    this.up = (/** @type {KeyboardEvent} */ event) => { if (event.code === 'Space') this.#hush(); };
    this.away = () => this.#hush();
    addEventListener('keydown', this.down);
    addEventListener('keyup', this.up);
    addEventListener('blur', this.away);
  }

  end() {
    removeEventListener('keydown', this.down);
    removeEventListener('keyup', this.up);
    removeEventListener('blur', this.away);
    this.#hush();
  }

  /** @param {KeyboardEvent} event */
  #down(event) {
    if (composing(event) || document.querySelector('dialog[open], :popover-open')) return;
    if (event.ctrlKey && event.shiftKey && event.code === 'KeyL') {
      event.preventDefault();
      return this.wishes.leave();
    }
    if (event.ctrlKey || event.altKey || event.metaKey || writes(event.target)) return;
    if (event.code === 'Space') return this.#talk(event);
    if (event.repeat) return;
    const wishes = this.wishes;
    const run = { KeyM: () => wishes.toggle('microphone'), KeyV: () => wishes.toggle('camera'), KeyC: () => wishes.open('chat'), KeyP: () => wishes.open('people'), KeyG: () => wishes.view() }[event.code];
    if (!run) return;
    event.preventDefault();
    run();
  }

  /** @param {KeyboardEvent} event */
  #talk(event) {
    // A button that was reached by keyboard is pressed by Space, as everywhere.
    if (event.target instanceof HTMLElement && event.target.matches('button:focus-visible, summary:focus-visible, select, a:focus-visible')) return;
    event.preventDefault();
    if (event.repeat || this.#talking || state().call.media.microphone) return;
    this.#talking = true;
    this.wishes.talk(true);
  }

  #hush() {
    if (!this.#talking) return;
    this.#talking = false;
    this.wishes.talk(false);
  }
}

/** @param {EventTarget | null} target */
const writes = target => target instanceof HTMLElement && (target.matches('input:not([type=checkbox], [type=radio]), textarea, select') || target.isContentEditable);
