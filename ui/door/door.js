// What the server says about the door, in the page's meta elements.

/**
 * @typedef {object} Door
 * @property {string} server `ws:` or `wss:` address
 * @property {boolean} needsSecret whether members have to know the community's secret
 * @property {string | null} link a `lunchroom:` link to any room of this server; null: the app would reject it
 * @property {string | null} trouble the code of why the person has to sign in again, or could not; null: no reason is known
 */

/** @returns {Door} */
export function door() {
  const { protocol, host } = location;
  const server = `${protocol === 'https:' ? 'wss' : 'ws'}://${host}`;
  return { server, needsSecret: meta('lunchroom-members') === 'secret', link: meta('lunchroom-link') || null, trouble: null };
}

/**
 * The link that opens a room in the app.
 * @param {string} link a link to any room @param {string} room @param {string | null} [invite]
 */
export const linkTo = (link, room, invite) => link.replace(/(\/\/join\/)[^?]*/, `$1${room}`) + (invite ? `&invite=${invite}` : '');

/** @param {string} name */
const meta = name => /** @type {HTMLMetaElement | null} */ (document.querySelector(`meta[name="${name}"]`))?.content ?? '';
