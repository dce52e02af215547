// The call: the tiles fill the window, and the controls are at its edges.

import { backend, state } from '../backend.js';
import { attribute, h, keyed, shown, text } from '../dom.js';
import { HandNews, raisedHands } from '../hands.js';
import { draw, icon } from '../icons.js';
import { ownLook } from '../avatar.js';
import { isMissing, ownMedia } from '../own-media.js';
import { announce, attempt } from '../parts/notices.js';
import { Chat, othersLines } from '../parts/chat.js';
import { checkConnection } from '../parts/connection-check.js';
import { deviceMenu } from '../parts/device-menu.js';
import { Devices } from '../parts/devices.js';
import { openDialog } from '../parts/dialog.js';
import { emojiButtons } from '../parts/emoji-buttons.js';
import { Statistics } from '../parts/statistics.js';
import { Shortcuts } from '../parts/shortcuts.js';
import { grid, pair, stage, strip } from '../parts/layout.js';
import { menu } from '../parts/menu.js';
import { VOICE } from '../parts/meter.js';
import { leave } from '../parts/leave.js';
import { PeoplePanel, knocker } from '../parts/people-panel.js';
import { quality } from '../parts/quality.js';
import { StoppedPictures } from '../parts/stopped-pictures.js';
import { ScreenTile } from '../parts/screen-tile.js';
import { chooseShare } from '../parts/share-picker.js';
import { roundTable } from '../parts/round-table.js';
import { openSettings, shortcuts } from '../parts/settings.js';
import { copyRoomLink, tableOf } from '../parts/table-links.js';
import { Tile } from '../parts/tile.js';
import { reactionArt } from '../reaction-art.js';
import { REACTIONS, ReactionNews } from '../reactions.js';
import { deviceProblem, problem, t } from '../strings.js';
import { roomTitle } from '../tables.js';
import { localClock } from '../times.js';
import { View } from '../view.js';

/** @typedef {import('../model.d.ts').AppState} AppState */
/** @typedef {import('../model.d.ts').Stats} Stats */
/** @typedef {import('../parts/tile.js').Person} Person */
/** @typedef {'chat' | 'people' | 'statistics'} Panel */

const STATS_MS = 2000;
/** Below this height all tiles are in one row, because a panel is below them. */
const STRIP_HEIGHT_REM = 9;
/** Below this height more than so many others are too small in a grid, and who speaks is large instead. */
const CRAMPED_REM = 16, MOST_CRAMPED = 3;
/** Below this height a tile has little room for the initials above the name. */
const TINY_REM = 5.5;
/** How long the hint "you are muted" is shown, and how long the person must speak before, ms. */
const HINT_MS = 4000, SPEAKING_MS = 400;

export class CallScreen extends View {
  /** @type {Panel | null} */
  #panel = null;
  /** The view that the person selected; null: depends on the number of participants. @type {'grid' | 'stage' | null} */
  #view = null;
  /** Whom the person has pinned, by key: their tile is the large one until it is unpinned. @type {string | null} */
  #pinned = null;
  /** @type {string | null} */
  #activeSpeaker = null;
  #speakingSince = 0;
  /** Whether the person was told in this call that the microphone listens while it is off. */
  #saidListening = false;
  /** The participants of whom the person was told that they are in the same room. @type {Set<string>} */
  #saidSameRoom = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #hintTimer;
  #readLines = 0;
  /** @type {Stats | null} */
  #stats = null;
  /** @type {Stats | null} */
  #previousStats = null;
  #stoppedPictures = new StoppedPictures();
  #lobbySize = 0;
  /** Device problems that the person dismissed. @type {Set<string>} */
  #dismissed = new Set();
  /** The participants at the last update: names by key. @type {Map<string, string> | null} */
  #lastParticipants = null;
  #handNews = new HandNews();
  /** Whether the app's window is small and above others. */
  #small = false;
  /** Whom the host showed large at the last update. @type {string | null} */
  #spotlight = null;
  #reactionNews = new ReactionNews();
  /** Whether the person has asked to lower the hand. */
  #lowersHand = false;
  /** Who shared at the last update: names by participant id. @type {Map<string, string>} */
  #sharing = new Map();
  /** Whether the last change was that a participant left. */
  #someoneLeft = false;

