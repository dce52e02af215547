// Keyboard shortcuts of the call. They use the key's position, because a Korean layout types ㅡ with the M key.

import { composing } from '../dom.js';
import { state } from '../backend.js';

/**
 * @typedef {object} Actions
 * @property {(what: 'microphone' | 'camera') => void} toggle
 * @property {(on: boolean) => void} talk
 * @property {(panel: 'chat' | 'people') => void} open
 * @property {() => void} hand
 * @property {() => void} react opens the reactions
 * @property {() => void} share
 * @property {() => void} view
 * @property {() => void} fullScreen
 * @property {() => void} help shows the list of shortcuts
 * @property {() => boolean} close closes what is open; returns whether anything was
 * @property {() => void} leave
 */

export class Shortcuts {
  /** Whether the microphone is on because Space is held. */
  #talking = false;

  /** @param {Actions} actions */
  constructor(actions) {
    this.actions = actions;
    this.down = (/** @type {KeyboardEvent} */ event) => this.#down(event);
    this.up = (/** @type {KeyboardEvent} */ event) => { if (event.code === 'Space') this.#stopTalking(); };
    this.away = () => this.#stopTalking();
    addEventListener('keydown', this.down);
    addEventListener('keyup', this.up);
    addEventListener('blur', this.away);
  }

  end() {
    removeEventListener('keydown', this.down);
    removeEventListener('keyup', this.up);
    removeEventListener('blur', this.away);
    this.#stopTalking();
  }

  /** @param {KeyboardEvent} event */
  #down(event) {
    if (composing(event) || document.querySelector('dialog[open], :popover-open')) return;
    if (event.ctrlKey && event.shiftKey && event.code === 'KeyL') {
      event.preventDefault();
      return this.actions.leave();
    }
    if (event.key === 'Escape' && this.actions.close()) return event.preventDefault();
    if (event.ctrlKey || event.altKey || event.metaKey || acceptsText(event.target)) return;
    if (event.code === 'Space') return this.#startTalking(event);
    if (event.repeat) return;
    const actions = this.actions;
    const run = { KeyM: () => actions.toggle('microphone'), KeyV: () => actions.toggle('camera'), KeyC: () => actions.open('chat'), KeyP: () => actions.open('people'), KeyH: () => actions.hand(), KeyR: () => actions.react(), KeyS: () => actions.share(), KeyG: () => actions.view(), KeyF: () => actions.fullScreen() }[event.code] ?? (event.key === '?' ? () => actions.help() : null);
    if (!run) return;
    event.preventDefault();
    run();
  }

  /** @param {KeyboardEvent} event */
  #startTalking(event) {
    // Space activates a button that has the keyboard focus.
    if (event.target instanceof HTMLElement && event.target.matches('button:focus-visible, summary:focus-visible, select, a:focus-visible')) return;
    event.preventDefault();
    if (event.repeat || this.#talking || state().call.media.microphone) return;
    this.#talking = true;
    this.actions.talk(true);
  }

  #stopTalking() {
    if (!this.#talking) return;
    this.#talking = false;
    this.actions.talk(false);
  }
}

/** @param {EventTarget | null} target */
const acceptsText = target => target instanceof HTMLElement && (target.matches('input:not([type=checkbox], [type=radio]), textarea, select') || target.isContentEditable);
