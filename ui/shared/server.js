// Addresses of servers as people write them.

/** @typedef {import('./model.d.ts').KnownServer} KnownServer */

/** Hosts that may be reached without encryption: this machine and private networks. */
const PRIVATE = /^(localhost|127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|\[?(::1|f[cd]|fe80))|\.local$/i;

/**
 * "lunch.example.org", "wss://host:8443" or "http://192.168.0.4:8080": a server, or null for what is none. Whether it may be
 * spoken to is decided elsewhere.
 * @param {string} typed
 * @returns {KnownServer | null}
 */
export function serverOf(typed) {
  const bare = typed.trim();
  if (!bare || /\s/.test(bare)) return null;
  const scheme = /^([a-z]+):\/\//i.exec(bare)?.[1]?.toLowerCase();
  const rest = scheme ? bare.slice(scheme.length + 3) : bare;
  if (scheme && !['ws', 'wss', 'http', 'https'].includes(scheme)) return null;
  const plain = scheme ? scheme === 'ws' || scheme === 'http' : PRIVATE.test(rest);
  try {
    const url = new URL(`${plain ? 'ws' : 'wss'}://${rest}`);
    if (!url.hostname) return null;
    return { url: `${url.protocol}//${url.host}`, fingerprint: null, name: url.host };
  } catch {
    return null;
  }
}

/** What people call an address. @param {string} url */
export function hostOf(url) {
  try {
    return new URL(url).host;
  } catch {
    return url;
  }
}

/** What is the same for one server however its address ends. @param {string} url */
export const originOf = url => url.replace(/\/+$/, '').toLowerCase();

/** A room's name of what somebody typed, in the letters links allow; empty if nothing is left. @param {string} typed */
export function roomOf(typed) {
  return typed.trim().toLowerCase().normalize('NFKD').replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 63);
}
