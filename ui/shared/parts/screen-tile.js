// The tile of a shared screen. It can be zoomed with the wheel, the buttons and the keys + - 0, and moved by dragging and with
// the arrow keys.

import { attribute, h, text } from '../dom.js';
import { icon } from '../icons.js';
import { t } from '../strings.js';
import { announce } from './notices.js';
import { PictureView } from './picture.js';

/** Largest zoom, and the factor of a step. */
const MAX_ZOOM = 8, STEP = 1.25;
/** A wheel turn of this many pixels is a step. */
const WHEEL = 100;
/** How far an arrow key moves, share of the tile. */
const MOVE = 0.15;

export class ScreenTile extends HTMLElement {
  #zoom = 1;
  /** The middle of the visible part, share of the picture. */
  #middle = { x: 0.5, y: 0.5 };
  /** @type {{ x: number, y: number } | null} */
  #drag = null;

  /** @param {string} participant id */
  constructor(participant) {
    super();
    this.participant = participant;
    this.picture = h('div', { class: 'screen-picture' });
    this.view = h('div', { class: 'screen-view', tabindex: 0, role: 'img' }, this.picture);
    this.name = h('span', { class: 'name', dir: 'auto' });
    this.reset = h('button', { type: 'button', class: 'small zoom-reset', text: t.zoomFit, hidden: true, onclick: () => this.#setZoom(1) });
    this.controls = h('div', { class: 'zoom' }, this.reset,
      h('button', { type: 'button', class: 'icon-only', 'aria-label': t.zoomOut, title: `${t.zoomOut} (-)`, onclick: () => this.#setZoom(this.#zoom / STEP) }, icon('zoomOut')),
      h('button', { type: 'button', class: 'icon-only', 'aria-label': t.zoomIn, title: `${t.zoomIn} (+)`, onclick: () => this.#setZoom(this.#zoom * STEP) }, icon('zoomIn')));
  }

  connectedCallback() {
    if (this.firstChild) return;
    this.setAttribute('role', 'group');
    this.picture.append(new PictureView({ kind: 'share', id: this.participant }));
    this.append(h('p', { class: 'screen-wait', text: t.screenComing }), this.view, this.controls, h('div', { class: 'plate' }, icon('share'), this.name));
    this.view.addEventListener('wheel', event => this.#wheel(event), { passive: false });
    this.view.addEventListener('dblclick', event => this.#setZoom(this.#zoom > 1 ? 1 : 2, event));
    this.view.addEventListener('pointerdown', event => this.#grab(event));
    this.view.addEventListener('pointermove', event => this.#move(event));
    for (const end of /** @type {const} */ (['pointerup', 'pointercancel'])) this.view.addEventListener(end, () => this.#release());
    this.view.addEventListener('keydown', event => this.#key(event));
  }

  /** @param {string} name of the participant */
  show(name) {
    const label = t.screenOf(name);
    attribute(this, 'aria-label', label);
    attribute(this.view, 'aria-label', label);
    text(this.name, label);
  }

  /**
   * Zooms, so that the point at the pointer stays where it is.
   * @param {number} zoom @param {{ clientX: number, clientY: number }} [at] the middle otherwise
   */
  #setZoom(zoom, at) {
    const next = Math.max(1, Math.min(MAX_ZOOM, zoom)), before = this.#zoom;
    if (at) {
      const { left, top, width, height } = this.view.getBoundingClientRect();
      const x = (at.clientX - left) / width - 0.5, y = (at.clientY - top) / height - 0.5;
      this.#middle = { x: this.#middle.x + x / before - x / next, y: this.#middle.y + y / before - y / next };
    }
    this.#zoom = next;
    this.#place();
    if (next !== before) announce(t.zoomedTo(Math.round(next * 100)), { visuallyHidden: true });
  }

  /** The picture is made larger, not scaled, so that the backend delivers all its pixels. */
  #place() {
    const half = 0.5 / this.#zoom, within = (/** @type {number} */ n) => Math.max(half, Math.min(1 - half, n));
    this.#middle = { x: within(this.#middle.x), y: within(this.#middle.y) };
    const { style } = this.picture, size = this.#zoom * 100;
    style.width = style.height = `${size}%`;
    style.left = `${50 - this.#middle.x * size}%`;
    style.top = `${50 - this.#middle.y * size}%`;
    this.classList.toggle('zoomed', this.#zoom > 1);
    this.reset.hidden = this.#zoom === 1;
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    const pixels = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY : event.deltaY * WHEEL / 3;
    this.#setZoom(this.#zoom * STEP ** (-pixels / WHEEL), event);
  }

  /** @param {PointerEvent} event */
  #grab(event) {
    if (this.#zoom === 1 || event.button !== 0) return;
    this.#drag = { x: event.clientX, y: event.clientY };
    this.view.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (!this.#drag) return;
    const { width, height } = this.view.getBoundingClientRect(), from = this.#drag;
    this.#drag = { x: event.clientX, y: event.clientY };
    this.#shift((from.x - event.clientX) / width, (from.y - event.clientY) / height);
  }

  #release() {
    this.#drag = null;
  }

  /** Moves the visible part, by shares of the tile. @param {number} x @param {number} y */
  #shift(x, y) {
    this.#middle = { x: this.#middle.x + x / this.#zoom, y: this.#middle.y + y / this.#zoom };
    this.#place();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    /** @type {Record<string, () => void>} */
    const keys = { '+': () => this.#setZoom(this.#zoom * STEP), '=': () => this.#setZoom(this.#zoom * STEP), '-': () => this.#setZoom(this.#zoom / STEP), 0: () => this.#setZoom(1),
      ArrowLeft: () => this.#shift(-MOVE, 0), ArrowRight: () => this.#shift(MOVE, 0), ArrowUp: () => this.#shift(0, -MOVE), ArrowDown: () => this.#shift(0, MOVE) };
    const run = keys[event.key];
    if (!run) return;
    event.preventDefault();
    run();
  }
}
customElements.define('lr-screen-tile', ScreenTile);
