// The settings. Each change is saved immediately.

import { backend, state } from '../backend.js';
import { attribute, h, keyed, text } from '../dom.js';
import { icon } from '../icons.js';
import { LIMITS, limitInput } from '../input-limit.js';
import { hostOf, originOf, serverOf } from '../server.js';
import { t } from '../strings.js';
import { isMine } from '../tables.js';
import { View } from '../view.js';
import { openAboutMe } from './about-me.js';
import { signInWithAccount } from './account.js';
import { AvatarEditor } from './avatar-editor.js';
import { openMyDevices } from './my-devices.js';
import { announce, attempt } from './notices.js';
import { checkConnection } from './connection-check.js';
import { Devices } from './devices.js';
import { ask, openDialog } from './dialog.js';
import { isQuiet, quietUntil } from '../quiet.js';
import { keyField } from './key-field.js';
import { momentWords } from '../times.js';
import { askSecret } from './secret.js';
import { SelfView } from './self-view.js';
import { Meter } from './meter.js';

/** @typedef {import('../model.d.ts').AppState} AppState */
/** @typedef {import('../model.d.ts').Settings} Settings */

export function openSettings() {
  const panel = new SettingsPanel();
  openDialog({ title: t.settings, class: 'settings-sheet', body: [panel] });
}

/** @param {Partial<Settings>} change */
const save = change => attempt(backend.call('save_settings', { settings: { ...state().settings, ...change } }));

export class SettingsPanel extends View {
  /** Updates each control from the settings. @type {((settings: Settings) => void)[]} */
  #follow = [];

  build() {
    this.#follow = [];
    const inCall = ['joined', 'reconnecting'].includes(state().call.stage.kind);
    this.append(
      this.#section(t.general, this.#name(), ...(backend.shell === 'guest' ? [] : [new AvatarEditor()]), this.#choice('language', t.language, [['', t.asTheSystem], ['ko', '한국어'], ['en', 'English']], value => save({ language: value === 'ko' || value === 'en' ? value : null }), s => s.language ?? ''),
        this.#choice('theme', t.theme, [['system', t.asTheSystem], ['light', t.light], ['dark', t.dark]], value => save({ theme: /** @type {Settings['theme']} */ (value) }), s => s.theme),
        this.#choice('text', t.textSize, [100, 125, 150, 200].map(n => [String(n), `${n}%`]), value => save({ text_percent: Number(value) }), s => String(s.text_percent ?? 100)),
        this.#switch('notifications', t.notifications, '', on => save({ notifications: on }), s => s.notifications), this.#quiet(),
        this.#switch('data_saver', t.dataSaver, t.dataSaverHint, on => save({ data_saver: on }), s => s.data_saver),
        ...this.#desktop()),
      this.#section(t.devices, ...(inCall ? [] : [this.#mirror()]), new Devices(),
        this.#switch('mirror_own', t.mirrorOwn, t.mirrorOwnHint, on => save({ mirror_own: on }), s => s.mirror_own),
        this.#switch('show_own', t.showOwn, t.showOwnHint, on => save({ show_own: on }), s => s.show_own)),
      this.#section(t.sound, this.#noise(),
        ...(backend.shell === 'app' ? [this.#switch('listen', t.listenWhileMuted, t.listenWhileMutedHint, on => save({ listen_while_muted: on }), s => s.listen_while_muted)] : []),
        this.#switch('music', t.music, t.musicHint, on => save({ music: on }), s => s.music)),
      backend.shell === 'door' ? this.#section(t.community, this.#account()) : this.#section(t.servers, this.#servers()),
      this.#section(t.shortcuts, shortcuts(), ...this.#globalKeys()),
      this.#section(t.privacy, h('p', { class: 'quiet', text: t.privacyWords }),
        this.#switch('relay_only', t.relayOnly, t.relayOnlyHint, on => save({ relay_only: on }), s => s.relay_only), h('div', { class: 'row wrap' },
        state().session.kind === 'open' ? h('button', { type: 'button', class: 'small', id: 'about-me', text: t.aboutMe, onclick: () => openAboutMe() }) : null,
        backend.shell === 'app' ? h('button', { type: 'button', class: 'small', text: t.exportLog, onclick: () => exportLog() }) : null)),
      h('p', { class: 'quiet version', text: `Lunchroom ${state().version}` }));
  }

  /** @param {AppState} state */
  update({ settings }) {
    this.#follow.forEach(follow => follow(settings));
  }

  disconnected() {
    if (state().call.stage.kind === 'idle') backend.call('preview', { media: { microphone: false, camera: false } }).catch(() => {});
  }

