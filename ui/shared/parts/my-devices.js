// The devices of the person's account: a list, and removing one.

import { backend, state } from '../backend.js';
import { h } from '../dom.js';
import { problem, t } from '../strings.js';
import { dayWords } from '../times.js';
import { ask, openDialog } from './dialog.js';
import { announce } from './notices.js';

/** @typedef {import('../model.d.ts').AccountDevice} AccountDevice */

/** Opens the dialog and asks the server. */
export function openMyDevices() {
  // Only this line is spoken by itself. The list is read when the person goes there.
  const lead = h('p', { class: 'lead', role: 'status', tabindex: '-1', text: t.oneMoment }), list = h('ul', { class: 'servers my-devices', role: 'list' });
  const dialog = openDialog({ title: t.myDevices, class: 'my-devices-sheet', body: [lead, list] });
  const fail = (/** @type {unknown} */ error) => {
    const { code = 'internal', message } = /** @type {import('../backend.js').CommandError} */ (error ?? {});
    lead.textContent = problem(code, message);
  };
  const show = async () => {
    try {
      const devices = /** @type {AccountDevice[]} */ (await backend.call('account_devices'));
      lead.textContent = t.myDevicesWords;
      list.replaceChildren(...devices.map(one => item(one, remove)));
    } catch (error) {
      fail(error);
      list.replaceChildren();
    }
  };
  /** @param {AccountDevice} device */
  const remove = async device => {
    const isThis = device.key === state().you.key;
    if (!await ask({ title: t.removeDeviceSure(nameOf(device)), words: isThis ? t.removeThisDeviceWords : t.removeDeviceWords, yes: t.removeDevice, danger: true })) return;
    try {
      await backend.call('remove_device', { key: device.key });
      announce(t.deviceRemoved(nameOf(device)));
      if (isThis) return dialog.close();
      await show();
      lead.focus(); // the button that had the focus is gone
    } catch (error) {
      fail(error);
    }
  };
  show();
}

/** @param {AccountDevice} device */
const nameOf = device => device.name || t.unnamedDevice;

/** @param {AccountDevice} device @param {(device: AccountDevice) => void} remove */
function item(device, remove) {
  const isThis = device.key === state().you.key;
  const when = isThis ? t.thisDevice : device.connected ? t.deviceOnline : t.deviceUsed(dayWords(device.used_ms));
  return h('li', {}, h('div', {}, h('strong', { dir: 'auto', text: nameOf(device) }), h('span', { class: 'quiet', text: `${when} · ${t.deviceAdded(dayWords(device.added_ms))}` })),
    h('button', { type: 'button', class: 'small danger-text', 'aria-label': t.removeDeviceOf(nameOf(device)), text: t.removeDevice, onclick: () => remove(device) }));
}
