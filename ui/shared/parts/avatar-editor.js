// The own avatar in the settings: a photo, or a colour and a glyph. The photo is scaled here, so that it never leaves this
// device in full, and its metadata never does.

import { avatar, ownLook, showAvatar } from '../avatar.js';
import { backend, state } from '../backend.js';
import { toBase64Url } from '../base64url.js';
import { attribute, h, shown, text } from '../dom.js';
import { EMOJI_GROUPS, canDraw } from '../emoji.js';
import { t } from '../strings.js';
import { View } from '../view.js';
import { emojiButtons } from './emoji-buttons.js';
import { announce, attempt } from './notices.js';

/** @typedef {import('../model.d.ts').AppState} AppState */
/** @typedef {import('../model.d.ts').OwnAvatar} OwnAvatar */

/** Number of the colours (PROTOCOL.md, Avatars). */
const COLORS = 8;
/** Width and height of a photo in pixels. */
const SIDE = 256;
/** A server takes no more. */
const MAX_BYTES = 44 * 1024;
/** Tried in this order until the photo is small enough. A photo of this size hardly ever needs the second. */
const QUALITIES = [0.86, 0.7, 0.5, 0.3];
/** Larger files are not opened. */
const MAX_FILE_BYTES = 50 * 1024 * 1024;

export class AvatarEditor extends View {
  build() {
    this.face = avatar('', '');
    this.file = h('input', { type: 'file', accept: 'image/*', hidden: true, id: 'avatar-file', onchange: () => this.#chosen() });
    this.choose = h('button', { type: 'button', class: 'small', id: 'avatar-photo', onclick: () => this.file?.click() });
    this.removal = h('button', { type: 'button', class: 'small', id: 'avatar-remove', text: t.removePhoto, onclick: () => this.#set({ photo: null }) });
    this.emoji = h('button', { type: 'button', class: 'small', id: 'avatar-glyph' });
    this.plain = h('button', { type: 'button', class: 'small', id: 'avatar-initials', text: t.useInitials, onclick: () => this.#set({ glyph: null }) });
    this.colors = h('div', { class: 'swatches', role: 'radiogroup', 'aria-label': t.avatarColor }, ...Array.from({ length: COLORS }, (_, color) => this.#swatch(color)));
    this.append(this.face, h('div', { class: 'choices' },
      h('div', { class: 'row wrap' }, this.file, this.choose, this.removal, h('span', { class: 'holder' }, this.emoji), this.plain), this.colors,
      h('p', { class: 'quiet', text: t.avatarHint })));
    emojiButtons(this.emoji, { label: t.chooseEmoji, class: 'emoji-table', choose: (_, glyph) => this.#set({ glyph }),
      groups: () => EMOJI_GROUPS.map(({ group, emoji }) => ({ title: t.emojiGroups[group], emoji: emoji.filter(canDraw).map(one => ({ text: one })) })) });
  }

  /** @param {AppState} state */
  update({ settings, you }) {
    if (!this.face || !this.choose || !this.removal || !this.emoji || !this.plain || !this.colors) return;
    const { photo, glyph, color } = settings.avatar;
    showAvatar(this.face, settings.name, you.person ?? you.key, ownLook(settings));
    text(this.choose, photo ? t.changePhoto : t.choosePhoto);
    shown(this.removal, Boolean(photo));
    text(this.emoji, glyph ? t.changeEmoji : t.chooseEmoji);
    shown(this.plain, Boolean(glyph));
    for (const [at, label] of [...this.colors.children].entries()) /** @type {HTMLInputElement} */ (label.firstChild).checked = at === color;
    // With a photo, nobody sees them.
    attribute(this.colors, 'hidden', Boolean(photo));
    shown(this.emoji, !photo);
    shown(this.plain, Boolean(glyph) && !photo);
  }

  /** @param {number} color */
  #swatch(color) {
    return h('label', { class: `swatch hue-${color}`, title: t.avatarColors[color] }, h('input', { type: 'radio', name: 'avatar-color', 'aria-label': t.avatarColors[color], onchange: () => this.#set({ color }) }));
  }

  /** @param {Partial<OwnAvatar>} change */
  #set(change) {
    return attempt(backend.call('set_avatar', { avatar: { ...state().settings.avatar, ...change } }));
  }

  async #chosen() {
    const file = this.file?.files?.[0];
    if (!file || !this.file) return;
    this.file.value = ''; // so that the same file can be chosen once more
    const photo = await scaled(file).catch(() => null);
    if (!photo) return announce(t.photoUnreadable);
    await this.#set({ photo: toBase64Url(photo) });
  }
}
customElements.define('lr-avatar-editor', AvatarEditor);

/**
 * The middle of a picture as a small JPEG.
 * @param {File} file
 * @returns {Promise<Uint8Array>} rejects if it is not a picture that this device can read
 */
async function scaled(file) {
  if (file.size > MAX_FILE_BYTES) throw new Error('too large');
  const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' });
  const side = Math.min(bitmap.width, bitmap.height);
  const canvas = h('canvas', { width: SIDE, height: SIDE });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  context.fillStyle = '#fff'; // under a transparent picture
  context.fillRect(0, 0, SIDE, SIDE);
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side, 0, 0, SIDE, SIDE);
  bitmap.close();
  for (const quality of QUALITIES) {
    const blob = await /** @type {Promise<Blob | null>} */ (new Promise(done => canvas.toBlob(done, 'image/jpeg', quality)));
    if (blob && blob.size <= MAX_BYTES) return new Uint8Array(await blob.arrayBuffer());
  }
  throw new Error('too large');
}
