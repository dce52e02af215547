// What every screen and every larger part of one is: built once, then told each newer state.

import { backend } from './backend.js';
import { onLanguage } from './strings.js';

/** @typedef {import('./model.d.ts').AppState} AppState */

export class View extends HTMLElement {
  /** @type {(() => void)[]} */
  #stops = [];
  #built = false;

  connectedCallback() {
    if (!this.#built) {
      this.#built = true;
      this.build();
    }
    this.until(backend.subscribe(state => this.update(state)));
    this.until(onLanguage(() => this.again()));
    this.connected();
  }

  disconnectedCallback() {
    this.#stops.splice(0).forEach(stop => stop());
    this.disconnected();
  }

  /** Runs when this leaves the page. @param {() => void} stop */
  until(stop) {
    this.#stops.push(stop);
  }

  /** Makes the children; once, and again when the language changes. */
  build() {}

  /** @param {AppState} _state */
  update(_state) {}

  connected() {}

  disconnected() {}

  /** In another language; who had the focus has it again. */
  again() {
    const focused = document.activeElement?.id;
    this.replaceChildren();
    this.build();
    if (backend.state) this.update(backend.state);
    if (focused) /** @type {HTMLElement | null} */ (this.querySelector(`#${CSS.escape(focused)}`))?.focus();
  }
}
