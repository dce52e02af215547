// The device menus and the test sound, for the device check, the call and the settings.

import { backend, state } from '../backend.js';
import { h, id, keyed, shown, text } from '../dom.js';
import { icon } from '../icons.js';
import { MISSING_CODES, isMissing } from '../own-media.js';
import { deviceProblem, t } from '../strings.js';
import { View } from '../view.js';
import { attempt } from './notices.js';
import { SoundCheck } from './sound-check.js';

/** @typedef {import('../model.d.ts').DeviceKind} DeviceKind */
/** @typedef {import('../model.d.ts').AppState} AppState */
/** @typedef {{ kind: DeviceKind, select: HTMLSelectElement, noDevice: HTMLElement, trouble: HTMLElement }} Picker */

export class Devices extends View {
  /** @type {Picker[]} */
  pickers = [];

  build() {
    this.pickers = [this.#picker('camera', t.camera), this.#picker('microphone', t.microphone), this.#picker('speaker', t.speaker)];
    this.append(h('div', { class: 'row' },
      h('button', { type: 'button', class: 'small', onclick: () => attempt(backend.call('test_sound')) }, icon('speaker'), t.testSound),
      h('button', { type: 'button', class: 'small plain', onclick: () => attempt(backend.call('refresh_devices')) }, t.refreshDevices)),
      ...(backend.shell === 'app' ? [new SoundCheck()] : []));
  }

  connected() {
    backend.call('refresh_devices').catch(() => {});
  }

  /** @param {AppState} now */
  update(now) {
    const { devices, choice, problems } = now;
    for (const { kind, select, noDevice, trouble } of this.pickers) {
      const available = devices.filter(device => device.kind === kind);
      const systemDefault = available.find(device => device.default);
      const hasNone = isMissing(now, kind);
      const options = [{ id: '', name: hasNone ? t.noDevice[kind] : systemDefault ? t.systemDefault(systemDefault.name) : t.systemDefaultPlain }, ...available];
      keyed(select, options, option => option.id, option => h('option', { value: option.id }), (element, option) => text(element, option.name));
      const chosen = choice[kind] ?? '';
      const value = options.some(option => option.id === chosen) ? chosen : available.find(device => device.name === chosen)?.id ?? '';
      if (select.value !== value) select.value = value;
      shown(select, available.length > 0);
      shown(noDevice, available.length === 0);
      const failure = problems.find(p => p.device === kind);
      // The menu already shows that there is no device.
      const alreadyShown = failure !== undefined && MISSING_CODES.has(failure.code) && hasNone;
      shown(trouble, failure !== undefined && !alreadyShown);
      text(trouble, failure && !alreadyShown ? deviceProblem(failure, now) : '');
    }
  }

  /** @param {DeviceKind} kind @param {string} label @returns {Picker} */
  #picker(kind, label) {
    const name = id(kind);
    const select = h('select', { id: name, onchange: () => choose() });
    const noDevice = h('p', { class: 'quiet', text: t.noDevice[kind], hidden: true });
    const trouble = h('p', { class: 'trouble', role: 'status', hidden: true });
    const choose = () => attempt(backend.call('select_devices', { choice: { ...state().choice, [kind]: select.value || null } }));
    this.append(h('div', { class: 'field' }, h('label', { for: name, text: label }), select, noDevice, trouble));
    return { kind, select, noDevice, trouble };
  }
}
customElements.define('lr-devices', Devices);
