// Parses addresses of servers and names of rooms as people type them. The Rust client's `signaling::host` and
// `signaling::link` follow the same rules, and both run docs/protocol/addresses.json and docs/protocol/rooms.json. This
// module does not use the DOM.

/** @typedef {import('./model.d.ts').KnownServer} KnownServer */

/**
 * Parses an address such as "lunch.example.org", "wss://host:8443" or "http://192.168.0.4:8080". Without a scheme, TLS is
 * used unless the host is private. Rust decides whether to reject a public server without TLS.
 * @param {string} typed
 * @returns {KnownServer | null} null if the text is not an address
 */
export function serverOf(typed) {
  const bare = typed.trim();
  if (!bare || /\s/.test(bare)) return null;
  const scheme = /^([a-z]+):\/\//i.exec(bare)?.[1]?.toLowerCase();
  const rest = bracketed(scheme ? bare.slice(scheme.length + 3) : bare);
  if (scheme && !['ws', 'wss', 'http', 'https'].includes(scheme)) return null;
  const plain = scheme ? scheme === 'ws' || scheme === 'http' : isPrivate(parsed(`wss://${rest}`)?.hostname ?? '');
  const url = parsed(`${plain ? 'ws' : 'wss'}://${rest}`);
  return url && isBare(url) ? { url: `${url.protocol}//${url.host}`, fingerprint: null, name: url.host } : null;
}

/** Whether a URL has a scheme, a host and a port, and nothing else. @param {URL} url */
function isBare(url) {
  const plain = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)$/.test(url.hostname);
  return plain && url.port !== '0' && url.href === `${url.protocol}//${url.host}/`;
}

/**
 * Whether a host is on this machine or in a private network, where TLS is optional (PROTOCOL.md, Links).
 * @param {string} host as in `URL.hostname`: lower case, IDNA, an IPv6 address in brackets
 */
export function isPrivate(host) {
  if (host.startsWith('[')) {
    const groups = groupsOf(host.slice(1, -1));
    const mapped = groups.slice(0, 5).every(group => group === 0) && groups[5] === 0xffff;
    if (mapped) return isPrivateV4(groups.slice(6).flatMap(group => [group >> 8, group & 0xff]));
    const loopback = groups.slice(0, 7).every(group => group === 0) && groups[7] === 1;
    return loopback || (groups[0] & 0xfe00) === 0xfc00 || (groups[0] & 0xffc0) === 0xfe80;
  }
  if (/^\d+(\.\d+){3}$/.test(host)) return isPrivateV4(host.split('.').map(Number));
  return /(^|\.)localhost\.?$|\.local\.?$/.test(host);
}

/** @param {number[]} bytes */
function isPrivateV4([a, b]) {
  return a === 127 || a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168) || (a === 169 && b === 254);
}

/** Returns the eight groups of an IPv6 address that `URL` has normalized. @param {string} text */
function groupsOf(text) {
  const [before, after] = text.split('::').map(half => half.split(':').filter(Boolean).map(group => parseInt(group, 16)));
  return after ? [...before, ...Array(8 - before.length - after.length).fill(0), ...after] : before;
}

/** Adds the brackets that a URL needs to a bare IPv6 address. @param {string} text */
const bracketed = text => (/^[0-9a-f.]*(:[0-9a-f.]*){2,}$/i.test(text) ? `[${text}]` : text);

/** @param {string} text */
function parsed(text) {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

/** Returns the host and port of an address, for display. @param {string} url */
export const hostOf = url => parsed(url)?.host ?? url;

/** Normalizes an address, so that equal servers compare equal, as `origin` in the Rust core. @param {string} text */
export function originOf(text) {
  const url = parsed(text), port = url?.port ? `:${url.port}` : '';
  return url?.hostname ? `${url.protocol}//${url.hostname.replace(/\.$/, '')}${port}` : text;
}

/** Converts typed text to a valid room name; empty if no valid character is left. @param {string} typed */
export function roomOf(typed) {
  const letters = typed.normalize('NFKD').replace(/\p{M}+/gu, '').toLowerCase();
  return letters.replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 63);
}
