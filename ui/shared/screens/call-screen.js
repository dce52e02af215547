// The call: pictures fill the window, everything else is at its edges.

import { backend, state } from '../backend.js';
import { attribute, h, keyed, shown, text } from '../dom.js';
import { draw, icon } from '../icons.js';
import { isMissing, ownMedia } from '../own-media.js';
import { announce, attempt } from '../parts/notices.js';
import { Chat, othersLines } from '../parts/chat.js';
import { Devices } from '../parts/devices.js';
import { openDialog } from '../parts/dialog.js';
import { Statistics } from '../parts/statistics.js';
import { Shortcuts } from '../parts/shortcuts.js';
import { grid, pair, stage, strip } from '../parts/layout.js';
import { menu } from '../parts/menu.js';
import { VOICE } from '../parts/meter.js';
import { leave } from '../parts/leave.js';
import { PeoplePanel, knocker } from '../parts/people-panel.js';
import { quality } from '../parts/quality.js';
import { roundTable } from '../parts/round-table.js';
import { openSettings } from '../parts/settings.js';
import { copyRoomLink, tableOf } from '../parts/table-links.js';
import { Tile } from '../parts/tile.js';
import { deviceProblem, t } from '../strings.js';
import { roomTitle } from '../tables.js';
import { localClock } from '../times.js';
import { View } from '../view.js';

/** @typedef {import('../model.d.ts').AppState} AppState */
/** @typedef {import('../model.d.ts').Stats} Stats */
/** @typedef {import('../parts/tile.js').Person} Person */
/** @typedef {'chat' | 'people' | 'statistics'} Panel */

const STATS_MS = 2000;
/** Lower than this pictures stand in one row: there is a panel below them. */
const STRIP_HEIGHT_REM = 9;
/** Lower than this a tile has hardly room for initials above the name. */
const TINY_REM = 5.5;
/** How long somebody must be the loudest to come onto the stage, ms. */
const TAKES_STAGE_MS = 900;
/** How long the hint "you are muted" stays, and how long a voice must be there before, ms. */
const HINT_MS = 4000, SPEAKING_MS = 400;

export class CallScreen extends View {
  /** @type {Panel | null} */
  #panel = null;
  /** Chosen by the person; null: by how many there are. @type {'grid' | 'stage' | null} */
  #view = null;
  /** @type {string | null} */
  #speaker = null;
  #loudest = { id: '', since: 0 };
  #ownSince = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #hintTimer;
  #read = 0;
  /** @type {Stats | null} */
  #stats = null;
  /** @type {Stats | null} */
  #before = null;
  #lobby = 0;
  /** Troubles of devices that were read and put away. @type {Set<string>} */
  #away = new Set();
  /** Who was in when it was last looked at, names by key. @type {Map<string, string> | null} */
  #company = null;
  /** Somebody was in, and is no more. */
  #left = false;

