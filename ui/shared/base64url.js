// Base64url without padding (RFC 4648 section 5). This module does not use the DOM.

/** Bytes that are turned into text at once: a call has a limited number of arguments. */
const PIECE = 8192;

/** @param {ArrayBuffer | Uint8Array} bytes */
export function toBase64Url(bytes) {
  const all = new Uint8Array(bytes);
  let text = '';
  for (let at = 0; at < all.length; at += PIECE) text += String.fromCharCode(...all.subarray(at, at + PIECE));
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** @param {string} text */
export const fromBase64Url = text => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), c => c.charCodeAt(0));
