// Notices that the server has another version of this page since it was restarted. The parts of a page always belong
// together, because their addresses name their version; but an old page would stay open for days.

import { h } from '../shared/dom.js';
import { t } from '../shared/strings.js';

/** @typedef {import('./backend.js').DoorBackend} DoorBackend */

/** The folder of this version: `/assets/HASH/`. */
const VERSION = new URL('..', import.meta.url).pathname;

/** Looks for another version after each interruption of the connection. @param {DoorBackend} backend */
export function watchVersion(backend) {
  let wasOpen = true;
  backend.subscribe(({ session }) => {
    const isOpen = session.kind === 'open', isBack = isOpen && !wasOpen;
    wasOpen = isOpen;
    if (isBack) look(backend);
  });
}

/** @param {DoorBackend} backend */
async function look(backend) {
  try {
    const response = await fetch('/', { cache: 'no-cache' });
    if (!response.ok || (await response.text()).includes(`${VERSION}door/main.js`)) return;
  } catch {
    return; // the next interruption looks again
  }
  const busy = !['idle', 'ended'].includes(backend.current().call.stage.kind);
  // Nobody looks, and nothing that somebody typed is lost.
  if (document.hidden && !busy && !document.querySelector('dialog[open]')) return location.reload();
  if (document.querySelector('.version-note')) return;
  const note = h('div', { class: 'notice reminder version-note', role: 'status' }, h('p', { text: t.newVersion }),
    h('button', { type: 'button', class: 'small', id: 'reload', text: t.reload, onclick: () => location.reload() }));
  document.querySelector('.notices')?.prepend(note);
}
