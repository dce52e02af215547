// A web address in the chat. A press first shows where it leads, because whoever wrote it may have chosen what it looks like.

import { backend } from '../backend.js';
import { h } from '../dom.js';
import { t } from '../strings.js';
import { partsOf } from '../web-links.js';
import { ask } from './dialog.js';
import { attempt } from './notices.js';

/** Makes the text of a line, with its addresses as links. @param {string} text @returns {(string | HTMLElement)[]} */
export const withLinks = text => partsOf(text).map(part => part.url ? webLink(part.text, part.url) : part.text);

/** @param {string} text @param {string} url */
function webLink(text, url) {
  return h('a', { href: url, rel: 'noopener noreferrer nofollow', target: '_blank', dir: 'ltr', text, onclick: (/** @type {Event} */ event) => {
    event.preventDefault();
    open(url);
  }, onauxclick: (/** @type {Event} */ event) => event.preventDefault() });
}

/** @param {string} url */
async function open(url) {
  const { host, protocol } = new URL(url);
  const words = [t.webLeadsTo(host), protocol === 'http:' ? t.webNotEncrypted : '', url].filter(Boolean).join('\n');
  if (await ask({ title: t.openWeb, words, yes: t.openWeb })) await attempt(backend.call('open_web', { url }));
}
