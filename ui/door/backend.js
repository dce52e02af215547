// The backend of the door: that of the guest page, for a person who signs in and has the whole board.
//
//   signed out ── sign_in ──▶ asking ── member ──▶ signed in ── sign_out ──▶ signed out
//       ▲                       │                      │
//       └───────────────────────┴── not a member ──────┘   the secret is wrong, or was changed
//
// Signed in means, as in the app, that the settings have a name and a server. Who comes back from signing in with an
// account has a one-time code, with which the server adds this browser to the account's devices:
//
//   come back ── code ──▶ guest's session ── add_device ──▶ the next session is a member's

import { GuestBackend } from '../guest/backend.js';
import { saveText } from '../guest/download.js';
import { saveSettings } from '../guest/storage.js';
import { memberKeyOf } from '../shared/protocol.js';
import { event } from '../shared/ics.js';
import { hostOf } from '../shared/server.js';
import { t } from '../shared/strings.js';
import { shownName } from '../shared/text.js';
import { isQuiet } from '../shared/quiet.js';
import { linkTo } from './door.js';
import { forgetPerson, keepStorage, loadMember, saveMember } from './membership.js';
import { Notifier } from './notifier.js';
import { AvatarCopy, requestOf } from './avatar-copy.js';
import { deviceName } from './device-name.js';

/** @typedef {import('../shared/model.d.ts').Settings} Settings */
/** @typedef {import('../shared/protocol.js').Message} Message */
/** @typedef {import('../shared/protocol.js').Session} Session */
/** @typedef {import('./door.js').Door} Door */

/** Error codes of a request for an invite that mean that no invite is needed. */
const OPEN_DOOR = ['no_such_table', 'unexpected_message'];
/** The title of a lunch without a topic in calendars. */
const LUNCH = 'Lunchroom';

/** Longest wait for the server at signing out, ms. */
const SIGN_OUT_MS = 2_000;

/** @param {number} ms */
const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

export class DoorBackend extends GuestBackend {
  /** The community's secret, if the person knows it. @type {CryptoKey | null} */
  #member = null;
  /** Whether the server has yet to say whether the person is a member. */
  #asking = false;
  /** The one-time code of a sign-in with an account. @type {string | null} */
  #code = null;
  #notifier = new Notifier();
  #avatar = new AvatarCopy();

  /** @param {Door} door */
  constructor(door) {
    super({ room: '', server: door.server, invite: null, link: null, trouble: null });
    this.door = door;
    this.shell = /** @type {const} */ ('door');
  }

