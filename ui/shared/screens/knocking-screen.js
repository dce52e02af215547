// At the door: what the host sees of one, and a way back.

import { backend, state } from '../backend.js';
import { h, text } from '../dom.js';
import { attempt } from '../parts/notices.js';
import { PictureView } from '../parts/picture.js';
import { tableOf } from '../parts/table-links.js';
import { ownMedia } from '../own-media.js';
import { avatar } from '../avatar.js';
import { t } from '../strings.js';
import { roomTitle } from '../tables.js';
import { View } from '../view.js';

/** @typedef {import('../model.d.ts').AppState} AppState */

export class KnockingScreen extends View {
  build() {
    const { settings, call, you } = state();
    this.dots = h('p', { class: 'lead', role: 'status' });
    this.append(h('div', { class: 'center' },
      h('div', { class: 'doorway' }, ownMedia(state()).camera ? new PictureView({ kind: 'own' }) : avatar(settings.name, you.key || settings.name)),
      h('h1', { text: t.knocking }), this.dots,
      h('p', { class: 'quiet', text: t.hostSees(settings.name) }),
      h('button', { type: 'button', text: t.cancel, onclick: () => attempt(backend.call('leave')) })));
  }

  /** @param {AppState} state */
  update({ call }) {
    const table = tableOf(call.room), title = roomTitle(call.room, table);
    // Nobody opens an empty room; they are told at the door as soon as somebody comes.
    if (this.dots) text(this.dots, call.host !== null ? t.atTheDoorOf(title) : table?.in_call ? t.hostAway(title) : t.nobodyToOpen(title));
  }
}
customElements.define('lr-knocking', KnockingScreen);
