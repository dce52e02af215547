// The room field for servers without a board. A room exists as soon as a person joins it.

import { backend, state } from '../backend.js';
import { h, id, shown, text } from '../dom.js';
import { navigation } from '../navigation.js';
import { originOf, roomOf } from '../server.js';
import { t } from '../strings.js';
import { View } from '../view.js';
import { roundTable } from './round-table.js';
import { askSecret } from './secret.js';

export class RoomField extends View {
  build() {
    const name = id('room'), hint = id('hint');
    const input = h('input', { id: name, type: 'text', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', placeholder: t.roomPlaceholder, 'aria-describedby': hint });
    const error = h('p', { class: 'trouble', role: 'alert', hidden: true });
    this.append(h('form', { class: 'center', novalidate: true, onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      const room = roomOf(input.value);
      shown(error, !room);
      text(error, room ? '' : t.problems.bad_room);
      if (room) navigation.go({ room, known: true });
      else input.focus();
    } },
    h('div', { class: 'mark' }, roundTable({ seats: 4, taken: [], takenCount: 1 })),
    h('h2', { text: t.noBoard }), h('p', { class: 'lead', id: hint, text: t.noBoardHint }),
    h('div', { class: 'field' }, h('label', { for: name, text: t.roomName }), input), error,
    h('button', { type: 'submit', class: 'primary large', text: t.goToRoom }), this.member = h('button', { type: 'button', class: 'plain', id: 'give-secret', hidden: true, text: t.haveSecret, onclick: () => { const server = connectedServer(); if (server) askSecret(server); } })));
  }

  // A community's server shows its board only to members.
  update() {
    if (this.member) shown(this.member, connectedServer() !== undefined);
  }
}
customElements.define('lr-room-field', RoomField);

/** Returns the connected server if it is in the settings, which can store its passphrase. */
function connectedServer() {
  const { session, settings } = state();
  return backend.shell === 'app' && session.kind === 'open' ? settings.servers.find(one => originOf(one.url) === originOf(session.server)) : undefined;
}