  async begin() {
    this.#member = await loadMember();
    if (this.door.returned) this.#code = await this.#fetchCode();
    if (this.#code || this.#isSignedIn()) this.connect();
  }

  credentials() {
    return this.#member ? { member: this.#member } : {};
  }

  /** @param {string} name @param {any} [args] @returns {Promise<any>} */
  async call(name, args = {}) {
    switch (name) {
      case 'sign_in': return this.#signIn(args);
      case 'sign_out': return this.#signOut();
      case 'lay_table': return this.#ask('lay', args.draft);
      case 'delete_table': return this.#ask('delete', { table: args.table });
      case 'cancel_date': return this.#ask('cancel_date', { table: args.table });
      case 'move_table': return this.#ask('move', { table: args.table, starts_ms: args.starts_ms, minutes: args.minutes });
      case 'lay_round': return this.#ask('lay_round', args.draft);
      case 'cancel_round': return this.#ask('cancel_round', { round: args.round });
      case 'sign_up': return this.#ask('sign_up', { round: args.round });
      case 'withdraw': return this.#ask('withdraw', { round: args.round });
      case 'eat_now': return this.#ask('eat_now', { with: args.with });
      case 'stop_waiting': return this.#ask('stop_waiting');
      case 'set_presence': return this.#ask('presence', { presence: args.presence });
      case 'make_invite': return this.#invite(args);
      case 'app_link': return this.door.link && linkTo(this.door.link, args.room);
      case 'ics': return this.#calendar(args.table);
      case 'save_calendar': return { path: saveText(`lunchroom-${this.#table(args.table).starts_ms}.ics`, 'text/calendar', this.#calendar(args.table)), opened: false };
      case 'calendar_address': return this.#calendarAddress(args.token);
      case 'revoke_calendar': return this.#ask('revoke_calendar');
      case 'set_avatar': return this.#setAvatar(args.avatar);
      case 'unblock': return this.#ask('unblock', { person: args.person });
      case 'close_table': return this.#ask('close_table', { table: args.table, reason: args.reason });
      case 'suspend': return this.#ask('suspend', { person: args.person, hours: args.hours, reason: args.reason });
      case 'lift': return this.#ask('lift', { person: args.person });
      case 'close_report': return this.#ask('close_report', { report: args.report });
      case 'order_book': return this.#ask('order_book');
      case 'account_devices': return (await this.board.request({ type: 'account', do: 'devices' }))?.devices ?? [];
      case 'remove_device': return this.board.request({ type: 'account', do: 'remove_device', key: args.key });
      case 'dismiss_reminders':
        this.board.dismiss(args.last);
        return this.updateBoard();
      case 'save_settings': return this.#saveSettings(args.settings);
      default: return super.call(name, args);
    }
  }

  /** Subscribes to the board, or asks the person to sign in again. @param {Session} session @param {Message} welcome */
  async welcomed(session, { member = true, account = null }) {
    if (this.#code) return this.#addDevice(session, this.#code);
    const asked = this.#asking;
    this.#asking = false;
    if (!member) return this.#refuse(session, asked ? 'wrong_secret' : this.door.hasAccounts && !this.#member ? 'device_removed' : 'secret_changed');
    const name = account ? shownName(account.name) : undefined;
    this.update({ you: { ...this.current().you, person: account?.person ?? null, account: name ?? null } });
    if (asked || account && !this.#isSignedIn()) await this.#remember(name);
    this.#avatar.begin();
    // The board stays as it is without an answer: the next session asks again.
    await this.board.request({ type: 'board', do: 'subscribe' }).catch(error => console.warn('subscribe', error.code));
  }

  updateBoard() {
    const { state: board, reminders } = this.board;
    this.update({ board, reminders });
    const { call, settings, you } = this.current();
    if (this.#avatar.isDue(board, you.person ?? you.key, settings.avatar)) this.#ask('set_avatar', requestOf(settings.avatar)).catch(error => console.warn('set_avatar', error.code));
    this.#notifier.show(reminders, settings.notifications && !isQuiet(settings, Date.now()), call);
  }

  #isSignedIn() {
    const { name, servers } = this.current().settings;
    return name !== '' && servers.length > 0;
  }

  /** Connects with a name and the secret. The result appears in the state. @param {{ name: string, secret: string }} who */
  async #signIn({ name, secret }) {
    this.door.trouble = null;
    this.#member = secret ? await memberKeyOf(secret) : null;
    this.#asking = true;
    this.update({ settings: { ...this.current().settings, name } });
    this.connect();
  }

  /** @param {Session} session @param {{ code?: string } | undefined} error */
  ended(session, error) {
    super.ended(session, error);
    if (error?.code !== 'device_removed') return;
    this.forgetCall();
    this.#refuse(session, error.code);
  }

  /** Asks for the code of the sign-in from which the person comes back. @returns {Promise<string | null>} */
  async #fetchCode() {
    try {
      const answer = await fetch('/auth/code', { method: 'POST', credentials: 'same-origin' });
      if (answer.ok) return (await answer.json()).code;
    } catch { /* as if there were none */ }
    this.door.trouble = 'sign_in_expired';
    return null;
  }

  /** Adds this browser to the account, and starts the session of a member. @param {Session} session @param {string} code */
  async #addDevice(session, code) {
    this.#code = null;
    try {
      await this.board.request({ type: 'account', do: 'add_device', code, name: deviceName(navigator.userAgent) });
      this.connect();
    } catch (error) {
      this.#refuse(session, /** @type {{ code: string }} */ (error).code);
    }
  }

  /** The server has accepted the person: this browser remembers them. @param {string} [name] that of their account */
  async #remember(name = this.current().settings.name) {
    const { server } = this.door;
    const settings = { ...this.current().settings, name, servers: [{ url: server, fingerprint: null, name: hostOf(server), secret: null }], server: 0 };
    await saveMember(this.#member);
    keepStorage();
    saveSettings(settings);
    this.update({ settings });
  }

  /** The person is not a member. Name, key and seats stay. A call goes on. @param {Session} session @param {string} code */
  #refuse(session, code) {
    this.door.trouble = code;
    const settings = { ...this.current().settings, servers: [], server: null };
    saveSettings(settings);
    this.board.end();
    this.update({ settings, board: null, reminders: [], you: { key: this.current().you.key } });
    if (this.current().call.stage.kind === 'idle' || this.current().call.stage.kind === 'ended') {
      session.close();
      this.update({ session: { kind: 'closed', problem: null } });
    }
  }

  /** This browser forgets the person, and the next one has another key. */
  async #signOut() {
    // Without the key nobody could void the calendar's address later.
    if (this.current().settings.servers[0]?.calendar) await Promise.race([this.#ask('revoke_calendar').catch(() => {}), pause(SIGN_OUT_MS)]);
    // A browser that nobody uses any more is no device of the account.
    if (this.current().you.account) await Promise.race([this.board.request({ type: 'account', do: 'remove_device', key: this.current().you.key }).catch(() => {}), pause(SIGN_OUT_MS)]);
    this.unload();
    await forgetPerson();
    location.reload();
  }

  /** @param {string} request @param {object} [fields] @returns {Promise<any>} */
  #ask(request, fields = {}) {
    return this.board.request({ type: 'board', do: request, ...fields });
  }

  /** Returns a link that people can open in any browser. @param {{ room: string, uses: number, hours: number }} wish */
  async #invite({ room, uses, hours }) {
    const link = new URL(`/r/${room}`, location.origin);
    try {
      const answer = await this.#ask('invite', { room, uses, hours });
      if (answer) link.searchParams.set('invite', answer.invite);
    } catch (error) {
      if (!OPEN_DOOR.includes(/** @type {{ code: string }} */ (error).code)) throw error;
    }
    return link.href;
  }

