// The passphrase of a community. It makes a person a member on the community's server, with access to the board.

import { backend, state } from '../backend.js';
import { h, id } from '../dom.js';
import { LIMITS, limitInput } from '../input-limit.js';
import { t } from '../strings.js';
import { attempt } from './notices.js';
import { openDialog } from './dialog.js';

/** @typedef {import('../model.d.ts').KnownServer} KnownServer */

/** Makes a password field for the passphrase. @param {string} [value] */
export function secretField(value = '') {
  const name = id('secret'), hint = id('hint');
  const input = h('input', { id: name, type: 'password', autocomplete: 'off', spellcheck: 'false', 'aria-describedby': hint, value });
  limitInput(input, LIMITS.secret);
  return { input, field: h('div', { class: 'field' }, h('label', { for: name, text: t.secret }), input, h('p', { class: 'quiet', id: hint, text: t.secretHint })) };
}

/** Asks for the passphrase, saves it with the server, and connects again. An empty passphrase makes the person a guest. @param {KnownServer} server */
export function askSecret(server) {
  const { input, field } = secretField(server.secret ?? '');
  const dialog = openDialog({ title: t.secretOf(server.name || server.url), class: 'question', body: [h('form', { onsubmit: async (/** @type {Event} */ event) => {
    event.preventDefault();
    const { settings } = state(), secret = input.value.trim() || null;
    const servers = settings.servers.map(one => one.url === server.url && one.fingerprint === server.fingerprint ? { ...one, secret } : one);
    if (!await attempt(backend.call('save_settings', { settings: { ...settings, servers } }).then(() => true))) return;
    dialog.close();
    await attempt(backend.call('connect', { server: server.url, fingerprint: server.fingerprint }));
  } }, field, h('div', { class: 'actions' }, h('button', { type: 'submit', class: 'primary', text: t.enterSecret })))] });
  input.focus();
}