  build() {
    this.heading = h('h1', { dir: 'auto' });
    this.line = h('p', { class: 'line', role: 'status', hidden: true });
    this.trouble = h('div', { class: 'call-trouble', role: 'alert', hidden: true }, h('div'), h('button', { type: 'button', class: 'small', text: t.devices, onclick: () => devices() }),
      h('button', { type: 'button', class: 'icon-only plain', 'aria-label': t.close, onclick: () => this.#putAway() }, icon('close')));
    this.knock = h('ul', { class: 'knocks', role: 'list', 'aria-label': t.atTheDoor });
    this.tiles = h('div', { class: 'tiles' });
    this.alone = h('div', { class: 'alone', hidden: true });
    this.hint = h('p', { class: 'muted-hint', role: 'status', hidden: true, text: t.youAreMuted });
    this.micro = button('microphone', 'microphone', 'M', () => this.#toggle('microphone'));
    this.cam = button('camera', 'camera', 'V', () => this.#toggle('camera'));
    this.chatButton = button('chat', 'chat', 'C', () => this.#open('chat'));
    this.peopleButton = button('people', 'people', 'P', () => this.#open('people'));
    const more = h('button', { type: 'button', class: 'bar-button', id: 'call-more', 'aria-label': t.more, title: t.more }, icon('more'), h('span', { class: 'label', text: t.more }));
    const out = h('button', { type: 'button', class: 'bar-button leave', id: 'leave', 'aria-label': t.leave, 'aria-keyshortcuts': 'Control+Shift+L', title: `${t.leave} (Ctrl+Shift+L)`, onclick: leave }, icon('leave'), h('span', { class: 'label', text: t.leave }));
    this.panelTitle = h('h2', {});
    this.panelBody = h('div', { class: 'panel-body' });
    this.side = h('aside', { class: 'side-panel', hidden: true, 'aria-labelledby': 'panel-title' },
      h('header', {}, this.panelTitle, h('button', { type: 'button', class: 'icon-only plain', 'aria-label': t.close, onclick: () => this.#open(null) }, icon('close'))), this.panelBody);
    this.panelTitle.id = 'panel-title';
    this.append(
      h('header', { class: 'call-top' }, this.heading, this.line, this.trouble),
      h('main', { class: 'stage' }, this.tiles, this.alone, h('div', { class: 'over' }, this.knock), this.hint),
      this.side,
      h('nav', { class: 'bar', 'aria-label': t.callControls }, this.micro, this.cam, h('span', { class: 'space' }), this.chatButton, this.peopleButton, h('span', { class: 'holder' }, more), h('span', { class: 'space' }), out));
    menu(more, () => this.#menu());
    if (this.#panel) this.#fill(this.#panel);
  }

  connected() {
    this.#read = othersLines();
    this.onDisconnect(backend.levels(levels => this.#hear(levels)));
    const observer = new ResizeObserver(() => this.#lay());
    if (this.tiles) observer.observe(this.tiles);
    this.onDisconnect(() => observer.disconnect());
    const timer = setInterval(() => this.#measure(), STATS_MS);
    this.onDisconnect(() => clearInterval(timer));
    const keys = new Shortcuts({
      toggle: what => this.#toggle(what), talk: on => attempt(backend.call('set_microphone', { on })),
      open: panel => this.#open(panel), view: () => this.#turn(), leave,
    });
    this.onDisconnect(() => keys.end());
    this.#measure();
  }

  disconnected() {
    clearTimeout(this.#hintTimer);
  }

  /** @param {AppState} state */
  update(state) {
    const { call } = state;
    const { heading, line, trouble, knock, tiles, alone, micro, cam, chatButton, peopleButton } = this;
    if (!heading || !line || !trouble || !knock || !tiles || !alone || !micro || !cam || !chatButton || !peopleButton) return;
    const table = tableOf(call.room);
    text(heading, roomTitle(call.room, table));
    const away = call.stage.kind === 'reconnecting' ? call.stage.since_ms : null;
    shown(line, away !== null);
    if (away !== null) text(line, t.reconnectingSince(localClock(away)));
    this.classList.toggle('away', away !== null);
    this.#trouble(state);
    keyed(knock, this.#panel === 'people' ? [] : call.lobby, one => one.id, one => knocker(one));
    if (call.lobby.length > this.#lobby) announce(t.somebodyKnocks(call.lobby[call.lobby.length - 1].name), { visuallyHidden: true });
    this.#lobby = call.lobby.length;
    const own = ownMedia(state);
    press(micro, own.microphone, t.microphone);
    press(cam, own.camera, t.camera);
    this.#comings(call);
    this.#badges(state);
    const people = this.#people(state);
    keyed(tiles, people, person => person.id, () => new Tile(), (tile, person) => tile.show(person));
    this.#alone(state);
    this.#lay();
  }

  /** What is wrong with devices: once, beside the pictures, until it is read. @param {AppState} state */
  #trouble(state) {
    if (!this.trouble) return;
    const { problems } = state, wrong = problems.filter(one => one.device !== null), keys = wrong.map(troubleKey);
    for (const key of this.#away) if (!keys.includes(key)) this.#away.delete(key);
    const unread = wrong.filter(one => !this.#away.has(troubleKey(one)));
    shown(this.trouble, unread.length > 0);
    keyed(/** @type {Element} */ (this.trouble.firstElementChild), unread, troubleKey, () => h('p'),
      (line, one) => text(line, one.device && !isMissing(state, one.device) ? `${t[one.device]}: ${deviceProblem(one, state)}` : deviceProblem(one, state)));
  }

  /** Who came and who left is said. @param {AppState['call']} call */
  #comings(call) {
    // Out of reach of the server nobody is known to come or go; the same people come back with other ids.
    if (call.stage.kind !== 'joined') return;
    const now = new Map(call.participants.map(one => [one.key || one.id, one.name])), before = this.#company;
    this.#company = now;
    if (!before) return;
    const gone = [...before].filter(([key]) => !now.has(key)).map(([, name]) => name), come = [...now].filter(([key]) => !before.has(key)).map(([, name]) => name);
    if (gone.length) this.#left = true;
    if (come.length) this.#left = false;
    if (gone.length || come.length) announce([gone.length ? t.theyLeft(gone) : '', come.length ? t.theyCame(come) : ''].filter(Boolean).join(' '));
  }

  /** Oneself last. @param {AppState} state @returns {Person[]} */
  #people(state) {
    const { call, settings, you } = state;
    const others = call.participants.map(one => {
      const judged = quality(one, this.#stats, this.#before);
      return { id: one.id, key: one.key, name: one.name, own: false, camera: one.media.camera, microphone: one.media.microphone, trouble: linkTrouble(one), quality: judged };
    });
    return [...others, { id: 'own', key: you.key, name: settings.name, own: true, ...ownMedia(state), trouble: '', quality: null }];
  }

  /** @param {AppState} state */
  #alone({ call, settings, you }) {
    if (!this.alone) return;
    const table = tableOf(call.room), none = call.participants.length === 0;
    shown(this.alone, none);
    const key = none ? `${call.room} ${table?.seats} ${table?.taken_count} ${this.#left}` : '';
    if (this.alone.dataset.key === key) return;
    this.alone.dataset.key = key;
    if (!none) return this.alone.replaceChildren();
    this.alone.replaceChildren(
      roundTable({ seats: table?.seats ?? 4, taken: [{ id: you.key, name: settings.name }], takenCount: 1, mine: you.key }),
      h('h2', { text: this.#left ? t.aloneAgain : t.aloneTitle }), h('p', { class: 'lead', text: !this.#left && table && table.taken_count > 1 ? t.aloneOthersCome : t.aloneWords }),
      h('button', { type: 'button', class: 'primary large', id: 'alone-copy', onclick: () => copyRoomLink(call.room) }, icon('link'), t.copyLink));
  }

  #lay() {
    const { tiles } = this;
    if (!tiles || !backend.state) return;
    const width = tiles.clientWidth, height = tiles.clientHeight;
    const all = /** @type {Tile[]} */ ([...tiles.children]);
    if (!width || !height || !all.length) return;
    const others = all.length - 1, staged = this.#staged();
    const letter = rem(), low = others > 0 && height < STRIP_HEIGHT_REM * letter;
    let order = all, rects;
    if (others === 0) rects = [pair(width, height)[1]];
    else if (low) rects = strip(all.length, width, height);
    else if (others === 1 && this.#view !== 'grid') rects = pair(width, height);
    else if (staged) {
      const first = all.find(tile => this.#of(tile) === this.#speaker) ?? all[0];
      order = [first, ...all.filter(tile => tile !== first)];
      rects = stage(all.length, width, height);
    } else rects = grid(all.length, width, height);
    order.forEach((tile, n) => {
      const { left, top, width: wide, height: high } = rects[n];
      tile.style.transform = `translate(${left}px, ${top}px)`;
      tile.style.width = `${wide}px`;
      tile.style.height = `${high}px`;
      tile.classList.toggle('small', wide < 220);
      tile.classList.toggle('tiny', high < TINY_REM * letter);
      tile.classList.toggle('corner', !low && others <= 1 && n === rects.length - 1 && this.#view !== 'grid');
    });
    tiles.classList.toggle('empty', others === 0);
    tiles.classList.toggle('strip', low);
  }

  #staged() {
    const count = state().call.participants.length;
    return this.#view === 'stage' && count > 1;
  }

  /** @param {Tile} tile */
  #of(tile) {
    const { call } = state(), index = this.tiles ? [...this.tiles.children].indexOf(tile) : -1;
    return call.participants[index]?.id ?? 'own';
  }

  /** @param {AppState} state */
  #badges({ call }) {
    if (!this.chatButton || !this.peopleButton) return;
    const lines = othersLines();
    if (this.#panel === 'chat') this.#read = lines;
    const unread = Math.max(0, lines - this.#read);
    badge(this.chatButton, unread, t.chat, unread ? t.unread(unread) : '');
    const count = call.participants.length + 1;
    badge(this.peopleButton, call.lobby.length || count, t.people, call.lobby.length ? t.waitingAtDoor(call.lobby.length) : t.inCallCount(count), call.lobby.length > 0);
    attribute(this.chatButton, 'aria-expanded', String(this.#panel === 'chat'));
    attribute(this.peopleButton, 'aria-expanded', String(this.#panel === 'people'));
  }

  /** @param {Record<string, number>} levels */
  #hear(levels) {
    if (!this.tiles || !backend.state) return;
    const now = performance.now(), { call } = state();
    for (const tile of /** @type {Tile[]} */ ([...this.tiles.children])) {
      const id = this.#of(tile), on = id === 'own' ? call.media.microphone : call.participants.find(one => one.id === id)?.media.microphone;
      tile.speaking = Boolean(on) && (levels[id] ?? -Infinity) > VOICE;
    }
    this.#stage(levels, now);
    this.#muted(!call.media.microphone && (levels.own ?? -Infinity) > VOICE, now);
  }

  /** @param {Record<string, number>} levels @param {number} now */
  #stage(levels, now) {
    let id = '', top = VOICE;
    for (const one of state().call.participants) if ((levels[one.id] ?? -Infinity) > top) [id, top] = [one.id, levels[one.id]];
    if (!id || id === this.#speaker) return void (this.#loudest = { id: '', since: now });
    if (id !== this.#loudest.id) this.#loudest = { id, since: now };
    if (this.#speaker && now - this.#loudest.since < TAKES_STAGE_MS) return;
    this.#speaker = id;
    if (this.#staged()) this.#lay();
  }

  /** "You are muted", to somebody who talks. @param {boolean} talking @param {number} now */
  #muted(talking, now) {
    if (!this.hint) return;
    if (state().call.media.microphone) shown(this.hint, false);
    if (!talking) return void (this.#ownSince = 0);
    this.#ownSince ||= now;
    if (now - this.#ownSince < SPEAKING_MS) return;
    shown(this.hint, true);
    clearTimeout(this.#hintTimer);
    this.#hintTimer = setTimeout(() => this.hint && shown(this.hint, false), HINT_MS);
  }

  /** @param {'microphone' | 'camera'} what */
  #toggle(what) {
    const on = !ownMedia(state())[what];
    attempt(backend.call(what === 'microphone' ? 'set_microphone' : 'set_camera', { on }).then(() => announce(t.onOff(what === 'microphone' ? t.microphone : t.camera, on), { visuallyHidden: true })));
  }

  /** @param {Panel | null} panel again: closes it */
  #open(panel) {
    const before = this.#panel;
    this.#panel = panel === before ? null : panel;
    if (!this.side) return;
    shown(this.side, this.#panel !== null);
    this.classList.toggle('with-panel', this.#panel !== null);
    if (this.#panel) this.#fill(this.#panel);
    else {
      this.panelBody?.replaceChildren();
      const back = before === 'people' ? this.peopleButton : before === 'chat' ? this.chatButton : document.getElementById('call-more');
      back?.focus();
    }
    this.update(state());
  }

  /** @param {Panel} panel */
  #fill(panel) {
    if (!this.panelTitle || !this.panelBody || !this.side) return;
    shown(this.side, true);
    text(this.panelTitle, { chat: t.chat, people: t.people, statistics: t.statistics }[panel]);
    const body = { chat: () => new Chat(), people: () => new PeoplePanel(), statistics: () => new Statistics() }[panel]();
    this.panelBody.replaceChildren(body);
    if (body instanceof Chat) body.focusInput();
    else if (body instanceof Statistics) body.show(this.#stats, this.#before);
    if (!(body instanceof Chat)) { this.panelTitle.tabIndex = -1; this.panelTitle.focus(); }
  }

  /** @returns {import('../parts/menu.js').Item[]} */
  #menu() {
    const { call } = state(), host = call.host !== null && call.host === call.you;
    return [
      { words: t.devices, icon: 'speaker', run: devices },
      { words: this.#view === 'stage' ? t.viewGrid : t.viewStage, icon: this.#view === 'stage' ? 'grid' : 'stage', run: () => this.#turn() },
      { words: t.copyLink, icon: 'link', run: () => copyRoomLink(call.room) },
      ...(host ? [{ words: call.locked ? t.unlock : t.lock, icon: /** @type {const} */ ('lock'), run: () => attempt(backend.call('lock', { locked: !call.locked })) }] : []),
      { words: t.statistics, icon: 'statistics', run: () => this.#open('statistics') },
      { words: t.settings, icon: 'settings', run: openSettings },
    ];
  }

  #putAway() {
    for (const one of state().problems) this.#away.add(troubleKey(one));
    this.update(state());
  }

  #turn() {
    this.#view = this.#view === 'stage' ? 'grid' : 'stage';
    announce(this.#view === 'stage' ? t.viewStage : t.viewGrid, { visuallyHidden: true });
    this.#lay();
  }

  async #measure() {
    try {
      const stats = await backend.call('stats');
      if (!stats) return;
      [this.#before, this.#stats] = [this.#stats, stats];
    } catch {
      return; // figures are by the way: without them there are no bars' words, and nothing else
    }
    const shownNow = this.panelBody?.firstChild;
    if (shownNow instanceof Statistics) shownNow.show(this.#stats, this.#before);
    if (this.isConnected) this.update(state());
  }
}
customElements.define('lr-call', CallScreen);

const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize);

/** @param {AppState['problems'][0]} problem */
const troubleKey = ({ device, code }) => `${device} ${code}`;

/** Why somebody is not seen or heard as they should be. @param {AppState['call']['participants'][0]} one */
function linkTrouble({ link, connected }) {
  if (link === 'connected') return '';
  if (!connected) return t.lostTile;
  return link === 'mending' ? t.mendingTile : t.connecting;
}

const devices = () => openDialog({ title: t.devices, class: 'devices-sheet', body: [new Devices()] });

/** @param {string} id @param {'microphone' | 'camera' | 'chat' | 'people'} what @param {string} key @param {() => void} press */
function button(id, what, key, press) {
  return h('button', { type: 'button', class: 'bar-button', id: `call-${id}`, 'aria-keyshortcuts': key, onclick: press }, icon(what), h('span', { class: 'badge', hidden: true, 'aria-hidden': 'true' }), h('span', { class: 'label' }));
}

/** @param {HTMLElement} element @param {boolean} on @param {string} name */
function press(element, on, name) {
  const what = element.id === 'call-camera' ? 'camera' : 'microphone';
  attribute(element, 'aria-pressed', String(on));
  attribute(element, 'aria-label', name);
  attribute(element, 'title', `${t.onOff(name, on)} (${element.getAttribute('aria-keyshortcuts')})`);
  element.classList.toggle('off', !on);
  draw(/** @type {SVGElement} */ (element.querySelector('svg')), on ? what : `${what}Off`);
  text(/** @type {Node} */ (element.querySelector('.label')), name);
}

/** @param {HTMLElement} element @param {number} count @param {string} name @param {string} words @param {boolean} [urgent] */
function badge(element, count, name, words, urgent = true) {
  const before = /** @type {HTMLElement} */ (element.querySelector('.badge')), number = count > 99 ? '99+' : String(count);
  // A new element, as WebKitGTK does not paint one whose number has changed.
  const mark = before.dataset.count === number ? before : h('span', { class: 'badge', 'aria-hidden': 'true', 'data-count': number });
  if (mark !== before) before.replaceWith(mark);
  shown(mark, count > 0);
  mark.classList.toggle('urgent', urgent);
  text(/** @type {Node} */ (element.querySelector('.label')), name);
  attribute(element, 'aria-label', words ? `${name}, ${words}` : name);
  attribute(element, 'title', `${words ? `${name}: ${words}` : name} (${element.getAttribute('aria-keyshortcuts')})`);
}
