// The menus beside the microphone and the camera in the call's bar: which device to use.

import { backend, state } from '../backend.js';
import { h } from '../dom.js';
import { icon } from '../icons.js';
import { t } from '../strings.js';
import { menu } from './menu.js';
import { attempt } from './notices.js';

/** @typedef {import('../model.d.ts').DeviceKind} DeviceKind */
/** @typedef {import('./menu.js').Item} Item */

/**
 * Makes the button that opens the menu of some kinds of devices.
 * @param {string} id @param {string} label @param {DeviceKind[]} kinds @param {() => void} more opens everything about devices
 */
export function deviceMenu(id, label, kinds, more) {
  const button = h('button', { type: 'button', class: 'bar-arrow', id, 'aria-label': label, title: label }, icon('down'));
  const holder = h('span', { class: 'holder arrow-holder' }, button);
  menu(button, () => [...kinds.flatMap(kind => choices(kind, kinds.length > 1)), { words: t.moreDevices, icon: 'settings', run: more }]);
  button.addEventListener('click', () => backend.call('refresh_devices').catch(() => {}));
  return holder;
}

/** The devices of a kind, and the system's default. @param {DeviceKind} kind @param {boolean} named whether the entries name the kind @returns {Item[]} */
function choices(kind, named) {
  const { devices, choice } = state(), available = devices.filter(one => one.kind === kind), usual = available.find(one => one.default);
  if (!available.length) return [];
  const chosen = available.find(one => one.id === choice[kind] || one.name === choice[kind])?.id ?? null;
  const all = [{ id: null, name: usual ? t.systemDefault(usual.name) : t.systemDefaultPlain }, ...available];
  return all.map(({ id, name }) => ({
    words: named ? t.deviceOfKind(t[kind], name) : name, checked: id === chosen,
    run: () => attempt(backend.call('select_devices', { choice: { ...state().choice, [kind]: id } })),
  }));
}