  /** @param {string} title @param {...Node} parts */
  #section(title, ...parts) {
    return h('section', {}, h('h3', { text: title }), ...parts);
  }

  #name() {
    const input = h('input', { id: 'settings-name', type: 'text', autocomplete: 'name' });
    limitInput(input, LIMITS.name);
    input.addEventListener('change', () => input.value.trim() ? save({ name: input.value.trim() }) : (input.value = state().settings.name));
    this.#follow.push(settings => { if (document.activeElement !== input) input.value = settings.name; });
    // On other servers the app still needs a name.
    const hint = state().you.account ? h('p', { class: 'quiet', id: 'settings-name-hint', text: t.nameFromAccount }) : null;
    if (hint) input.setAttribute('aria-describedby', hint.id);
    input.readOnly = hint !== null && backend.shell === 'door';
    return h('div', { class: 'field' }, h('label', { for: 'settings-name', text: t.yourName }), input, hint);
  }

  /** @param {string} name @param {string} label @param {string[][]} options @param {(value: string) => void} set @param {(settings: Settings) => string} get */
  #choice(name, label, options, set, get) {
    const select = h('select', { id: `settings-${name}` }, ...options.map(([value, words]) => h('option', { value, text: words })));
    select.addEventListener('change', () => set(select.value));
    this.#follow.push(settings => { select.value = get(settings); });
    return h('div', { class: 'field' }, h('label', { for: select.id, text: label }), select);
  }

  /** @param {string} name @param {string} label @param {string} hint @param {(on: boolean) => void} set @param {(settings: Settings) => boolean} get */
  #switch(name, label, hint, set, get) {
    const box = h('input', { type: 'checkbox', role: 'switch', id: `settings-${name}`, 'aria-describedby': hint ? `settings-${name}-hint` : null });
    box.addEventListener('change', () => set(box.checked));
    this.#follow.push(settings => { box.checked = get(settings); });
    return h('div', {}, h('label', { class: 'check', for: box.id }, box, label), hint ? h('p', { class: 'quiet', id: `settings-${name}-hint`, text: hint }) : null);
  }

  /** Browsers have noise suppression, but not its strength. */
  #noise() {
    const strengths = backend.shell === 'app', field = this.#choice('noise', t.noise, strengths ? [['off', t.noiseOff], ['normal', t.noiseNormal], ['strong', t.noiseStrong]] : [['off', t.noiseOff], ['normal', t.noiseOn]],
      value => save({ noise: /** @type {Settings['noise']} */ (value) }), s => strengths || s.noise === 'off' ? s.noise : 'normal');
    if (strengths) {
      field.querySelector('select')?.setAttribute('aria-describedby', 'settings-noise-hint');
      field.append(h('p', { class: 'quiet', id: 'settings-noise-hint', text: t.noiseHint }));
    }
    return field;
  }

  /** Do not disturb. */
  #quiet() {
    const until = h('option', { value: 'until' });
    const select = h('select', { id: 'settings-quiet' }, h('option', { value: 'off', text: t.quietOff }), h('option', { value: 'hour', text: t.quietHour }), h('option', { value: 'tomorrow', text: t.quietTomorrow }));
    select.addEventListener('change', () => { if (select.value !== 'until') save({ quiet_until_ms: quietUntil(select.value, Date.now()) }); });
    this.#follow.push(settings => {
      const quiet = isQuiet(settings, Date.now());
      if (quiet) {
        text(until, t.quietUntil(momentWords(settings.quiet_until_ms ?? 0)));
        select.prepend(until);
      } else until.remove();
      select.value = quiet ? 'until' : 'off';
    });
    return h('div', { class: 'field' }, h('label', { for: select.id, text: t.quiet }), select, h('p', { class: 'quiet', text: t.quietHint }));
  }

  /** What only an installed app can do. */
  #desktop() {
    const { abilities } = state();
    return [
      ...(abilities.autostart ? [this.#switch('autostart', t.autostart, t.autostartHint, on => save({ autostart: on }), s => s.autostart)] : []),
      ...(abilities.tray ? [this.#switch('close_to_tray', t.closeToTray, t.closeToTrayHint, on => save({ close_to_tray: on }), s => s.close_to_tray)] : []),
    ];
  }

  /** Keys that work while another app is focused. */
  #globalKeys() {
    if (backend.shell !== 'app') return [];
    if (!state().abilities.global_keys) return [h('p', { class: 'quiet', text: t.globalKeysImpossible })];
    const mute = keyField(t.muteKeys, t.globalKeysHint, keys => save({ mute_keys: keys, talk_keys: keys === state().settings.talk_keys ? null : state().settings.talk_keys }));
    const talk = keyField(t.talkKeys, t.talkKeysHint, keys => save({ talk_keys: keys, mute_keys: keys === state().settings.mute_keys ? null : state().settings.mute_keys }));
    this.#follow.push(settings => {
      mute.show(settings.mute_keys);
      talk.show(settings.talk_keys);
    });
    return [mute.field, talk.field];
  }

  #mirror() {
    const meter = new Meter();
    const self = new SelfView({ microphone: false, camera: false });
    self.meter = meter;
    return h('div', { class: 'mirror' }, self, meter);
  }

  /** The community whose door this is, and the way out. */
  #account() {
    const { settings, session, you } = state();
    const host = settings.servers[0]?.name ?? (session.kind === 'closed' ? '' : hostOf(session.server));
    return h('div', { class: 'account' }, h('p', {}, h('strong', { text: host })), h('p', { class: 'quiet', text: you.account ? t.signedInAccount(you.account) : t.signedInHere }),
      myDevices(), h('button', { type: 'button', class: 'small', id: 'sign-out', text: t.signOut, onclick: () => signOut() }));
  }

  #servers() {
    const list = h('ul', { class: 'servers', role: 'list' });
    this.#follow.push(settings => keyed(list, settings.servers.map((server, n) => ({ server, n })), ({ server }) => server.url + server.fingerprint,
      ({ server }) => {
        const use = h('button', { type: 'button', class: 'small use' }), remove = h('button', { type: 'button', class: 'icon-only plain', 'aria-label': t.removeServer(server.name || server.url) }, icon('trash'));
        const secret = h('button', { type: 'button', class: 'small secret', 'aria-label': t.secretOf(server.name || server.url) });
        return h('li', {}, h('div', {}, h('strong', { text: server.name || server.url }), h('span', { class: 'quiet', text: server.url })), secret, use, remove);
      },
      (item, { server, n }) => {
        const [, secret, use, remove] = /** @type {HTMLButtonElement[]} */ (/** @type {unknown} */ ([...item.children]));
        const now = settings.server === n;
        text(secret, server.secret ? t.secretKnown : t.secretShort);
        secret.onclick = () => askSecret(server);
        text(use, now ? t.inUse : t.use);
        use.disabled = now;
        attribute(item, 'aria-current', now ? 'true' : null);
        use.onclick = async () => { await save({ server: n }); await attempt(backend.call('connect', { server: server.url, fingerprint: server.fingerprint })); };
        remove.onclick = () => {
          const servers = settings.servers.filter((_, other) => other !== n);
          const at = settings.server === null || settings.server === n ? (servers.length ? 0 : null) : settings.server > n ? settings.server - 1 : settings.server;
          save({ servers, server: at });
        };
      }));
    if (backend.shell !== 'app') return list;
    const input = h('input', { id: 'settings-server', type: 'text', placeholder: t.serverPlaceholder, autocomplete: 'off', spellcheck: 'false', 'aria-label': t.serverAddress });
    const add = h('form', { class: 'row', onsubmit: async (/** @type {Event} */ event) => {
      event.preventDefault();
      const typed = serverOf(input.value), { servers } = state().settings;
      if (!typed) return announce(t.serverMissing);
      input.value = '';
      // A known server keeps its fingerprint and passphrase.
      const known = servers.findIndex(one => originOf(one.url) === originOf(typed.url)), server = servers[known] ?? typed;
      await save(known < 0 ? { servers: [...servers, server], server: servers.length } : { server: known });
      await attempt(backend.call('connect', { server: server.url, fingerprint: server.fingerprint }));
    } }, input, h('button', { type: 'submit', class: 'small', text: t.add }));
    const { session, you } = state();
    const account = session.kind === 'open' && (you.sign_in || you.account)
      ? h('div', { class: 'account' }, h('p', { class: 'quiet', text: you.account ? t.signedInAs(you.account) : t.accountOn(hostOf(session.server)) }),
        you.account ? myDevices() : h('button', { type: 'button', class: 'small', id: 'sign-in-account', text: t.signInAccount, onclick: () => signInWithAccount() })) : null;
    return h('div', {}, list, account, add, h('button', { type: 'button', class: 'small', id: 'settings-check', text: t.checkConnection, onclick: () => checkConnection() }));
  }
}
customElements.define('lr-settings', SettingsPanel);

