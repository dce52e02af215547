// The screen of a person who knocks: what the host sees of them, and a button to cancel.

import { backend, state } from '../backend.js';
import { h, text } from '../dom.js';
import { attempt } from '../parts/notices.js';
import { PictureView } from '../parts/picture.js';
import { tableOf } from '../parts/table-links.js';
import { ownMedia } from '../own-media.js';
import { avatar, ownLook } from '../avatar.js';
import { t } from '../strings.js';
import { roomTitle } from '../tables.js';
import { View } from '../view.js';

/** @typedef {import('../model.d.ts').AppState} AppState */

export class KnockingScreen extends View {
  build() {
    const { settings, call, you } = state();
    this.status = h('p', { class: 'lead', role: 'status' });
    this.append(h('div', { class: 'center' },
      h('div', { class: 'doorway' }, ownMedia(state()).camera ? new PictureView({ kind: 'own' }) : avatar(settings.name, you.key || settings.name, ownLook(settings))),
      h('h1', { text: t.knocking }), this.status,
      h('p', { class: 'quiet', text: t.hostSees(settings.name) }),
      h('button', { type: 'button', text: t.cancel, onclick: () => attempt(backend.call('leave')) })));
  }

  /** @param {AppState} state */
  update({ call }) {
    const table = tableOf(call.room), title = roomTitle(call.room, table);
    // Nobody can admit a person to an empty room. The state changes when somebody joins it.
    if (this.status) text(this.status, call.host !== null ? t.atTheDoorOf(title) : table?.in_call ? t.hostAway(title) : t.nobodyToOpen(title));
  }
}
customElements.define('lr-knocking', KnockingScreen);