  build() {
    this.heading = h('h1', { dir: 'auto' });
    this.line = h('p', { class: 'line', role: 'status', hidden: true });
    this.trouble = h('div', { class: 'call-trouble', role: 'alert', hidden: true }, h('div'), h('button', { type: 'button', class: 'small', text: t.devices, onclick: () => devices() }),
      h('button', { type: 'button', class: 'icon-only plain', 'aria-label': t.close, onclick: () => this.#dismissProblems() }, icon('close')));
    this.knock = h('ul', { class: 'knocks', role: 'list', 'aria-label': t.atTheDoor });
    this.sameRoom = h('ul', { class: 'knocks same-room', role: 'list', 'aria-label': t.sameRoom });
    this.sharing = h('div', { class: 'call-sharing', role: 'status', hidden: true }, icon('share'), h('span', { dir: 'auto' }),
      h('button', { type: 'button', class: 'small', id: 'stop-sharing', text: t.stopSharing, onclick: () => stopSharing() }));
    this.tiles = h('div', { class: 'tiles' });
    this.alone = h('div', { class: 'alone', hidden: true });
    this.hint = h('p', { class: 'muted-hint', role: 'status', hidden: true, text: t.youAreMuted });
    this.reactions = h('p', { class: 'visually-hidden', role: 'status' });
    this.microphoneButton = button('microphone', 'microphone', 'M', () => this.#toggle('microphone'));
    this.cameraButton = button('camera', 'camera', 'V', () => this.#toggle('camera'));
    this.handButton = button('hand', 'hand', 'H', () => this.#toggleHand());
    this.reactButton = button('react', 'smile', 'R', () => {});
    name(this.reactButton, t.react, t.react);
    this.shareButton = button('share', 'share', 'S', () => this.#toggleShare());
    this.chatButton = button('chat', 'chat', 'C', () => this.#togglePanel('chat'));
    this.peopleButton = button('people', 'people', 'P', () => this.#togglePanel('people'));
    const more = h('button', { type: 'button', class: 'bar-button', id: 'call-more', 'aria-label': t.more, title: t.more }, icon('more'), h('span', { class: 'label', text: t.more }));
    const out = h('button', { type: 'button', class: 'bar-button leave', id: 'leave', 'aria-label': t.leave, 'aria-keyshortcuts': 'Control+Shift+L', title: `${t.leave} (Ctrl+Shift+L)`, onclick: leave }, icon('leave'), h('span', { class: 'label', text: t.leave }));
    this.panelTitle = h('h2', {});
    this.panelBody = h('div', { class: 'panel-body' });
    this.side = h('aside', { class: 'side-panel', hidden: true, 'aria-labelledby': 'panel-title' },
      h('header', {}, this.panelTitle, h('button', { type: 'button', class: 'icon-only plain', 'aria-label': t.close, onclick: () => this.#togglePanel(null) }, icon('close'))), this.panelBody);
    this.panelTitle.id = 'panel-title';
    this.append(
      h('header', { class: 'call-top' }, this.heading, this.line, this.trouble),
      h('main', { class: 'stage' }, this.tiles, this.alone, h('div', { class: 'over' }, this.sharing, this.knock, this.sameRoom), this.hint, this.reactions),
      this.side,
      h('nav', { class: 'bar', 'aria-label': t.callControls }, this.microphoneButton, deviceMenu('choose-microphone', t.chooseMicrophone, ['microphone', 'speaker'], devices), this.cameraButton, deviceMenu('choose-camera', t.chooseCamera, ['camera'], devices), this.shareButton, this.handButton, h('span', { class: 'holder' }, this.reactButton), h('span', { class: 'space' }), this.chatButton, this.peopleButton, h('span', { class: 'holder' }, more), h('span', { class: 'space' }), out));
    menu(more, () => this.#menu());
    emojiButtons(this.reactButton, { label: t.react, class: 'reactions', choose: at => attempt(backend.call('react', { reaction: REACTIONS[at] })),
      groups: () => [{ title: '', emoji: REACTIONS.map(one => ({ name: t.reactions[one], art: () => reactionArt(one) })) }] });
    if (this.#panel) this.#fillPanel(this.#panel);
  }

  connected() {
    this.#readLines = othersLines();
    this.onDisconnect(backend.levels(levels => this.#updateLevels(levels)));
    const observer = new ResizeObserver(() => this.#layOut());
    if (this.tiles) observer.observe(this.tiles);
    this.onDisconnect(() => observer.disconnect());
    const timer = setInterval(() => this.#updateStats(), STATS_MS);
    this.onDisconnect(() => clearInterval(timer));
    const keys = new Shortcuts({
      toggle: what => this.#toggle(what), talk: on => attempt(backend.call('set_microphone', { on })),
      open: panel => this.#togglePanel(panel), share: () => this.#toggleShare(), hand: () => this.#toggleHand(), react: () => this.reactButton?.click(), view: () => this.#switchView(), leave,
      fullScreen, help: showShortcuts, close: () => this.#closePanel(),
    });
    this.onDisconnect(() => keys.end());
    this.#updateStats();
  }

  disconnected() {
    clearTimeout(this.#hintTimer);
    if (this.#small) backend.call('small_window', { on: false }).catch(() => {});
  }

  /** @param {AppState} state */
  update(state) {
    const { call } = state;
    const { heading, line, trouble, knock, tiles, alone, microphoneButton, cameraButton, chatButton, peopleButton } = this;
    if (!heading || !line || !trouble || !knock || !tiles || !alone || !microphoneButton || !cameraButton || !chatButton || !peopleButton) return;
    const table = tableOf(call.room);
    text(heading, roomTitle(call.room, table));
    const disconnectedAt = state.reconnecting_since_ms;
    shown(line, disconnectedAt !== null);
    const offline = state.problems.some(one => one.code === 'offline');
    if (disconnectedAt !== null) text(line, (offline ? t.offlineSince : t.reconnectingSince)(localClock(disconnectedAt)));
    this.classList.toggle('away', disconnectedAt !== null);
    this.#updateProblems(state);
    keyed(knock, this.#panel === 'people' ? [] : call.lobby, one => one.id, one => knocker(one));
    if (call.lobby.length > this.#lobbySize) announce(t.somebodyKnocks(call.lobby[call.lobby.length - 1].name), { visuallyHidden: true });
    this.#lobbySize = call.lobby.length;
    this.#updateSameRoom(state);
    const own = ownMedia(state);
    press(microphoneButton, own.microphone, t.microphone);
    press(cameraButton, own.camera, t.camera);
    this.#updateListening(state.listening);
    this.#announceChanges(call);
    this.#updateHands(state);
    this.#announceReactions(call);
    this.#announceSpotlight(call);
    this.#updateBadges(state);
    this.#updateShare(state);
    const people = this.#tilePeople(state);
    // The shared screens follow the people, of whom #participantOf counts the tiles.
    const displayed = [...people, ...call.participants.filter(one => state.sharing.includes(one.id)).map(({ id, name }) => ({ screen: id, name }))];
    keyed(tiles, displayed, one => 'screen' in one ? `screen ${one.screen}` : one.id, one => 'screen' in one ? new ScreenTile(one.screen) : new Tile(() => this.#togglePin(one)),
      (tile, one) => 'screen' in one ? /** @type {ScreenTile} */ (tile).show(one.name) : /** @type {Tile} */ (tile).show(one));
    this.#updateAlone(state);
    this.#layOut();
  }

  /** Shows the problems of devices until the person dismisses them. @param {AppState} state */
  #updateProblems(state) {
    if (!this.trouble) return;
    const { problems } = state, failures = problems.filter(one => one.device !== null), keys = failures.map(troubleKey);
    for (const key of this.#dismissed) if (!keys.includes(key)) this.#dismissed.delete(key);
    const unread = failures.filter(one => !this.#dismissed.has(troubleKey(one)));
    shown(this.trouble, unread.length > 0);
    keyed(/** @type {Element} */ (this.trouble.firstElementChild), unread, troubleKey, () => h('p'),
      (line, one) => text(line, one.device && !isMissing(state, one.device) ? `${t[one.device]}: ${deviceProblem(one, state)}` : deviceProblem(one, state)));
  }

  /** Says who is not played because they are in the same room. @param {AppState} state */
  #updateSameRoom({ call, same_room }) {
    if (!this.sameRoom) return;
    const people = call.participants.filter(one => same_room.includes(one.id));
    for (const one of people) if (!this.#saidSameRoom.has(one.id)) announce(t.sameRoomWith(one.name), { visuallyHidden: true });
    this.#saidSameRoom = new Set(people.map(one => one.id));
    keyed(this.sameRoom, people, one => one.id, one => h('li', {}, h('span', { class: 'at-door', text: t.sameRoomWith(one.name) }),
      h('button', { type: 'button', class: 'small', text: t.playAnyway, 'aria-label': `${t.playAnyway}: ${one.name}`, onclick: () => attempt(backend.call('play_anyway', { id: one.id })) })));
  }

  /** Announces who joined and who left. @param {AppState['call']} call */
  #announceChanges(call) {
    // Without a connection to the server the participants are unknown. After a rejoin the same people have other ids.
    if (call.stage.kind !== 'joined') return;
    const now = new Map(call.participants.map(one => [one.key || one.id, one.name])), before = this.#lastParticipants;
    this.#lastParticipants = now;
    if (!before) return;
    const gone = [...before].filter(([key]) => !now.has(key)).map(([, name]) => name), joined = [...now].filter(([key]) => !before.has(key)).map(([, name]) => name);
    if (gone.length) this.#someoneLeft = true;
    if (joined.length) this.#someoneLeft = false;
    if (gone.length || joined.length) announce([gone.length ? t.theyLeft(gone) : '', joined.length ? t.theyCame(joined) : ''].filter(Boolean).join(' '));
  }

  /** Shows the own hand in the bar, and announces hands. @param {AppState} state */
  #updateHands(state) {
    if (!this.handButton) return;
    const raised = state.call.hand !== null;
    attribute(this.handButton, 'aria-pressed', String(raised));
    name(this.handButton, t.hand, raised ? t.lowerHand : t.raiseHand);
    this.handButton.classList.toggle('on', raised);
    // In a new seat the hand is down, because the old one was lost.
    if (state.call.stage.kind !== 'joined') return this.#handNews.forget();
    const { others, own } = this.#handNews.update(raisedHands(state), performance.now());
    if (own === false && !this.#lowersHand) announce(t.handWasLowered);
    else if (own !== null) announce(own ? t.handIsUp : t.handIsDown, { visuallyHidden: true });
    if (own !== null) this.#lowersHand = false;
    if (others.length) announce(t.theyRaised(others));
  }

  /** Says whom the host shows large. @param {AppState['call']} call */
  #announceSpotlight({ spotlight, you, participants }) {
    if (spotlight === this.#spotlight) return;
    this.#spotlight = spotlight;
    const one = participants.find(one => one.id === spotlight);
    if (spotlight !== null && spotlight === you) announce(t.youInSpotlight);
    else if (one) announce(t.inSpotlight(one.name), { visuallyHidden: true });
  }

  /** Says who reacts how, after what is being said. @param {AppState['call']} call */
  #announceReactions({ participants }) {
    const news = this.#reactionNews.update(participants, performance.now());
    if (this.reactions && news.length) text(this.reactions, news.map(({ name, reaction }) => reaction && reaction.reaction !== 'unknown' ? t.reactedWith(name, t.reactions[reaction.reaction]) : '').join(' '));
  }

  /** Shows what the person shares, and announces who else shares. @param {AppState} state */
  #updateShare({ share, sharing, call }) {
    if (!this.sharing || !this.shareButton) return;
    shown(this.sharing, share !== null);
    if (share) text(/** @type {Node} */ (this.sharing.querySelector('span')), share.state === 'hidden' ? t.youShareHidden(share.name) : t.youShare(share.name));
    attribute(this.shareButton, 'aria-pressed', String(share !== null));
    name(this.shareButton, t.share, share ? t.stopSharing : t.shareScreen);
    this.shareButton.classList.toggle('on', share !== null);
    draw(/** @type {SVGElement} */ (this.shareButton.querySelector('svg')), share ? 'shareStop' : 'share');
    const now = new Map(call.participants.filter(one => sharing.includes(one.id)).map(one => [one.id, one.name])), before = this.#sharing;
    this.#sharing = now;
    for (const [id, name] of now) if (!before.has(id)) announce(t.theyShare(name));
    for (const [id, name] of before) if (!now.has(id)) announce(t.theyStopped(name), { visuallyHidden: true });
  }

  #toggleShare() {
    if (state().share) stopSharing();
    else chooseShare();
  }

  #toggleHand() {
    const raised = state().call.hand === null;
    this.#lowersHand = !raised;
    attempt(backend.call('set_hand', { raised }));
  }

  /** Returns the people with a tile, the person last. @param {AppState} state @returns {Person[]} */
  #tilePeople(state) {
    const { call, settings, you, interrupted_since_ms } = state;
    const hands = raisedHands(state).map(one => one.id), canPin = call.participants.length > 1;
    const pinned = (/** @type {{ id: string, key: string }} */ one) => canPin ? this.#pinned === pinKey(one) : null;
    const others = call.participants.map(one => {
      const rated = quality(one, this.#stats, this.#previousStats);
      return { id: one.id, key: one.key, name: one.name, own: false, camera: one.media.camera, microphone: one.media.microphone, trouble: linkTrouble(one, interrupted_since_ms[one.id]) || (this.#stoppedPictures.has(one.id) ? t.pictureStopped : ''), hand: hands.indexOf(one.id) + 1, reaction: one.reaction, pinned: pinned(one), spotlit: call.spotlight === one.id && canPin, quality: rated, look: one.avatar };
    });
    // Alone, the own tile is all that there is.
    if (!settings.show_own && others.length) return others;
    return [...others, { id: 'own', key: you.key, name: settings.name, own: true, ...ownMedia(state), trouble: '', hand: hands.indexOf('own') + 1, reaction: call.reaction, pinned: pinned({ id: 'own', key: '' }), spotlit: false, quality: null, look: ownLook(settings) }];
  }

  /** @param {AppState} state */
  #updateAlone({ call, settings, you }) {
    if (!this.alone) return;
    const table = tableOf(call.room), none = call.participants.length === 0;
    shown(this.alone, none);
    const key = none ? `${call.room} ${table?.seats} ${table?.taken_count} ${this.#someoneLeft}` : '';
    if (this.alone.dataset.key === key) return;
    this.alone.dataset.key = key;
    if (!none) return this.alone.replaceChildren();
    this.alone.replaceChildren(
      roundTable({ seats: table?.seats ?? 4, taken: [{ id: you.key, name: settings.name }], takenCount: 1, mine: you.key }),
      h('h2', { text: this.#someoneLeft ? t.aloneAgain : t.aloneTitle }), h('p', { class: 'lead', text: !this.#someoneLeft && table && table.taken_count > 1 ? t.aloneOthersCome : t.aloneWords }),
      h('button', { type: 'button', class: 'primary large', id: 'alone-copy', onclick: () => copyRoomLink(call.room) }, icon('link'), t.copyLink));
  }

  #layOut() {
    const { tiles } = this;
    if (!tiles || !backend.state) return;
    const width = tiles.clientWidth, height = tiles.clientHeight;
    const all = /** @type {(Tile | ScreenTile)[]} */ ([...tiles.children]);
    if (!width || !height || !all.length) return;
    const screen = all.find(tile => tile instanceof ScreenTile), others = all.filter(tile => !tile.classList.contains('own')).length, isCramped = this.#view === null && others > MOST_CRAMPED && height < CRAMPED_REM * rem(), hasMainTile = this.#hasMainTile() || isCramped;
    const remPx = rem(), low = others > 0 && height < STRIP_HEIGHT_REM * remPx;
    let order = all, rects;
    if (others === 0) rects = [pair(width, height)[1]];
    else if (low) rects = strip(all.length, width, height);
    else if (others === 1 && !screen && this.#view !== 'grid') rects = pair(width, height);
    else if (hasMainTile || screen) {
      const first = all.find(tile => tile.classList.contains('pinned')) ?? screen ?? all.find(tile => tile.classList.contains('spotlit')) ?? all.find(tile => this.#participantOf(tile) === this.#activeSpeaker) ?? all[0];
      order = [first, ...all.filter(tile => tile !== first)];
      rects = stage(all.length, width, height);
    } else rects = grid(all.length, width, height);
    order.forEach((tile, n) => {
      const { left, top, width: wide, height: high } = rects[n];
      tile.style.transform = `translate(${left}px, ${top}px)`;
      tile.style.width = `${wide}px`;
      tile.style.height = `${high}px`;
      tile.classList.toggle('small', wide < 220);
      tile.classList.toggle('tiny', high < TINY_REM * remPx);
      tile.classList.toggle('corner', !low && others <= 1 && !screen && n === rects.length - 1 && this.#view !== 'grid');
    });
    tiles.classList.toggle('empty', others === 0);
    tiles.classList.toggle('strip', low);
  }

  #hasMainTile() {
    const count = state().call.participants.length;
    return (this.#view === 'stage' || this.tiles?.querySelector('.pinned, .spotlit')) && count > 1;
  }

  /** Returns the participant id of a tile, or `own`; empty for a shared screen. @param {Tile | ScreenTile} tile */
  #participantOf(tile) {
    if (tile instanceof ScreenTile) return '';
    const { call } = state(), index = this.tiles ? [...this.tiles.children].indexOf(tile) : -1;
    return call.participants[index]?.id ?? 'own';
  }

  /** @param {AppState} state */
  #updateBadges({ call }) {
    if (!this.chatButton || !this.peopleButton) return;
    const lines = othersLines();
    if (this.#panel === 'chat') this.#readLines = lines;
    const unread = Math.max(0, lines - this.#readLines);
    badge(this.chatButton, unread, t.chat, unread ? t.unread(unread) : '');
    const count = call.participants.length + 1;
    badge(this.peopleButton, call.lobby.length || count, t.people, call.lobby.length ? t.waitingAtDoor(call.lobby.length) : t.inCallCount(count), call.lobby.length > 0);
    attribute(this.chatButton, 'aria-expanded', String(this.#panel === 'chat'));
    attribute(this.peopleButton, 'aria-expanded', String(this.#panel === 'people'));
  }

  /** @param {import('../backend.js').Levels} levels */
  #updateLevels({ levels, speaking, active }) {
    if (!this.tiles || !backend.state) return;
    const { call } = state();
    for (const tile of this.tiles.children) {
      if (!(tile instanceof Tile)) continue;
      const id = this.#participantOf(tile), on = id === 'own' ? call.media.microphone : call.participants.find(one => one.id === id)?.media.microphone;
      tile.speaking = Boolean(on) && speaking.includes(id);
    }
    if (active !== null && active !== this.#activeSpeaker) {
      this.#activeSpeaker = active;
      this.#layOut();
    }
    this.#updateMutedHint(!call.media.microphone && (levels.own ?? -Infinity) > VOICE, performance.now());
  }

  /** Says that the microphone is open although it is off. @param {boolean} listening */
  #updateListening(listening) {
    if (!this.microphoneButton) return;
    this.microphoneButton.classList.toggle('listening', listening);
    if (!listening) return;
    attribute(this.microphoneButton, 'title', `${this.microphoneButton.getAttribute('title')} – ${t.listening}`);
    if (!this.#saidListening) announce(t.listening);
    this.#saidListening = true;
  }

  /** Shows the hint "you are muted" to a person who speaks. @param {boolean} talking @param {number} now */
  #updateMutedHint(talking, now) {
    if (!this.hint) return;
    if (state().call.media.microphone) shown(this.hint, false);
    if (!talking) return void (this.#speakingSince = 0);
    this.#speakingSince ||= now;
    if (now - this.#speakingSince < SPEAKING_MS) return;
    shown(this.hint, true);
    clearTimeout(this.#hintTimer);
    this.#hintTimer = setTimeout(() => this.hint && shown(this.hint, false), HINT_MS);
  }

  /** @param {'microphone' | 'camera'} what */
  #toggle(what) {
    const on = !ownMedia(state())[what];
    attempt(backend.call(what === 'microphone' ? 'set_microphone' : 'set_camera', { on }).then(() => announce(t.onOff(what === 'microphone' ? t.microphone : t.camera, on), { visuallyHidden: true })));
  }

  /** Opens a panel, or closes it if it is open. @param {Panel | null} panel null: closes any */
  #togglePanel(panel) {
    const before = this.#panel;
    this.#panel = panel === before ? null : panel;
    if (!this.side) return;
    shown(this.side, this.#panel !== null);
    this.classList.toggle('with-panel', this.#panel !== null);
    if (this.#panel) this.#fillPanel(this.#panel);
    else {
      this.panelBody?.replaceChildren();
      const back = before === 'people' ? this.peopleButton : before === 'chat' ? this.chatButton : document.getElementById('call-more');
      back?.focus();
    }
    this.update(state());
  }

  /** @param {Panel} panel */
  #fillPanel(panel) {
    if (!this.panelTitle || !this.panelBody || !this.side) return;
    shown(this.side, true);
    text(this.panelTitle, { chat: t.chat, people: t.people, statistics: t.statistics }[panel]);
    const body = { chat: () => new Chat(), people: () => new PeoplePanel(), statistics: () => new Statistics() }[panel]();
    this.panelBody.replaceChildren(body);
    if (body instanceof Chat) body.focusInput();
    else if (body instanceof Statistics) body.show(this.#stats, this.#previousStats);
    if (!(body instanceof Chat)) { this.panelTitle.tabIndex = -1; this.panelTitle.focus(); }
  }

  /** @returns {import('../parts/menu.js').Item[]} */
  #menu() {
    const { call } = state(), host = call.host !== null && call.host === call.you;
    return [
      { words: t.devices, icon: 'speaker', run: devices },
      { words: this.#view === 'stage' ? t.viewGrid : t.viewStage, icon: this.#view === 'stage' ? 'grid' : 'stage', run: () => this.#switchView() },
      { words: t.copyLink, icon: 'link', run: () => copyRoomLink(call.room) },
      ...(document.fullscreenEnabled ? [{ words: t.fullScreen, icon: /** @type {const} */ ('full'), run: fullScreen }] : []),
      ...(backend.shell === 'app' || document.pictureInPictureEnabled ? [{ words: this.#small ? t.largeWindow : t.smallWindow, icon: /** @type {const} */ ('stage'), run: () => this.#toggleSmall() }] : []),
      { words: t.shortcuts, icon: 'keyboard', run: showShortcuts },
      ...(host ? [{ words: call.locked ? t.unlock : t.lock, icon: /** @type {const} */ ('lock'), run: () => attempt(backend.call('lock', { locked: !call.locked })) }] : []),
      ...(backend.shell === 'app' ? [{ words: t.checkConnection, icon: /** @type {const} */ ('statistics'), run: () => checkConnection() }] : []),
      { words: t.statistics, icon: 'statistics', run: () => this.#togglePanel('statistics') },
      { words: t.settings, icon: 'settings', run: openSettings },
    ];
  }

  #dismissProblems() {
    for (const one of state().problems) this.#dismissed.add(troubleKey(one));
    this.update(state());
  }

  /** Closes the panel. Returns whether one was open. */
  #closePanel() {
    const open = this.#panel !== null;
    if (open) this.#togglePanel(null);
    return open;
  }

  /** @param {Person} person */
  #togglePin(person) {
    const key = pinKey(person), name = person.own ? t.youNamed(person.name) : person.name;
    this.#pinned = this.#pinned === key ? null : key;
    announce(this.#pinned ? t.isPinned(name) : t.isUnpinned(name), { visuallyHidden: true });
    this.update(state());
  }

  /** Makes the window small and keeps it above others, or undoes it. */
  async #toggleSmall() {
    const on = !this.#small;
    await attempt(backend.call('small_window', { on }).then(() => { this.#small = on && backend.shell === 'app'; }));
  }

  #switchView() {
    this.#view = this.#view === 'stage' ? 'grid' : 'stage';
    announce(this.#view === 'stage' ? t.viewStage : t.viewGrid, { visuallyHidden: true });
    this.#layOut();
  }

  async #updateStats() {
    try {
      const stats = await backend.call('stats');
      if (!stats) return;
      [this.#previousStats, this.#stats] = [this.#stats, stats];
      this.#stoppedPictures.update(state().call.participants, stats, !document.hidden && (this.tiles?.clientWidth ?? 0) > 0);
    } catch {
      return; // only the quality bars need the statistics
    }
    const panel = this.panelBody?.firstChild;
    if (panel instanceof Statistics) panel.show(this.#stats, this.#previousStats);
    if (this.isConnected) this.update(state());
  }
}
customElements.define('lr-call', CallScreen);

const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize);

/** @param {AppState['problems'][0]} problem */
const troubleKey = ({ device, code }) => `${device} ${code}`;

/**
 * Describes what is wrong with the connection to a participant; empty if nothing is.
 * @param {AppState['call']['participants'][0]} one @param {number} [since]
 */
function linkTrouble({ link, connected, repair, distrust, lacks_key }, since) {
  if (distrust) return problem(distrust, '');
  if (lacks_key) return problem('frame_key_missing', '');
  if (link === 'connected') return '';
  if (!connected) return t.disconnectedTile;
  if (repair && since !== undefined) return t.interrupted[repair](localClock(since));
  return link === 'interrupted' ? t.reconnectingTile : t.connecting;
}

const stopSharing = () => attempt(backend.call('stop_share').then(() => announce(t.youStopped, { visuallyHidden: true })));

const showShortcuts = () => openDialog({ title: t.shortcuts, class: 'shortcuts-sheet', body: [shortcuts()] });

/** Switches the whole window to full screen, or back. Where the system refuses, nothing happens. */
function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
  else if (document.fullscreenEnabled) document.documentElement.requestFullscreen().catch(() => {});
}

/** Keys outlive ids, which change when somebody joins again. The own one is `own`. @param {{ id: string, key: string }} one */
const pinKey = ({ id, key }) => id === 'own' ? 'own' : key || id;

const devices = () => openDialog({ title: t.devices, class: 'devices-sheet', body: [new Devices()] });

/** @param {string} id @param {'microphone' | 'camera' | 'share' | 'hand' | 'smile' | 'chat' | 'people'} what @param {string} key @param {() => void} press */
function button(id, what, key, press) {
  return h('button', { type: 'button', class: 'bar-button', id: `call-${id}`, 'aria-keyshortcuts': key, onclick: press }, icon(what), h('span', { class: 'badge', hidden: true, 'aria-hidden': 'true' }), h('span', { class: 'label' }));
}

/** Names a button of the bar. @param {HTMLElement} element @param {string} label what is seen @param {string} title what a press does */
function name(element, label, title) {
  attribute(element, 'aria-label', label);
  attribute(element, 'title', `${title} (${element.getAttribute('aria-keyshortcuts')})`);
  text(/** @type {Node} */ (element.querySelector('.label')), label);
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
  // WebKitGTK does not repaint an element after its number changed, so a new element replaces it.
  const mark = before.dataset.count === number ? before : h('span', { class: 'badge', 'aria-hidden': 'true', 'data-count': number });
  if (mark !== before) before.replaceWith(mark);
  shown(mark, count > 0);
  mark.classList.toggle('urgent', urgent);
  text(/** @type {Node} */ (element.querySelector('.label')), name);
  attribute(element, 'aria-label', words ? `${name}, ${words}` : name);
  attribute(element, 'title', `${words ? `${name}: ${words}` : name} (${element.getAttribute('aria-keyshortcuts')})`);
}
