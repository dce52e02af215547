// The three pickers and the test sound; before a call, in a call and in the settings.

import { backend, state } from '../backend.js';
import { h, id, keyed, shown, text } from '../dom.js';
import { icon } from '../icons.js';
import { MISSING_CODES, isMissing } from '../own-media.js';
import { deviceProblem, t } from '../strings.js';
import { View } from '../view.js';
import { attempt } from './notices.js';

/** @typedef {import('../model.d.ts').DeviceKind} DeviceKind */
/** @typedef {import('../model.d.ts').AppState} AppState */
/** @typedef {{ kind: DeviceKind, select: HTMLSelectElement, none: HTMLElement, trouble: HTMLElement }} Picker */

export class Devices extends View {
  /** @type {Picker[]} */
  pickers = [];

  build() {
    this.pickers = [this.#picker('camera', t.camera), this.#picker('microphone', t.microphone), this.#picker('speaker', t.speaker)];
    this.append(h('div', { class: 'row' },
      h('button', { type: 'button', class: 'small', onclick: () => attempt(backend.call('test_sound')) }, icon('speaker'), t.testSound),
      h('button', { type: 'button', class: 'small plain', onclick: () => attempt(backend.call('refresh_devices')) }, t.lookAgain)));
  }

  connected() {
    backend.call('refresh_devices').catch(() => {});
  }

  /** @param {AppState} now */
  update(now) {
    const { devices, choice, problems } = now;
    for (const { kind, select, none, trouble } of this.pickers) {
      const some = devices.filter(device => device.kind === kind);
      const usual = some.find(device => device.default);
      const without = isMissing(now, kind);
      const options = [{ id: '', name: without ? t.noDevice[kind] : usual ? t.systemDefault(usual.name) : t.systemDefaultPlain }, ...some];
      keyed(select, options, option => option.id, option => h('option', { value: option.id }), (element, option) => text(element, option.name));
      const chosen = choice[kind] ?? '';
      const value = options.some(option => option.id === chosen) ? chosen : some.find(device => device.name === chosen)?.id ?? '';
      if (select.value !== value) select.value = value;
      shown(select, some.length > 0);
      shown(none, some.length === 0);
      const wrong = problems.find(p => p.device === kind);
      // That there is none is said already.
      const said = wrong !== undefined && MISSING_CODES.has(wrong.code) && without;
      shown(trouble, wrong !== undefined && !said);
      text(trouble, wrong && !said ? deviceProblem(wrong, now) : '');
    }
  }

  /** @param {DeviceKind} kind @param {string} label @returns {Picker} */
  #picker(kind, label) {
    const name = id(kind);
    const select = h('select', { id: name, onchange: () => choose() });
    const none = h('p', { class: 'quiet', text: t.noDevice[kind], hidden: true });
    const trouble = h('p', { class: 'trouble', role: 'status', hidden: true });
    const choose = () => attempt(backend.call('select_devices', { choice: { ...state().choice, [kind]: select.value || null } }));
    this.append(h('div', { class: 'field' }, h('label', { for: name, text: label }), select, none, trouble));
    return { kind, select, none, trouble };
  }
}
customElements.define('lr-devices', Devices);
