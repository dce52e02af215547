// What the page's address says: read by the server, which put it into the page, so that there is one reader of it.

/**
 * @typedef {{ room: string, server: string, invite: string | null, link: string | null, trouble: string | null }} Invitation
 *   trouble: why it lets nobody in, as far as is known; a code
 */

/** @returns {Invitation} */
export function invitation() {
  const { protocol, host, hash } = location;
  const server = `${protocol === 'https:' ? 'wss' : 'ws'}://${host}`;
  const trouble = hidesParameter(hash) ? 'link_parameter' : null;
  return { room: meta('lunchroom-room') ?? '', server, invite: meta('lunchroom-invite'), link: meta('lunchroom-link'), trouble };
}

/**
 * Whether something stands behind the # that belongs before it: a browser does not send that part, so the server could not
 * refuse it.
 * @param {string} hash
 */
export function hidesParameter(hash) {
  let plain = hash;
  for (let before = ''; before !== plain;) {
    before = plain;
    plain = plain.replace(/%([0-7][0-9a-f])/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  }
  const words = plain.normalize('NFKC').replace(/[\s\p{C}]/gu, '').toLowerCase();
  return /(^|[^a-z0-9])(server|fp|invite)=/.test(words) || /(^|[^\w-])([0-9a-f]{64}|[\w-]{43})($|[^\w-])/.test(words);
}

/** What the server put in; null if it did not, or nothing. @param {string} name */
function meta(name) {
  const content = /** @type {HTMLMetaElement | null} */ (document.querySelector(`meta[name="${name}"]`))?.content ?? '';
  return content && !content.startsWith('{{') ? content : null;
}
