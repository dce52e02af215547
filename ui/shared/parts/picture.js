// Somebody's picture. It says for as long as it is on the page which one is wanted, and the shell draws it.

import { backend } from '../backend.js';

/** @typedef {import('../backend.js').Picture} Picture */

export class PictureView extends HTMLElement {
  /** @param {Picture} picture */
  constructor(picture) {
    super();
    this.picture = picture;
    /** @type {(() => void) | null} */
    this.detach = null;
    this.className = picture.kind === 'own' ? 'own' : picture.kind;
  }

  connectedCallback() {
    // Moving an element takes it off the page and back in one turn; the picture stays.
    this.detach ??= backend.attach(this, this.picture);
  }

  disconnectedCallback() {
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.detach?.();
      this.detach = null;
    });
  }
}
customElements.define('lr-picture', PictureView);
