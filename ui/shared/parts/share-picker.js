// The dialog in which a person chooses the screen or the window to share.

import { backend } from '../backend.js';
import { h } from '../dom.js';
import { painter } from '../frames/painter.js';
import { parse } from '../frames/packet.js';
import { problem, t } from '../strings.js';
import { openDialog } from './dialog.js';
import { attempt } from './notices.js';

/** @typedef {import('../model.d.ts').ScreenChoice} ScreenChoice */

/** Opens the dialog. A guest chooses in the dialog of the browser. */
export function chooseShare() {
  if (backend.shell !== 'app') return void attempt(backend.call('share'));
  const list = h('div', { class: 'share-list', 'aria-busy': 'true' }, h('p', { class: 'quiet', role: 'status', text: t.shareLooking }));
  const dialog = openDialog({ title: t.shareWhat, class: 'share-sheet', body: [h('p', { class: 'quiet', text: t.shareWords }), list] });
  /** @param {ScreenChoice} choice */
  const share = choice => {
    dialog.close();
    attempt(backend.call('share', { id: choice.id, name: nameOf(choice) }));
  };
  backend.call('screens').then(found => fill(list, found, share), error => list.replaceChildren(h('p', { class: 'trouble', role: 'alert', text: problem(error.code, error.message) })))
    .finally(() => list.removeAttribute('aria-busy'));
}

/** @param {HTMLElement} list @param {ScreenChoice[]} found @param {(choice: ScreenChoice) => void} share */
function fill(list, found, share) {
  const windows = found.filter(one => one.window);
  list.replaceChildren(
    h('h3', { text: t.shareScreens }), choices(found.filter(one => !one.window), share),
    h('h3', { text: t.shareWindows }), windows.length ? choices(windows, share) : h('p', { class: 'quiet', text: t.shareNoWindows }));
  list.querySelector('button')?.focus();
}

/** @param {ScreenChoice[]} found @param {(choice: ScreenChoice) => void} share */
const choices = (found, share) => h('ul', { class: 'share-choices', role: 'list' }, ...found.map(one => h('li', {},
  h('button', { type: 'button', class: 'share-choice', title: nameOf(one), onclick: () => share(one) },
    preview(one), h('span', { class: 'name', dir: 'auto', text: nameOf(one) })))));

/** @param {ScreenChoice} choice */
function preview({ preview: packet }) {
  const canvas = h('canvas', { class: 'share-preview', 'aria-hidden': 'true', width: 256, height: 160 });
  const frame = packet ? parse(Uint8Array.from(atob(packet), byte => byte.charCodeAt(0)).buffer) : null;
  if (frame) {
    canvas.width = frame.width;
    canvas.height = frame.height;
    painter(canvas).draw(frame);
  }
  return canvas;
}

/** @param {ScreenChoice} choice */
const nameOf = ({ name, window }) => window ? name || t.untitledWindow : t.screenNamed(name);
