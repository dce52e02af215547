// "How do I sound?": five seconds of the microphone are played back as others would hear them, and judged in words.

import { backend, state } from '../backend.js';
import { h, id, shown, text } from '../dom.js';
import { icon } from '../icons.js';
import { t } from '../strings.js';
import { View } from '../view.js';
import { attempt } from './notices.js';

/** @typedef {import('../model.d.ts').AppState} AppState */

const RUNNING = new Set(['waiting', 'listening', 'playing']);
const IN_CALL = new Set(['joined', 'reconnecting', 'joining']);

export class SoundCheck extends View {
  build() {
    const words = id('sound-check');
    this.button = h('button', { type: 'button', class: 'small', 'aria-describedby': words, onclick: () => attempt(backend.call('check_sound', { on: !this.#runs() })) });
    this.label = h('span');
    this.button.append(icon('microphone'), this.label);
    this.words = h('div', { id: words, role: 'status' });
    this.append(h('div', { class: 'row' }, this.button), this.words);
  }

  /** @param {AppState} state */
  update({ call, sound_check: check }) {
    if (!this.label || !this.words) return;
    shown(this, !IN_CALL.has(call.stage.kind));
    text(this.label, this.#runs() ? t.soundCheckStop : t.soundCheck);
    const lines = check.kind === 'done' ? check.defects.length ? check.defects.map(code => t.soundDefects[code] ?? code) : [t.soundFine] : [t.soundCheckStage[check.kind]];
    if (lines.join('\n') === [...this.words.children].map(one => one.textContent).join('\n')) return;
    this.words.replaceChildren(...lines.map(line => h('p', { class: check.kind === 'failed' || check.kind === 'done' && check.defects.length ? 'trouble' : 'quiet', text: line })));
  }

  disconnected() {
    if (this.#runs()) backend.call('check_sound', { on: false }).catch(() => {});
  }

  #runs() {
    return RUNNING.has(state().sound_check.kind);
  }
}
customElements.define('lr-sound-check', SoundCheck);
