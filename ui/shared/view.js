// The base class of screens and larger components: it builds its children once, then updates them from each new state.

import { backend } from './backend.js';
import { onLanguage } from './strings.js';

/** @typedef {import('./model.d.ts').AppState} AppState */

export class View extends HTMLElement {
  /** @type {(() => void)[]} */
  #cleanups = [];
  #built = false;

  connectedCallback() {
    if (!this.#built) {
      this.#built = true;
      this.build();
    }
    this.onDisconnect(backend.subscribe(state => this.update(state)));
    this.onDisconnect(onLanguage(() => this.rebuild()));
    this.connected();
  }

  disconnectedCallback() {
    this.#cleanups.splice(0).forEach(cleanup => cleanup());
    this.disconnected();
  }

  /** Registers a function that runs when this element leaves the page. @param {() => void} cleanup */
  onDisconnect(cleanup) {
    this.#cleanups.push(cleanup);
  }

  /** Makes the children. Called on the first connection and after a change of language. */
  build() {}

  /** Updates the children. Called with the current state after `build`, and with each later state. @param {AppState} _state */
  update(_state) {}

  /** Called when this element enters the page. */
  connected() {}

  /** Called when this element leaves the page. */
  disconnected() {}

  /** Builds the children in the new language and restores the focus. */
  rebuild() {
    const focused = document.activeElement?.id;
    this.replaceChildren();
    this.build();
    if (backend.state) this.update(backend.state);
    if (focused) /** @type {HTMLElement | null} */ (this.querySelector(`#${CSS.escape(focused)}`))?.focus();
  }
}
