// The lunch board: the tables of today and the next days, the people, and “Eat now”.

import { backend, state } from '../backend.js';
import { attribute, h, shown, text } from '../dom.js';
import { icon } from '../icons.js';
import { checkConnection } from '../parts/connection-check.js';
import { Day } from '../parts/day.js';
import { FreePeople } from '../parts/free-people.js';
import { openHosting } from '../parts/hosting.js';
import { layRound } from '../parts/lay-round.js';
import { layTable } from '../parts/lay-table.js';
import { announce, attempt } from '../parts/notices.js';
import { menu } from '../parts/menu.js';
import { openMyCalendar } from '../parts/my-calendar.js';
import { actWords, moment, openBlocked } from '../parts/order.js';
import { openOrderBook } from '../parts/order-book.js';
import { signInWithAccount } from '../parts/account.js';
import { RoomField } from '../parts/room-field.js';
import { roundTable } from '../parts/round-table.js';
import { openSettings } from '../parts/settings.js';
import { pasteLink } from '../parts/paste-link.js';
import { hostOf } from '../server.js';
import { problem, t } from '../strings.js';
import { EARLY_MS, enter, isMine, serverNow } from '../tables.js';
import { MINUTE, localClock } from '../times.js';
import { View } from '../view.js';

/** @typedef {import('../model.d.ts').AppState} AppState */
/** @typedef {import('../model.d.ts').BoardState} BoardState */

export class BoardScreen extends View {
  /** Ids of people selected for "eat with". @type {Set<string>} */
  #with = new Set();
  /** Whether the person waited to be seated at the last update. */
  #wasWaiting = false;
  #drawerOpen = false;

