// A participant's picture, or the own one. The backend draws it while this element is in the page.

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
    // Moving an element disconnects and reconnects it in one task. The picture stays attached.
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
