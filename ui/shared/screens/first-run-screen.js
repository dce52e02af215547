// The first run: a name, a server and a preview. Everything can be changed later.

import { backend, state } from '../backend.js';
import { h, id, shown, text } from '../dom.js';
import { LIMITS, limitInput } from '../input-limit.js';
import { attempt } from '../parts/notices.js';
import { LanguageChoice } from '../parts/language.js';
import { Meter } from '../parts/meter.js';
import { roundTable } from '../parts/round-table.js';
import { secretField } from '../parts/secret.js';
import { SelfView } from '../parts/self-view.js';
import { serverOf } from '../server.js';
import { t } from '../strings.js';
import { View } from '../view.js';

/** @typedef {import('../model.d.ts').AppState} AppState */

export class FirstRun extends View {
  #where = 'server';
  #typed = { name: '', server: '', secret: '' };

  build() {
    const name = id('name'), server = id('server');
    this.name = h('input', { id: name, type: 'text', autocomplete: 'name', required: true, spellcheck: 'false', placeholder: t.namePlaceholder, oninput: () => this.#saveTyped() });
    limitInput(this.name, LIMITS.name);
    this.server = h('input', { id: server, type: 'text', inputmode: 'url', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', placeholder: t.serverPlaceholder, oninput: () => this.#saveTyped() });
    this.name.value = this.#typed.name || (backend.state?.settings.name ?? '');
    // Suggest the server of the command line, if there is one.
    const { settings } = backend.state ?? {};
    this.server.value = this.#typed.server || (settings?.servers[settings.server ?? 0]?.url ?? '');
    const secret = secretField(this.#typed.secret);
    this.secret = secret.input;
    secret.input.addEventListener('input', () => this.#saveTyped());
    this.field = h('div', { class: 'field indented' }, h('label', { for: server, text: t.serverAddress }), this.server, h('p', { class: 'quiet', text: t.serverHint }),
      h('details', { class: 'secret', open: this.#typed.secret !== '' }, h('summary', { text: t.haveSecret }), secret.field));
    this.error = h('p', { class: 'trouble', role: 'alert', hidden: true });
    this.go = h('button', { type: 'submit', class: 'primary large', text: t.start });
    // Keep the switches when the language changes.
    this.self = new SelfView(this.self?.media ?? { microphone: false, camera: false });
    this.meter = new Meter();
    this.self.meter = this.meter;
    this.append(
      h('form', { class: 'welcome', novalidate: true, onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); this.#start(); } },
        h('div', { class: 'welcome-top' }, h('div', { class: 'mark' }, roundTable({ seats: 4, taken: [], takenCount: 1 })), new LanguageChoice()),
        h('h1', { text: t.welcome }),
        this.lead = h('p', { class: 'lead', text: t.welcomeLead }),
        h('div', { class: 'field' }, h('label', { for: name, text: t.yourName }), this.name),
        h('fieldset', { class: 'choices' }, h('legend', { text: t.whereToEat }),
          this.#choice('server', t.onServer, t.onServerHint), this.field, this.#choice('here', t.hostHere, t.hostHereHint)),
        this.error, this.go, h('p', { class: 'quiet', text: t.changeLater })),
      h('aside', { class: 'mirror' }, this.self, this.meter, h('p', { class: 'quiet', text: t.previewHint })));
  }

  connected() {
    if (!this.name?.value) this.name?.focus();
  }

  disconnected() {
    backend.call('preview', { media: { microphone: false, camera: false } }).catch(() => {});
  }

  /** @param {AppState} state */
  update({ link }) {
    // A link includes the server, so only the name is missing.
    const choices = /** @type {HTMLElement | null} */ (this.querySelector('.choices'));
    if (choices) shown(choices, !link);
    if (this.lead) text(this.lead, link ? t.linkLeadsTo(link.room) : t.welcomeLead);
    if (this.field) shown(this.field, this.#where === 'server');
  }

  /** @param {string} value @param {string} label @param {string} hint */
  #choice(value, label, hint) {
    const name = id('where'), about = id('about');
    const radio = h('input', { type: 'radio', name: 'where', id: name, value, checked: this.#where === value, 'aria-describedby': about,
      onchange: () => { this.#where = value; this.update(state()); if (value === 'server') this.server?.focus(); } });
    return h('div', { class: 'choice' }, radio, h('label', { for: name, text: label }), h('p', { class: 'quiet', id: about, text: hint }));
  }

  #saveTyped() {
    this.#typed = { name: this.name?.value ?? '', server: this.server?.value ?? '', secret: this.secret?.value ?? '' };
    if (this.error) shown(this.error, false);
    if (!this.self) return;
    this.self.name = this.#typed.name.trim();
    this.self.update(state());
  }

  async #start() {
    const { settings, link } = state();
    const name = this.name?.value.trim() ?? '';
    if (!name) return this.#showProblem(t.nameMissing, this.name);
    const next = { ...settings, name };
    if (link) return attempt(backend.call('save_settings', { settings: next }));
    if (this.#where === 'here') {
      this.#setBusy(true);
      if (await attempt(backend.call('save_settings', { settings: next }).then(() => true))) await attempt(backend.call('host_here'));
      return this.#setBusy(false);
    }
    const typed = this.server?.value.trim() ?? '';
    if (/^lunchroom:|\/r\//.test(typed)) {
      // The person pasted a link instead of an address.
      if (await attempt(backend.call('save_settings', { settings: next }).then(() => true))) await attempt(backend.call('open_link', { link: typed }));
      return;
    }
    const server = serverOf(typed);
    if (!server) return this.#showProblem(t.serverMissing, this.server);
    await attempt(backend.call('save_settings', { settings: { ...next, servers: [{ ...server, secret: this.secret?.value.trim() || null }], server: 0 } }));
    await attempt(backend.call('connect', { server: server.url, fingerprint: server.fingerprint }));
  }

  /** @param {boolean} yes */
  #setBusy(yes) {
    if (this.go) this.go.disabled = yes;
  }

  /** @param {string} words @param {HTMLElement} [field] */
  #showProblem(words, field) {
    if (!this.error) return;
    shown(this.error, true);
    text(this.error, words);
    field?.focus();
  }
}
customElements.define('lr-first-run', FirstRun);
