// The first screen of the door: an account, or a name and the community's passphrase, as far as it has them.

import { backend, state } from '../shared/backend.js';
import { h, id, shown, text } from '../shared/dom.js';
import { LIMITS, limitInput } from '../shared/input-limit.js';
import { LanguageChoice } from '../shared/parts/language.js';
import { attempt } from '../shared/parts/notices.js';
import { roundTable } from '../shared/parts/round-table.js';
import { secretField } from '../shared/parts/secret.js';
import { hostOf } from '../shared/server.js';
import { problem, t } from '../shared/strings.js';
import { View } from '../shared/view.js';

/** @typedef {import('../shared/model.d.ts').AppState} AppState */
/** @typedef {import('./door.js').Door} Door */

export class SignIn extends View {
  #typed = { name: '', secret: '' };
  /** The trouble that was shown last, so that the field gets the focus once. @type {string | null} */
  #trouble = null;
  /** What the person has to enter before the server is asked. @type {'name' | 'secret' | null} */
  #missing = null;

  /** @param {Door} door */
  constructor(door) {
    super();
    this.door = door;
  }

  build() {
    const able = Boolean(globalThis.crypto?.subtle);
    const name = this.name = h('input', { id: 'sign-in-name', type: 'text', autocomplete: 'name', required: true, spellcheck: 'false', placeholder: t.namePlaceholder, oninput: () => this.#saveTyped() });
    limitInput(name, LIMITS.name);
    name.value = this.#typed.name || state().settings.name;
    const { input, field } = secretField(this.#typed.secret);
    this.secret = input;
    input.addEventListener('input', () => this.#saveTyped());
    this.error = h('p', { class: 'trouble', role: 'alert', id: id('error'), hidden: true });
    this.go = h('button', { type: 'submit', class: 'primary large', id: 'sign-in' });
    const account = this.account = h('button', { type: 'button', class: 'primary large', id: 'sign-in-account', text: t.signInAccount, onclick: () => this.#withAccount() });
    const { needsSecret, hasAccounts } = this.door;
    if (hasAccounts) this.go.classList.remove('primary', 'large');
    const form = h('form', { novalidate: true, onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); this.#submit(); } },
      h('div', { class: 'field' }, h('label', { for: name.id, text: t.yourName }), name),
      needsSecret ? field : null, hasAccounts ? null : this.error, this.go);
    const ways = hasAccounts ? [h('div', { class: 'field' }, this.error, account), ...(needsSecret ? [h('p', { class: 'quiet', text: t.signInOr }), form] : [])] : [form];
    this.append(h('main', { class: 'center' }, h('div', { class: 'card' },
      h('div', { class: 'mark' }, roundTable({ seats: 4, taken: [], takenCount: 1 })),
      h('h1', { text: t.doorTitle }), h('p', { class: 'lead', text: t.doorLead }),
      ...(able ? ways : [h('p', { class: 'trouble', text: isSecureContext ? t.browserTooOld : t.doorNeedsHttps })]),
      h('p', { class: 'quiet', text: t.doorInApp(hostOf(this.door.server)) })), new LanguageChoice()));
  }

  connected() {
    if (this.door.hasAccounts) return this.account?.focus();
    (this.name?.value ? this.door.needsSecret ? this.secret : this.go : this.name)?.focus();
  }

  /** @param {AppState} state */
  update({ session }) {
    const { go, error, secret } = this;
    if (!go || !error || !secret) return;
    const failure = session.kind === 'open' ? null : session.problem;
    const waits = session.kind === 'connecting' && failure === null;
    go.disabled = waits;
    text(go, waits ? t.signingIn : this.door.hasAccounts ? t.signInSecret : t.signIn);
    if (this.account) this.account.disabled = waits;
    const { trouble } = this.door;
    const words = this.#missing ? this.#missing === 'name' ? t.nameMissing : t.secretMissing : trouble ? problem(trouble) : failure ? `${problem(failure.code, failure.message)}${session.kind === 'connecting' ? ` ${t.tryingAgain}` : ''}` : '';
    shown(error, words !== '');
    text(error, words);
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    if (trouble !== 'wrong_secret') return;
    secret.focus();
    secret.select();
  }

  /** The page leaves for the issuer, and comes back. */
  #withAccount() {
    if (this.account) this.account.disabled = true;
    location.assign('/auth/start');
  }

  #saveTyped() {
    this.#typed = { name: this.name?.value ?? '', secret: this.secret?.value ?? '' };
  }

  #submit() {
    const name = this.name?.value.trim() ?? '', secret = this.door.needsSecret ? this.secret?.value.trim() ?? '' : '';
    this.#missing = !name ? 'name' : this.door.needsSecret && !secret ? 'secret' : null;
    this.update(state());
    if (this.#missing) return (this.#missing === 'name' ? this.name : this.secret)?.focus();
    attempt(backend.call('sign_in', { name, secret }));
  }
}
customElements.define('lr-sign-in', SignIn);
