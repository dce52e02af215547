// The own picture before a call, with the switches for microphone and camera.

import { backend, state } from '../backend.js';
import { attribute, h, shown, text } from '../dom.js';
import { draw, icon } from '../icons.js';
import { isMissing, workingMedia } from '../own-media.js';
import { avatar, ownLook, showAvatar } from '../avatar.js';
import { deviceProblem, t } from '../strings.js';
import { View } from '../view.js';
import { PictureView } from './picture.js';
import { roundTable } from './round-table.js';

/** @typedef {import('../model.d.ts').AppState} AppState */
/** @typedef {import('../model.d.ts').MediaState} MediaState */
/** @typedef {import('./meter.js').Meter} Meter */

export class SelfView extends View {
  /** @param {MediaState} media the initial switches @param {(media: MediaState) => void} [changed] called after each change */
  constructor(media, changed) {
    super();
    this.media = { ...media };
    this.changed = changed;
  }

  /** A typed name that is not in the settings yet. */
  name = '';
  /** The level meter, if any. @type {Meter | null} */
  meter = null;

  /** The devices that are switched on and work. @returns {MediaState} */
  get working() {
    const now = state(), { microphone, camera } = workingMedia(this.media, now.problems);
    return { microphone: microphone && !isMissing(now, 'microphone'), camera: camera && !isMissing(now, 'camera') };
  }

  build() {
    this.picture = h('div', { class: 'picture' });
    this.face = h('div', { class: 'face' });
    this.words = h('p', { class: 'why' });
    this.microphone = h('button', { type: 'button', class: 'round', onclick: () => this.set({ microphone: !this.working.microphone }) }, icon('microphone'), h('span', { class: 'label' }));
    this.camera = h('button', { type: 'button', class: 'round', onclick: () => this.set({ camera: !this.working.camera }) }, icon('camera'), h('span', { class: 'label' }));
    this.microphone.id = 'self-microphone';
    this.camera.id = 'self-camera';
    this.append(this.picture, h('div', { class: 'nobody' }, this.face, this.words), h('div', { class: 'switches' }, this.microphone, this.camera));
  }

  connected() {
    this.preview();
    // A window that nobody sees needs no camera. A browser's tab does: opening it again takes too long.
    if (backend.shell !== 'app') return;
    const follow = () => this.preview();
    document.addEventListener('visibilitychange', follow);
    this.onDisconnect(() => document.removeEventListener('visibilitychange', follow));
  }

  /** @param {AppState} now */
  update(now) {
    const { settings, problems, you } = now;
    if (!this.picture || !this.face || !this.words || !this.microphone || !this.camera) return;
    const failure = problems.find(p => p.device === 'camera');
    const without = isMissing(now, 'camera'), on = this.working, seen = on.camera;
    if (seen !== (this.picture.firstChild !== null)) this.picture.replaceChildren(...(seen ? [new PictureView({ kind: 'own' })] : []));
    shown(this.picture, seen);
    const name = this.name || settings.name;
    if (this.face.dataset.name !== `${name} ${you.key}`) {
      this.face.dataset.name = `${name} ${you.key}`;
      this.face.replaceChildren(name ? avatar(name, you.key || name, ownLook(settings)) : roundTable({ seats: 4, taken: [], takenCount: 1 }));
    }
    if (name) showAvatar(/** @type {HTMLElement} */ (this.face.firstChild), name, you.key || name, ownLook(settings));
    text(this.words, failure ? deviceProblem(failure, now) : without ? t.noDevice.camera : this.media.camera ? '' : t.cameraIsOff);
    toggle(this.microphone, on.microphone, 'microphone', t.microphone, t.onOff);
    toggle(this.camera, on.camera, 'camera', t.camera, t.onOff);
    this.meter?.setSource(on.microphone ? 'on' : isMissing(now, 'microphone') ? 'missing' : 'off');
  }

  /** @param {Partial<MediaState>} change */
  set(change) {
    Object.assign(this.media, change);
    this.preview();
    this.changed?.(this.media);
    this.update(state());
  }

  /** Opens the devices that are on, for a local preview. */
  preview() {
    const media = backend.shell === 'app' && document.hidden ? { microphone: false, camera: false } : this.media;
    backend.call('preview', { media }).catch(() => {});
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
