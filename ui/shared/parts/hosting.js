// The server in this app, for the local network: a button to start it, then its link and QR code.

import { backend } from '../backend.js';
import { h, id, s, text } from '../dom.js';
import { icon } from '../icons.js';
import { t } from '../strings.js';
import { View } from '../view.js';
import { attempt } from './notices.js';
import { openDialog } from './dialog.js';
import { copyText } from './table-links.js';

/** @typedef {import('../model.d.ts').AppState} AppState */

export const openHosting = () => openDialog({ title: t.hostHere, class: 'hosting-sheet', body: [new HostingPanel()] });

/** Elements and attributes that are copied from a QR code's SVG. */
const SHAPES = ['svg', 'g', 'rect', 'path'];
const ATTRIBUTES = ['viewBox', 'd', 'x', 'y', 'width', 'height', 'fill', 'transform', 'shape-rendering'];

export class HostingPanel extends View {
  #key = '';

  build() {
    this.#key = '';
    this.content = h('div', { class: 'hosting' });
    this.append(this.content);
  }

  /** @param {AppState} state */
  update({ hosting }) {
    const key = hosting ? hosting.link : 'none';
    if (key === this.#key || !this.content) return;
    this.#key = key;
    if (!hosting) {
      const start = h('button', { type: 'button', class: 'primary large', text: t.startHosting });
      start.addEventListener('click', async () => {
        start.disabled = true;
        text(start, t.oneMoment);
        await attempt(backend.call('host_here'));
        start.disabled = false;
        text(start, t.startHosting);
      });
      return this.content.replaceChildren(h('p', { class: 'lead', text: t.hostHereHint }), h('p', { class: 'quiet', text: t.hostHereMore }), h('div', { class: 'actions' }, start));
    }
    const code = safeSvg(hosting.qr_svg);
    this.content.replaceChildren(...[
      h('p', { class: 'lead', text: t.hostingWords }),
      code ? h('div', { class: 'qr', role: 'img', 'aria-label': t.qrCode }, code) : null,
      linkRow(t.forBrowsers, hosting.web_link, false),
      h('p', { class: 'quiet', text: t.browserWarns }),
      linkRow(t.forTheApp, hosting.link, true),
      hosting.addresses.length ? h('p', { class: 'quiet', text: t.addresses(hosting.addresses.join(', ')) }) : null,
      h('details', {}, h('summary', { text: t.fingerprint }), h('p', { class: 'mono', text: hosting.fingerprint })),
      h('div', { class: 'actions' }, h('button', { type: 'button', class: 'danger-text', text: t.stopHosting, onclick: () => attempt(backend.call('stop_hosting')) })),
    ].filter(part => part !== null));
  }
}
customElements.define('lr-hosting', HostingPanel);

/** @param {string} words @param {string} link @param {boolean} primary */
function linkRow(words, link, primary) {
  const name = id('link');
  return h('div', { class: 'field' }, h('span', { class: 'label', id: name, text: words }),
    h('div', { class: 'row link-row' }, h('output', { class: 'link', text: link, 'aria-labelledby': name }),
      h('button', { type: 'button', class: primary ? 'primary' : '', onclick: () => copyText(link, t.linkCopied), 'aria-label': `${t.copyLink}: ${words}` }, icon('copy'), t.copyLink)));
}

/** Copies an SVG element by element, so that it contains only shapes. @param {string} source an SVG document @returns {SVGElement | null} null if it is not SVG */
function safeSvg(source) {
  const root = new DOMParser().parseFromString(source, 'image/svg+xml').documentElement;
  return root.localName === 'svg' ? copy(root) : null;
}

/** @param {Element} from @returns {SVGElement} */
function copy(from) {
  const to = s(from.localName);
  for (const name of ATTRIBUTES) {
    const value = from.getAttribute(name);
    if (value !== null) to.setAttribute(name, value);
  }
  if (from.localName === 'svg' && !from.hasAttribute('viewBox')) to.setAttribute('viewBox', `0 0 ${parseFloat(from.getAttribute('width') ?? '') || 100} ${parseFloat(from.getAttribute('height') ?? '') || 100}`);
  to.append(...[...from.children].filter(child => SHAPES.includes(child.localName)).map(copy));
  return to;
}
