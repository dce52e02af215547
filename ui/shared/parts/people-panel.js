// The participants and the people who knock, with the host's controls.

import { backend, state } from '../backend.js';
import { attribute, h, keyed, shown, text } from '../dom.js';
import { raisedHands } from '../hands.js';
import { draw, icon } from '../icons.js';
import { standing } from '../known.js';
import { ownMedia } from '../own-media.js';
import { avatar, ownLook, showAvatar } from '../avatar.js';
import { t } from '../strings.js';
import { View } from '../view.js';
import { announce, attempt } from './notices.js';
import { compareKeys, standingWords } from './compare.js';
import { ask } from './dialog.js';
import { menu } from './menu.js';
import { orderItems } from './order.js';
import { copyRoomLink } from './table-links.js';

/** @typedef {import('../model.d.ts').AppState} AppState */
/** @typedef {import('../model.d.ts').Knocker} Knocker */
/** @typedef {import('../known.js').Standing} Standing */
/** @typedef {{ id: string, key: string, name: string, media: import('../model.d.ts').MediaState, own: boolean, words: string, standing: Standing, hand: number, look?: import('../avatar.js').Look }} Row `hand`: its place among the raised hands; 0: it is down */

export class PeoplePanel extends View {
  build() {
    this.lobby = h('ul', { class: 'lobby', role: 'list', 'aria-label': t.atTheDoor });
    this.door = h('section', { class: 'door', hidden: true }, h('h3', { text: t.atTheDoor }), this.lobby);
    this.list = h('ul', { class: 'in-call', role: 'list', 'aria-label': t.inTheCall });
    this.lock = h('button', { type: 'button', class: 'small', id: 'lock', onclick: () => attempt(backend.call('lock', { locked: !state().call.locked })) }, icon('lock'), h('span'));
    this.muteAll = h('button', { type: 'button', class: 'small', id: 'mute-all', hidden: true, onclick: muteAll }, icon('microphoneOff'), t.muteAll);
    this.append(this.door, h('h3', { text: t.inTheCall }), this.list,
      h('div', { class: 'row wrap' }, h('button', { type: 'button', class: 'small', onclick: () => copyRoomLink(state().call.room) }, icon('link'), t.copyLink), this.muteAll, this.lock));
  }

  /** @param {AppState} state */
  update(state) {
    const { call, settings, you } = state;
    if (!this.lobby || !this.door || !this.list || !this.lock) return;
    const host = isHost(state), hands = raisedHands(state).map(one => one.id), handOf = (/** @type {string} */ id) => hands.indexOf(id) + 1;
    shown(this.door, call.lobby.length > 0);
    keyed(this.lobby, call.lobby, one => one.id, one => knocker(one));
    shown(this.lock, host);
    if (this.muteAll) {
      shown(this.muteAll, host && call.participants.length > 1);
      this.muteAll.disabled = !call.participants.some(one => one.media.microphone);
    }
    attribute(this.lock, 'aria-pressed', String(call.locked));
    text(/** @type {Node} */ (this.lock.lastChild), call.locked ? t.unlock : t.lock);
    /** @type {Row[]} */
    const rows = [
      { id: 'own', key: you.key, name: settings.name, media: ownMedia(state), own: true, standing: 'new', hand: handOf('own'), words: call.host === call.you && call.you ? t.host : '', look: ownLook(settings) },
      ...call.participants.map(one => ({ id: one.id, key: one.key, name: one.name, media: one.media, own: false, standing: standingOf(state, one), hand: handOf(one.id),
        words: one.distrust ? t.distrustShort : one.lacks_key ? t.lacksKeyShort : !one.connected && one.link !== 'connected' ? t.disconnectedShort : one.link === 'interrupted' ? t.reconnectingShort : one.link === 'connecting' ? t.connecting : call.host === one.id ? t.host : '', look: one.avatar })),
    ];
    // Raised hands first, in their order.
    rows.sort((one, other) => (one.hand || Infinity) - (other.hand || Infinity) || 0);
    keyed(this.list, rows, row => row.id, row => this.#row(row), (element, row) => fillRow(element, row));
  }

  /** @param {Row} row */
  #row({ id, key, name, own }) {
    const more = h('button', { type: 'button', class: 'icon-only plain', 'aria-label': `${t.more}: ${name}`, hidden: true }, icon('more'));
    const item = h('li', {}, avatar(name, key || id), h('span', { class: 'name', dir: 'auto' }), h('span', { class: 'standing', hidden: true }, icon('check'), h('span')), h('span', { class: 'quiet' }), h('span', { class: 'hand', role: 'img', hidden: true }, icon('hand'), h('span')), h('span', { class: 'state' }, icon('microphone'), icon('camera')), more, ...(own || backend.shell !== 'app' ? [] : [volume(key, name)]));
    if (!own) menu(more, () => [
      { words: t.compareCodes, icon: 'check', run: () => compare(id) },
      ...(isHost(state()) ? hostItems(id, name) : []),
      ...orderItems({ name, participant: id }),
    ]);
    return item;
  }
}
customElements.define('lr-people-panel', PeoplePanel);