export function shortcuts() {
  const rows = [['M', t.microphone], ['V', t.camera], ['H', t.hand], ['R', t.react], ['S', t.share], ['C', t.chat], ['P', t.people], ['G', t.changeView], ['F', t.fullScreen], [t.space, t.holdToTalk], ['Esc', t.closePanel], ['?', t.shortcuts], ['Ctrl + Shift + L', t.leave]];
  return h('dl', { class: 'shortcuts' }, ...rows.flatMap(([key, words]) => [h('dt', {}, h('kbd', { text: key })), h('dd', { text: words })]));
}

/** A button for the devices of the person's account, if they have one here. */
const myDevices = () => state().you.account ? h('button', { type: 'button', class: 'small', id: 'my-devices', text: t.myDevices, onclick: () => openMyDevices() }) : null;

/** The seats belong to the account, or to the key of this browser, which is lost. */
async function signOut() {
  const seats = state().board?.tables.filter(isMine).length ?? 0;
  if (await ask({ title: t.signOut, words: state().you.account ? t.signOutAccountSure : t.signOutSure(seats), yes: t.signOut, danger: true })) await attempt(backend.call('sign_out'));
}

async function exportLog() {
  const file = await attempt(backend.call('export_log').then(path => path ?? true));
  if (file) announce(typeof file === 'string' ? t.logSavedAs(file) : t.logSaved);
}
