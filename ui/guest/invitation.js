// What the page's address says, and what the server put into the page.

/**
 * @typedef {{ room: string, server: string, invite: string | null, link: string | null, trouble: string | null }} Invitation
 *   trouble: why it lets nobody in, as far as the server has said; a code
 */

/** @returns {Invitation} */
export function invitation() {
  const { protocol, host, pathname, search } = location;
  const server = `${protocol === 'https:' ? 'wss' : 'ws'}://${host}`;
  const room = meta('lunchroom-room') ?? decodeURIComponent(/\/r\/([^/]+)/.exec(pathname)?.[1] ?? '');
  return { room, server, invite: new URLSearchParams(search).get('invite'), link: meta('lunchroom-link'), trouble: null };
}

/** What the server put in; null if it did not, or nothing. @param {string} name */
function meta(name) {
  const content = /** @type {HTMLMetaElement | null} */ (document.querySelector(`meta[name="${name}"]`))?.content ?? '';
  return content && !content.startsWith('{{') ? content : null;
}
