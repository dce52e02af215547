// What the connection checks of the others at the table found. They are asked when this list appears.

import { backend } from '../backend.js';
import { attribute, h, keyed, text } from '../dom.js';
import { t } from '../strings.js';
import { View } from '../view.js';

/** @typedef {import('../model.d.ts').AppState} AppState */
/** @typedef {import('../model.d.ts').ParticipantView} ParticipantView */

/** A check takes up to 20 seconds. Whoever has not answered after this time has another app, or has lost the server, ms. */
const PATIENCE_MS = 30_000;

export class OthersConnection extends View {
  #asked = Date.now();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  build() {
    this.list = h('ul', { class: 'others', role: 'list' });
    this.append(h('h3', { text: t.atThisTable }), this.list);
  }

  connected() {
    this.ask();
    this.onDisconnect(() => clearTimeout(this.#timer));
  }

  /** Asks everybody again. */
  ask() {
    this.#asked = Date.now();
    backend.call('check_others').catch(error => console.warn('check_others', error));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => backend.state && this.update(backend.state), PATIENCE_MS);
  }

  /** @param {AppState} state */
  update({ call }) {
    if (!this.list) return;
    keyed(this.list, call.participants, one => one.id,
      one => h('li', {}, h('strong', { dir: 'auto', text: one.name }), h('span', { class: 'verdict' }), h('ul', { role: 'list' })),
      (item, one) => {
        const [, verdict, findings] = item.children;
        text(verdict, this.#words(one));
        attribute(verdict, 'data-verdict', one.report?.verdict);
        keyed(findings, [...new Set(one.report?.findings)], code => code, code => h('li', { text: words(code) }));
      });
  }

  /** @param {ParticipantView} one */
  #words({ report }) {
    if (report) return t.theirVerdicts[report.verdict];
    return Date.now() - this.#asked < PATIENCE_MS ? t.theirCheckRuns : t.theirCheckMissing;
  }
}
customElements.define('lr-others-connection', OthersConnection);

/** @param {string} code */
const words = code => /** @type {Record<string, string>} */ (t.theirFindings)[code] ?? t.theirOtherFinding(code);
