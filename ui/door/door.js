// What the server says about the door, in the page's meta elements.

/**
 * @typedef {object} Door
 * @property {string} server `ws:` or `wss:` address
 * @property {boolean} needsSecret whether members can prove the community's secret, and have to if there are no accounts
 * @property {boolean} hasAccounts whether people can sign in with an account
 * @property {boolean} returned whether the person has just signed in with an account
 * @property {string | null} link a `lunchroom:` link to any room of this server; null: the app would reject it
 * @property {string | null} trouble the code of why the person has to sign in again, or could not; null: no reason is known
 */

/** Why somebody comes back from the issuer without an account. Others have no meaning: anybody can write an address. */
const TROUBLES = ['sign_in_expired', 'sign_in_denied', 'issuer_unreachable', 'issuer_wrong', 'account_refused', 'sign_in_busy'];

/** @returns {Door} */
export function door() {
  const { protocol, host } = location;
  const server = `${protocol === 'https:' ? 'wss' : 'ws'}://${host}`;
  const ways = meta('lunchroom-members').split(' '), query = new URLSearchParams(location.search), reason = query.get('sign-in') ?? '';
  const returned = query.has('signed-in'), trouble = TROUBLES.includes(reason) ? reason : null;
  // A reload says neither again.
  if (returned || query.has('sign-in')) history.replaceState(null, '', location.pathname);
  return { server, needsSecret: ways.includes('secret'), hasAccounts: ways.includes('account'), returned, link: meta('lunchroom-link') || null, trouble };
}

/**
 * The link that opens a room in the app.
 * @param {string} link a link to any room @param {string} room @param {string | null} [invite]
 */
export const linkTo = (link, room, invite) => link.replace(/(\/\/join\/)[^?]*/, `$1${room}`) + (invite ? `&invite=${invite}` : '');

/** @param {string} name */
const meta = name => /** @type {HTMLMetaElement | null} */ (document.querySelector(`meta[name="${name}"]`))?.content ?? '';
