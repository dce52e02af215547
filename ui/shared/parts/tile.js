// A participant's tile: the picture or the initials, the name, the muted state and the connection's quality.

import { attribute, h, s, shown, text } from '../dom.js';
import { icon } from '../icons.js';
import { avatar, showAvatar } from '../avatar.js';
import { reactionArt } from '../reaction-art.js';
import { isReaction } from '../reactions.js';
import { t } from '../strings.js';
import { PictureView } from './picture.js';

/** @typedef {import('./quality.js').Quality} Quality */
/** @typedef {import('../backend.js').Picture} Picture */
/** @typedef {{ id: string, key: string, name: string, own: boolean, camera: boolean, microphone: boolean, trouble: string, hand: number, reaction: import('../model.d.ts').ShownReaction | null, pinned: boolean | null, spotlit: boolean, quality: Quality | null, look?: import('../avatar.js').Look }} Person `hand`: its place among the raised hands; 0: it is down. `pinned`: null if it cannot be pinned */

const BARS = 4;

export class Tile extends HTMLElement {
  /** @param {() => void} pin pins or unpins this tile */
  constructor(pin) {
    super();
    this.pin = h('button', { type: 'button', class: 'icon-only pin', hidden: true, onclick: pin }, icon('pin'));
    this.picture = h('div', { class: 'picture' });
    this.avatar = avatar('', '');
    this.face = h('div', { class: 'face' }, this.avatar);
    this.name = h('span', { class: 'name', dir: 'auto' });
    this.muted = h('span', { class: 'muted', role: 'img' }, icon('microphoneOff'));
    this.hand = h('span', { class: 'hand', 'aria-hidden': 'true', hidden: true }, icon('hand'), h('span'));
    this.reaction = h('span', { class: 'reaction', 'aria-hidden': 'true', hidden: true });
    this.bars = h('span', { class: 'bars', tabindex: 0, role: 'img' }, signal());
    this.trouble = h('p', { class: 'why', role: 'status' });
  }

  connectedCallback() {
    if (this.firstChild) return;
    this.setAttribute('role', 'group');
    this.append(this.picture, this.face, this.trouble, this.hand, this.reaction, this.pin, h('div', { class: 'plate' }, this.muted, this.name, this.bars));
  }

  /** @param {Person} person */
  show(person) {
    const hasPicture = person.camera;
    const label = person.own ? t.youNamed(person.name) : person.name;
    attribute(this, 'aria-label', [label, person.microphone ? '' : t.microphoneOffShort, hasPicture ? '' : t.cameraOffShort, person.hand ? t.handPlace(person.hand) : '', person.spotlit ? t.spotlitShort : ''].filter(Boolean).join(', '));
    if (hasPicture !== (this.picture.firstChild !== null)) {
      this.picture.replaceChildren(...(hasPicture ? [new PictureView(person.own ? { kind: 'own' } : { kind: 'camera', id: person.id })] : []));
    }
    showAvatar(this.avatar, person.name, person.key || person.id, person.look);
    text(this.name, person.own ? t.youShort : person.name);
    attribute(this.name, 'title', person.name);
    shown(this.muted, !person.microphone);
    attribute(this.muted, 'aria-label', t.microphoneOffShort);
    shown(this.hand, person.hand > 0);
    text(/** @type {Node} */ (this.hand.lastChild), person.hand ? String(person.hand) : '');
    this.#react(person.reaction);
    shown(this.pin, person.pinned !== null);
    attribute(this.pin, 'aria-pressed', String(person.pinned === true));
    attribute(this.pin, 'aria-label', t.pin(label));
    attribute(this.pin, 'title', person.pinned ? t.unpinShort : t.pinShort);
    this.classList.toggle('pinned', person.pinned === true);
    this.classList.toggle('spotlit', person.spotlit);
    this.classList.toggle('own', person.own);
    this.classList.toggle('troubled', person.trouble !== '');
    text(this.trouble, person.trouble);
    this.#quality(person.quality);
  }

  /** Shows a reaction. A screen reader hears of it from the call. @param {import('../model.d.ts').ShownReaction | null} reaction */
  #react(reaction) {
    const number = reaction ? String(reaction.number) : '';
    if (this.reaction.dataset.number === number) return;
    // A new element begins a new animation, and WebKitGTK repaints it.
    const next = h('span', { class: 'reaction', 'aria-hidden': 'true', hidden: !reaction, 'data-number': number }, reaction && isReaction(reaction.reaction) ? reactionArt(reaction.reaction) : null);
    this.reaction.replaceWith(next);
    this.reaction = next;
  }

  /** @param {Quality | null} quality */
  #quality(quality) {
    shown(this.bars, quality !== null);
    if (!quality) return;
    const words = quality.delay === null ? quality.words : `${quality.words} ${quality.delay}`;
    attribute(this.bars, 'aria-label', words);
    attribute(this.bars, 'title', words);
    attribute(this.bars, 'data-bars', quality.bars);
  }

  /** @param {boolean} yes */
  set speaking(yes) {
    this.classList.toggle('speaking', yes);
  }
}
customElements.define('lr-tile', Tile);

function signal() {
  return s('svg', { viewBox: '0 0 20 16', 'aria-hidden': 'true', focusable: 'false' },
    ...Array.from({ length: BARS }, (_, n) => s('rect', { class: `bar bar-${n + 1}`, x: n * 5, y: 12 - n * 4, width: 3.5, height: 4 + n * 4, rx: 1 })));
}