/** @param {AppState} state */
const isHost = ({ call }) => call.host !== null && call.host === call.you;

/** The volume of a person, which this device keeps. @param {string} key @param {string} name */
function volume(key, name) {
  const range = h('input', { type: 'range', class: 'volume', min: 0, max: 200, step: 10, 'aria-label': t.volumeOf(name), title: t.volumeOf(name) });
  range.value = String(state().settings.volumes[key] ?? 100);
  range.addEventListener('change', () => {
    const { settings } = state();
    attempt(backend.call('save_settings', { settings: { ...settings, volumes: { ...settings.volumes, [key]: Number(range.value) } } }));
  });
  return range;
}

/** What the host may do with somebody. @param {string} id @param {string} name @returns {import('./menu.js').Item[]} */
const hostItems = (id, name) => [
  ...(raisedHands(state()).some(one => one.id === id) ? [{ words: t.lowerHand, icon: /** @type {const} */ ('hand'), run: () => attempt(backend.call('lower_hand', { id })) }] : []),
  { words: isSpotlit(id) ? t.endSpotlight : t.spotlight, icon: 'pin', run: () => attempt(backend.call('spotlight', { id: isSpotlit(id) ? null : id })) },
  { words: t.handOver, icon: 'home', run: () => handOver(id, name) },
  { words: t.muteThem, icon: 'microphoneOff', run: () => attempt(backend.call('mute', { id }).then(() => announce(t.mutedThem(name)))) },
  { words: t.removePerson, icon: 'remove', danger: true, run: () => removePerson(id, name) },
];

/** @param {string} id */
const isSpotlit = id => state().call.spotlight === id;

/** @param {AppState} state @param {AppState['call']['participants'][0]} one @returns {Standing} */
const standingOf = ({ call, session, settings }, one) => standing(one, call.participants, settings.known, session.kind === 'closed' ? '' : session.server);

/** @param {string} id */
function compare(id) {
  const now = state(), one = now.call.participants.find(one => one.id === id);
  if (one) compareKeys({ id, key: one.key, name: one.name, standing: standingOf(now, one) });
}

/** @param {HTMLElement} item @param {Row} row */
function fillRow(item, row) {
  const [face, name, mark, words, hand, states, more] = /** @type {HTMLElement[]} */ ([...item.children]);
  showAvatar(face, row.name, row.key || row.id, row.look);
  text(name, row.own ? t.youNamed(row.name) : row.name);
  const known = standingWords(row.standing), [sign, said] = /** @type {[SVGElement, HTMLElement]} */ (/** @type {unknown} */ ([...mark.children]));
  shown(mark, known !== '');
  attribute(mark, 'class', `standing ${row.standing}`);
  draw(sign, row.standing === 'known' ? 'check' : 'warning');
  text(said, known);
  text(words, row.words);
  shown(hand, row.hand > 0);
  attribute(hand, 'aria-label', row.hand ? t.handPlace(row.hand) : '');
  text(/** @type {Node} */ (hand.lastChild), row.hand ? String(row.hand) : '');
  const [microphone, camera] = /** @type {SVGElement[]} */ (/** @type {unknown} */ ([...states.children]));
  draw(microphone, row.media.microphone ? 'microphone' : 'microphoneOff');
  draw(camera, row.media.camera ? 'camera' : 'cameraOff');
  attribute(states, 'role', 'img');
  attribute(states, 'aria-label', `${t.onOff(t.microphone, row.media.microphone)}, ${t.onOff(t.camera, row.media.camera)}`);
  shown(more, !row.own);
}

/** Makes the entry of a person who knocks, with the buttons to admit or refuse them. @param {Knocker} one */
export function knocker({ id, name, key }) {
  return h('li', {}, avatar(name, key || id), h('span', { class: 'name', dir: 'auto', text: name }), h('span', { class: 'quiet at-door', text: t.isAtTheDoor }),
    h('button', { type: 'button', class: 'small', 'aria-label': `${t.refuse}: ${name}`, text: t.refuse, onclick: () => attempt(backend.call('refuse', { id })) }),
    h('button', { type: 'button', class: 'primary small', 'aria-label': `${t.admit}: ${name}`, text: t.admit, onclick: () => attempt(backend.call('admit', { id })) }));
}

/** Asks everybody whose microphone is on to mute it. */
async function muteAll() {
  const speaking = state().call.participants.filter(one => one.media.microphone);
  const asked = await attempt(Promise.all(speaking.map(({ id }) => backend.call('mute', { id }))));
  if (asked) announce(t.mutedAll(speaking.length));
}

/** @param {string} id @param {string} name */
async function handOver(id, name) {
  if (await ask({ title: t.handOver, words: t.handOverSure(name), yes: t.handOver })) await attempt(backend.call('hand_over', { id }));
}

/** @param {string} id @param {string} name */
async function removePerson(id, name) {
  if (await ask({ title: t.removePerson, words: t.removePersonSure(name), yes: t.removePerson, danger: true })) await attempt(backend.call('remove', { id }));
}