  build() {
    this.status = h('p', { class: 'server', role: 'status' }, h('span', { class: 'dot' }), h('span'));
    this.presence = h('button', { type: 'button', class: 'presence', id: 'presence', role: 'switch', onclick: () => this.#togglePresence() }, h('span', { class: 'dot' }), h('span'));
    this.eat = h('button', { type: 'button', class: 'primary eat', id: 'eat-now', onclick: () => this.#eatNow() }, h('span', { class: 'words' }), h('small'));
    this.lay = h('button', { type: 'button', id: 'lay-table', 'aria-label': t.layTable, onclick: () => layTable() }, icon('plus'), h('span', { text: t.layTable }));
    this.peopleButton = h('button', { type: 'button', class: 'who-button', id: 'who-is-free', 'aria-expanded': 'false', onclick: () => this.#showDrawer(!this.#drawerOpen) }, icon('people'), h('span'));
    const more = h('button', { type: 'button', class: 'icon-only plain', id: 'board-more', 'aria-label': t.more, title: t.more }, icon('more'));
    const actions = h('div', { class: 'tools' }, this.peopleButton, this.lay, more);
    this.account = h('section', { class: 'banner', hidden: true }, h('p', { text: t.signInNeeded }), h('button', { type: 'button', class: 'primary', id: 'board-sign-in', text: t.signInAccount, onclick: () => signInWithAccount() }));
    this.waiting = h('section', { class: 'banner waiting', role: 'status', hidden: true });
    this.next = h('section', { class: 'banner next', role: 'status', hidden: true });
    this.reports = h('section', { class: 'banner reports', role: 'status', hidden: true }, h('div', {}, h('strong')), h('button', { type: 'button', class: 'small', id: 'look-at-reports', text: t.order.look, onclick: openOrderBook }));
    this.acts = h('section', { class: 'banner acts', role: 'status', hidden: true }, h('div', {}), h('button', { type: 'button', class: 'small', id: 'acts-seen', text: t.order.ok, onclick: () => attempt(backend.call('acts_seen')) }));
    this.suspended = h('div', { class: 'center suspended', hidden: true });
    this.trouble = h('section', { class: 'banner trouble-banner', role: 'alert', hidden: true });
    this.day = new Day();
    this.free = new FreePeople(this.#with, () => this.#updateEatButton());
    this.rooms = new RoomField();
    this.offline = h('div', { class: 'center offline', hidden: true });
    this.append(
      h('header', { class: 'top' },
        h('div', { class: 'brand' }, roundTable({ seats: 4, taken: [], takenCount: 1 }), h('div', {}, h('h1', { text: t.lunch }), this.status)),
        this.presence, this.eat, actions),
      h('div', { class: 'banners' }, this.trouble, this.acts, this.reports, this.account, this.waiting, this.next),
      h('main', { class: 'lunch' }, this.day, this.free, this.rooms, this.offline, this.suspended));
    menu(more, () => [
      ...(backend.shell === 'app' ? [{ words: t.openLink, icon: /** @type {const} */ ('link'), run: pasteLink }, { words: state().hosting ? t.hostingNow : t.hostHere, icon: /** @type {const} */ ('home'), run: openHosting }] : []),
      ...(state().board?.member ? [{ words: t.rounds.lay, icon: /** @type {const} */ ('plus'), run: layRound }] : []),
      ...(state().board?.member ? [{ words: t.myCalendar, icon: /** @type {const} */ ('calendar'), run: openMyCalendar }] : []),
      ...(state().board?.order.blocked.length ? [{ words: t.order.blockedPeople, icon: /** @type {const} */ ('people'), run: openBlocked }] : []),
      ...(state().board?.order.steward ? [{ words: t.order.page, icon: /** @type {const} */ ('warning'), run: openOrderBook }] : []),
      { words: t.settings, icon: 'settings', run: openSettings },
    ]);
  }

  connected() {
    const timer = setInterval(() => backend.state && this.#updateNextTable(backend.state.board), 10_000);
    this.onDisconnect(() => clearInterval(timer));
    const key = (/** @type {KeyboardEvent} */ event) => { if (event.key === 'Escape' && this.#drawerOpen) this.#showDrawer(false); };
    this.addEventListener('keydown', key);
    this.onDisconnect(() => this.removeEventListener('keydown', key));
  }

  /** @param {AppState} state */
  update({ session, board, you }) {
    const { status, presence, eat, lay, day, free, rooms, peopleButton, trouble } = this;
    if (!status || !presence || !eat || !lay || !day || !free || !rooms || !peopleButton || !trouble) return;
    const open = session.kind === 'open', hasBoard = board !== null;
    status.dataset.kind = session.kind;
    text(/** @type {Node} */ (status.lastChild), this.#serverText(session));
    const failure = session.kind === 'open' ? null : session.problem;
    const outdated = session.kind === 'connecting' && board !== null;
    shown(trouble, (failure !== null && hasBoard) || outdated);
    text(trouble, failure ? `${problem(failure.code, failure.message)}${session.kind === 'connecting' ? ` ${t.tryingAgain}` : ''}` : t.boardMayBeOld);
    const member = board?.member ?? false;
    const isSuspended = Boolean(board?.order.suspension);
    if (this.account) shown(this.account, open && !member && !isSuspended && backend.shell === 'app' && you.sign_in === true && !you.account);
    for (const part of [presence, eat, lay]) shown(part, member);
    for (const part of [peopleButton, day, free]) shown(part, hasBoard && !isSuspended);
    this.#updateOrder(board);
    // The server of a door always has a board. It has just not arrived yet.
    const needsBoard = !hasBoard && (!open || backend.shell === 'door');
    shown(rooms, !hasBoard && !needsBoard);
    this.#updateOffline(session, needsBoard);
    if (!board) return;
    eat.disabled = lay.disabled = presence.disabled = !open;
    const me = board.people.find(person => person.id === (you.person ?? you.key));
    const isFree = me ? me.presence === 'free' : false;
    attribute(presence, 'aria-checked', String(isFree));
    presence.dataset.presence = me?.presence ?? 'away';
    text(/** @type {Node} */ (presence.lastChild), t.presenceOfMine[me?.presence ?? 'away']);
    text(/** @type {Node} */ (peopleButton.lastChild), t.freeShort(board.free_count));
    attribute(peopleButton, 'aria-label', `${t.whoIsFree}: ${t.freeCount(board.free_count)}`);
    this.#updateEatButton();
    this.#updateWaiting(board);
    this.#updateNextTable(board);
    this.#enterFoundTable(board);
  }

  /** @param {AppState['session']} session */
  #serverText(session) {
    switch (session.kind) {
      case 'open': return hostOf(session.server);
      case 'connecting': return t.connectingTo(hostOf(session.server));
      case 'closed': return t.offline;
    }
  }

  /** Shows what to do without a connection and without a board. @param {AppState['session']} session @param {boolean} show */
  #updateOffline(session, show) {
    if (!this.offline) return;
    shown(this.offline, show);
    if (!show) return;
    const failure = session.kind === 'open' ? null : session.problem, isConnecting = session.kind !== 'closed';
    const key = `${session.kind} ${failure?.code}`, heads = /** @type {Record<string, string>} */ (t.ends);
    if (this.offline.dataset.key === key) return;
    this.offline.dataset.key = key;
    const server = state().settings.servers[state().settings.server ?? 0];
    this.offline.replaceChildren(
      h('div', { class: 'mark' }, roundTable({ seats: 4, taken: [], takenCount: 0 })),
      h('h2', { text: failure ? heads[failure.code] ?? t.offline : isConnecting ? t.connectingTo(hostOf(session.server)) : t.offline }),
      h('p', { class: 'lead', role: 'status', text: failure ? `${problem(failure.code, failure.message)}${session.kind === 'connecting' ? ` ${t.tryingAgain}` : ''}` : isConnecting ? t.oneMoment : t.offlineWords }),
      h('div', { class: 'actions' },
        h('button', { type: 'button', text: t.settings, onclick: openSettings }),
        backend.shell === 'app' && failure ? h('button', { type: 'button', id: 'check-connection', text: t.checkConnection, onclick: () => checkConnection() }) : null,
        backend.shell === 'app' && (failure || session.kind === 'closed') ? h('button', { type: 'button', id: 'host-here', text: t.hostHere, onclick: openHosting }) : null,
        server && (failure || session.kind === 'closed') ? h('button', { type: 'button', class: 'primary', id: 'connect-again', text: failure ? t.tryAgain : t.connect,
          onclick: () => attempt(backend.call('connect', { server: server.url, fingerprint: server.fingerprint })) }) : null));
  }

  /** Shows what stewards did to the person, and to stewards how many reports wait. @param {BoardState | null} board */
  #updateOrder(board) {
    const { acts, reports, suspended } = this;
    if (!acts || !reports || !suspended) return;
    const order = board?.order, zone = board?.zone ?? '', suspension = order?.suspension;
    shown(reports, Boolean(order?.steward && order.reports));
    text(/** @type {Node} */ (reports.firstChild?.firstChild), t.order.waiting(order?.reports ?? 0));
    shown(acts, Boolean(order?.acts.length));
    shown(suspended, Boolean(suspension));
    const key = JSON.stringify([order?.acts, suspension, zone]);
    if (acts.dataset.key === key) return;
    acts.dataset.key = key;
    /** @type {HTMLElement} */ (acts.firstChild).replaceChildren(...(order?.acts ?? []).map(act => h('p', { dir: 'auto', text: actWords(act, zone) })));
    suspended.replaceChildren(...(suspension ? [
      h('div', { class: 'mark' }, roundTable({ seats: 4, taken: [], takenCount: 0 })),
      h('h2', { text: t.order.youAre }),
      h('p', { class: 'lead', dir: 'auto', text: t.order.because(suspension.reason) }),
      h('p', { text: suspension.until_ms ? t.order.ends(moment(suspension.until_ms, zone)) : t.order.endsWhenLifted }),
      h('p', { class: 'quiet', text: t.order.youAreWords }),
      h('div', { class: 'actions' }, h('button', { type: 'button', text: t.settings, onclick: openSettings }))] : []));
  }

  /** Updates "Eat now". */
  #updateEatButton() {
    const board = backend.state?.board;
    if (!this.eat || !board) return;
    for (const id of [...this.#with]) if (!board.people.some(person => person.id === id)) this.#with.delete(id);
    const names = board.people.filter(person => this.#with.has(person.id)).map(person => person.name);
    const waiting = board.waiting !== null;
    text(/** @type {Node} */ (this.eat.firstChild), waiting ? t.lookingShort : t.eatNow);
    text(/** @type {Node} */ (this.eat.lastChild), waiting ? '' : names.length ? t.withPeople(names) : t.eatNowHint);
    if (waiting) this.eat.disabled = true;
  }

  async #eatNow() {
    if (await attempt(backend.call('eat_now', { with: [...this.#with] }).then(() => true))) announce(t.looking);
  }

  #togglePresence() {
    const on = this.presence?.getAttribute('aria-checked') === 'true';
    attempt(backend.call('set_presence', { presence: on ? 'away' : 'free' }));
  }

  /** @param {BoardState} board */
  #updateWaiting({ waiting, people, free_count }) {
    if (!this.waiting) return;
    shown(this.waiting, waiting !== null);
    const key = waiting ? `${waiting.since_ms} ${waiting.with} ${free_count}` : '';
    if (this.waiting.dataset.key === key) return;
    this.waiting.dataset.key = key;
    if (!waiting) return this.waiting.replaceChildren();
    const names = people.filter(person => waiting.with.includes(person.id)).map(person => person.name);
    this.waiting.replaceChildren(
      h('span', { class: 'pulse' }), h('div', {},
        h('strong', { text: t.looking }),
        h('span', { class: 'quiet', text: [t.since(localClock(waiting.since_ms)), names.length ? t.withPeople(names) : t.freeCount(free_count)].join(' · ') })),
      h('button', { type: 'button', class: 'small', text: t.stop, onclick: () => attempt(backend.call('stop_waiting')) }));
  }

  /** Opens the device check of a table that "Eat now" found, once. @param {BoardState} board */
  #enterFoundTable({ waiting, tables }) {
    const before = this.#wasWaiting;
    this.#wasWaiting = waiting !== null;
    const table = before && !this.#wasWaiting ? tables.find(one => isMine(one) && one.now) : undefined;
    if (!table) return;
    announce(t.foundTable(table.topic || t.table));
    enter(table);
  }

  /** Shows the person's table that is open or opens soon. @param {BoardState | null} board */
  #updateNextTable(board) {
    if (!this.next || !board) return;
    const now = serverNow(board);
    const table = board.tables.filter(one => isMine(one) && one.starts_ms - EARLY_MS <= now && one.ends_ms > now).sort((a, b) => a.starts_ms - b.starts_ms)[0];
    shown(this.next, table !== undefined);
    // Only one button is primary.
    this.eat?.classList.toggle('primary', table === undefined);
    const left = table ? Math.ceil((table.starts_ms - now) / MINUTE) : 0;
    const key = table ? `${table.id} ${left} ${table.in_call} ${table.topic}` : '';
    if (this.next.dataset.key === key) return;
    this.next.dataset.key = key;
    if (!table) return this.next.replaceChildren();
    const when = table.in_call ? t.peopleInCall(table.in_call) : left > 0 ? t.startsIn(left) : t.tableIsOpen;
    this.next.replaceChildren(
      roundTable({ seats: table.seats, taken: table.taken, takenCount: table.taken_count }),
      h('div', {}, h('strong', { text: table.topic || t.yourTable }), h('span', { class: 'quiet', text: when })),
      h('button', { type: 'button', class: 'primary', id: 'go-to-table', text: t.goToTable, onclick: () => enter(table) }));
  }

  /** Opens or closes the drawer with the people, in a narrow window. @param {boolean} open */
  #showDrawer(open) {
    this.#drawerOpen = open;
    this.classList.toggle('drawer', open);
    this.peopleButton?.setAttribute('aria-expanded', String(open));
  }
}
customElements.define('lr-board', BoardScreen);
