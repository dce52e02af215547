// One's own picture before a call, with the two switches on it.

import { backend, state } from '../backend.js';
import { attribute, h, shown, text } from '../dom.js';
import { draw, icon } from '../icons.js';
import { avatar } from '../people.js';
import { problem, t } from '../strings.js';
import { View } from '../view.js';
import { PictureView } from './picture.js';
import { roundTable } from './round-table.js';

/** @typedef {import('../model.d.ts').AppState} AppState */
/** @typedef {import('../model.d.ts').Media} Media */

export class SelfView extends View {
  /** @param {Media} media what is on at first @param {(media: Media) => void} [changed] */
  constructor(media, changed) {
    super();
    this.media = { ...media };
    this.changed = changed;
  }

  /** A name that is not in the settings yet. */
  name = '';

  build() {
    this.picture = h('div', { class: 'picture' });
    this.face = h('div', { class: 'face' });
    this.words = h('p', { class: 'why' });
    this.microphone = h('button', { type: 'button', class: 'round', onclick: () => this.set({ microphone: !this.media.microphone }) }, icon('microphone'), h('span', { class: 'label' }));
    this.camera = h('button', { type: 'button', class: 'round', onclick: () => this.set({ camera: !this.media.camera }) }, icon('camera'), h('span', { class: 'label' }));
    this.microphone.id = 'self-microphone';
    this.camera.id = 'self-camera';
    this.append(this.picture, h('div', { class: 'nobody' }, this.face, this.words), h('div', { class: 'switches' }, this.microphone, this.camera));
  }

  connected() {
    this.preview();
  }

  /** @param {AppState} state */
  update({ settings, problems, devices }) {
    if (!this.picture || !this.face || !this.words || !this.microphone || !this.camera) return;
    const wrong = problems.find(p => p.device === 'camera');
    const without = !devices.some(device => device.kind === 'camera');
    const seen = this.media.camera && !wrong && !without;
    if (seen !== (this.picture.firstChild !== null)) this.picture.replaceChildren(...(seen ? [new PictureView({ kind: 'own' })] : []));
    shown(this.picture, seen);
    const name = this.name || settings.name;
    if (this.face.dataset.name !== name) {
      this.face.dataset.name = name;
      this.face.replaceChildren(name ? avatar(name, name) : roundTable({ seats: 4, taken: [], takenCount: 1 }));
    }
    text(this.words, wrong ? problem(wrong.code, wrong.message) : without ? t.noDevice.camera : this.media.camera ? '' : t.cameraIsOff);
    toggle(this.microphone, this.media.microphone, 'microphone', t.microphone, t.onOff);
    toggle(this.camera, this.media.camera, 'camera', t.camera, t.onOff);
  }

  /** @param {Partial<Media>} change */
  set(change) {
    Object.assign(this.media, change);
    this.preview();
    this.changed?.(this.media);
    this.update(state());
  }

  /** Opens what is on, for the person's own eyes and ears. */
  preview() {
    backend.call('preview', { media: this.media }).catch(() => {});
  }
}
customElements.define('lr-self', SelfView);

/**
 * @param {HTMLElement} button @param {boolean} on @param {'microphone' | 'camera'} what @param {string} name
 * @param {(what: string, on: boolean) => string} words
 */
function toggle(button, on, what, name, words) {
  attribute(button, 'aria-pressed', String(on));
  button.classList.toggle('off', !on);
  draw(/** @type {SVGElement} */ (button.querySelector('svg')), on ? what : `${what}Off`);
  const label = /** @type {HTMLElement} */ (button.querySelector('.label'));
  text(label, name);
  attribute(button, 'title', words(name, on));
}