  /** @param {string} id */
  #table(id) {
    const table = this.board.state?.tables.find(one => one.id === id);
    if (!table) throw { code: 'no_such_table', message: '' };
    return table;
  }

  /** A table as a calendar file. @param {string} id */
  #calendar(id) {
    const table = this.#table(id);
    return event(table, LUNCH, new URL(`/r/${table.room}`, location.origin).href, Date.now());
  }

  /** The address of the person's calendar. @param {string | null} token the one that the settings have */
  async #calendarAddress(token) {
    try {
      const answer = await this.#ask('calendar', token ? { token } : {});
      return { token: answer.token, address: new URL(`/calendar/${answer.token}.ics`, location.origin).href };
    } catch (error) {
      // A server that does not know the request.
      if (/** @type {{ code: string }} */ (error).code === 'malformed') throw { code: 'calendar_unsupported', message: '' };
      throw error;
    }
  }

  /** Others see it at once, or as soon as the connection is back. @param {import('../shared/model.d.ts').OwnAvatar} avatar */
  async #setAvatar(avatar) {
    await super.call('save_settings', { settings: { ...this.current().settings, avatar } });
    if (this.current().session.kind === 'open') return this.#ask('set_avatar', requestOf(avatar));
    this.#avatar.changed();
  }

  /** @param {Settings} settings */
  async #saveSettings(settings) {
    const { settings: before, call } = this.current();
    await super.call('save_settings', { settings });
    if (settings.notifications && !before.notifications && !await this.#notifier.allow()) {
      await super.call('save_settings', { settings: { ...settings, notifications: false } });
      throw { code: 'notifications_denied', message: t.notifications };
    }
    // The hello has the name, so a new name needs a new session. A call keeps the old one.
    const busy = !['idle', 'ended'].includes(call.stage.kind);
    if (settings.name !== before.name && this.#isSignedIn() && !busy) this.connect();
  }
}
