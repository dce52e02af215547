// The device check before a call. Nothing is sent until the person clicks Join.

import { backend, state } from '../backend.js';
import { composing, h, id, shown, text } from '../dom.js';
import { icon } from '../icons.js';
import { LIMITS, limitInput } from '../input-limit.js';
import { attempt } from '../parts/notices.js';
import { Devices } from '../parts/devices.js';
import { Meter } from '../parts/meter.js';
import { roundTable } from '../parts/round-table.js';
import { SelfView } from '../parts/self-view.js';
import { navigation } from '../navigation.js';
import { hostOf } from '../server.js';
import { problem, t } from '../strings.js';
import { roomTitle } from '../tables.js';
import { clock, ownTime, zoneOr } from '../times.js';
import { View } from '../view.js';

/** @typedef {import('../model.d.ts').AppState} AppState */
/** @typedef {import('../navigation.js').Target} Target */

export class CheckScreen extends View {
  #nameMissing = false;

  /** @param {Target} target */
  constructor(target) {
    super();
    this.target = target;
    const { settings } = state();
    // For a link to an unknown server all devices are off at first.
    this.media = target.known ? { microphone: settings.microphone_on, camera: settings.camera_on } : { microphone: false, camera: false };
  }

  build() {
    this.heading = h('h1', { dir: 'auto', text: roomTitle(this.target.room, undefined) });
    this.about = h('p', { class: 'lead' });
    this.glyph = h('div', { class: 'glyph' });
    this.caution = h('p', { class: 'caution', hidden: true }, icon('warning'), h('span'));
    this.error = h('p', { class: 'trouble', role: 'alert', hidden: true });
    this.self = new SelfView(this.media, media => { this.media = media; });
    this.self.meter = this.meter = new Meter();
    this.join = h('button', { type: 'button', class: 'primary large', id: 'join', text: t.join, onclick: () => this.#join() });
    this.cancel = h('button', { type: 'button', id: 'check-cancel', text: t.back, onclick: () => this.#back() });
    this.name = this.#nameField();
    this.app = h('a', { class: 'way', id: 'open-in-app', hidden: true, text: t.openInApp });
    this.append(
      h('section', { class: 'mirror', 'aria-label': t.howYouLook }, this.self, this.meter),
      h('section', { class: 'side' },
        h('div', { class: 'who' }, this.glyph, h('div', {}, this.heading, this.about)),
        this.caution, this.name, h('details', { class: 'pickers', open: innerHeight > 620 }, h('summary', { text: t.devices }), new Devices()),
        this.error, h('div', { class: 'actions' }, this.cancel, this.join),
        h('p', { class: 'quiet', text: t.nothingSentYet }), this.app));
  }

  connected() {
    this.#offerApp();
    // A guest without a name enters it first.
    (this.input && !this.input.value ? this.input : this.join)?.focus();
  }

  disconnected() {
    const stage = state().call.stage.kind;
    if (stage === 'idle' || stage === 'ended') backend.call('preview', { media: { microphone: false, camera: false } }).catch(() => {});
  }

  /** @param {AppState} state */
  update(state) {
    const { call, board, session } = state;
    if (!this.join || !this.cancel || !this.heading || !this.about || !this.error || !this.caution) return;
    const joining = call.stage.kind === 'joining';
    this.join.disabled = joining;
    text(this.cancel, joining ? t.cancel : t.back);
    const table = board?.tables.find(one => one.id === this.target.table) ?? board?.tables.find(one => one.room === this.target.room);
    const knocks = table?.door === 'knock' && table.mine !== 'host';
    text(this.join, joining ? t.joining : knocks ? t.knock : t.join);
    text(this.heading, roomTitle(this.target.room, table));
    text(this.about, table && board ? this.#aboutTable(table, zoneOr(board.zone)) : t.aRoomOn(hostOf(this.target.server ?? (session.kind === 'closed' ? '' : session.server))));
    this.#drawTable(table);
    shown(this.caution, !this.target.known);
    text(/** @type {Node} */ (this.caution.lastChild), t.strangeServer(hostOf(this.target.server ?? '')));
    const trouble = joining && session.kind === 'connecting' ? session.problem : null;
    const words = trouble ? `${problem(trouble.code, trouble.message)} ${t.tryingAgain}` : this.#nameMissing ? t.nameMissing : '';
    shown(this.error, words !== '');
    text(this.error, words);
  }

  /** @param {import('../model.d.ts').TableView} table @param {string} zone */
  #aboutTable(table, zone) {
    const own = ownTime(table.starts_ms, zone);
    const when = table.now ? t.now : `${clock(table.starts_ms, zone)}–${clock(table.ends_ms, zone)}${own ? ` (${t.yourTime(own)})` : ''}`;
    const names = table.taken.map(person => person.name).filter(Boolean);
    const who = table.in_call ? t.peopleInCall(table.in_call) : names.length ? names.join(', ') : t.seatsTaken(table.taken_count, table.seats);
    return [when, table.place, who].filter(Boolean).join(' · ');
  }

  /** @param {import('../model.d.ts').TableView | undefined} table */
  #drawTable(table) {
    const key = table ? `${table.seats} ${table.taken_count} ${table.taken.map(p => p.id)}` : '';
    if (!this.glyph || (this.glyph.firstChild && this.glyph.dataset.key === key)) return;
    this.glyph.dataset.key = key;
    this.glyph.replaceChildren(roundTable(table ? { seats: table.seats, taken: table.taken, takenCount: table.taken_count } : { seats: 4, taken: [], takenCount: 1 }));
  }

  /** Makes the name field for guests, who have no first run. */
  #nameField() {
    if (backend.shell !== 'guest') return null;
    const name = id('guest-name');
    const input = h('input', { id: name, type: 'text', autocomplete: 'name', placeholder: t.namePlaceholder, value: state().settings.name });
    limitInput(input, LIMITS.name);
    input.addEventListener('keydown', event => { if (event.key === 'Enter' && !composing(event)) this.#join(); });
    this.input = input;
    return h('div', { class: 'field' }, h('label', { for: name, text: t.yourName }), input);
  }

  /** At the community's door, the call can open in the app instead. */
  async #offerApp() {
    if (backend.shell !== 'door') return;
    const link = await backend.call('app_link', { room: this.target.room });
    if (!this.app || !link) return;
    this.app.href = link;
    shown(this.app, true);
  }

  async #join() {
    const now = state();
    const { settings } = now;
    const name = this.input ? this.input.value.trim() : settings.name;
    this.#nameMissing = !name;
    this.update(now);
    if (!name) return this.input?.focus();
    const { room, server, fingerprint, invite } = this.target;
    const remembered = { ...settings, name, camera_on: this.media.camera, microphone_on: this.media.microphone };
    if (this.input || this.target.known) await attempt(backend.call('save_settings', { settings: remembered }));
    if (now.link) navigation.target = this.target;
    await attempt(backend.call('join', { room, server: server ?? null, fingerprint: fingerprint ?? null, invite: invite ?? null, media: this.self?.working ?? this.media }));
    if (now.link) await backend.call('dismiss_link').catch(() => {});
  }

  async #back() {
    const { call, link } = state();
    if (call.stage.kind === 'joining') await attempt(backend.call('leave'));
    if (link) await backend.call('dismiss_link').catch(() => {});
    navigation.go(null);
  }
}
customElements.define('lr-check', CheckScreen);
