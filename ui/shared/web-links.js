// Finds web addresses in a line of chat. This module does not use the DOM.

/** @typedef {{ text: string, url: string | null }} Part  `url`: null for text that is no address */

/** Longest address that becomes a link, in UTF-16 units. */
const MAX_LENGTH = 2000;
/** White space, control and directional characters, quotation marks and brackets of markup end an address. */
const ADDRESS = /https?:\/\/[^\s\p{Cc}\p{Cf}<>"“”‘’「」『』]+/giu;
const PUNCTUATION_AT_END = /[.,;:!?…'*_~)\]}。、，）]$/u;
const PAIRS = /** @type {Record<string, string>} */ ({ ')': '(', ']': '[', '}': '{', '）': '（' });

/** Divides a text into addresses and what is between them. @param {string} text @returns {Part[]} */
export function partsOf(text) {
  /** @type {Part[]} */
  const parts = [];
  let end = 0;
  for (const found of text.matchAll(ADDRESS)) {
    const address = withoutPunctuation(found[0]), url = webAddress(address);
    if (!url) continue;
    if (found.index > end) parts.push({ text: text.slice(end, found.index), url: null });
    parts.push({ text: address, url });
    end = found.index + address.length;
  }
  if (end < text.length) parts.push({ text: text.slice(end), url: null });
  return parts;
}

/**
 * Returns an address in its normal form, in which a host name of other scripts is ASCII, so that nothing looks like
 * another host. Null if it is no web address, or has a user name, which looks like a host.
 * @param {string} typed
 */
export function webAddress(typed) {
  if (typed.length > MAX_LENGTH) return null;
  try {
    const url = new URL(typed);
    const isWeb = url.protocol === 'https:' || url.protocol === 'http:';
    return isWeb && url.hostname && !url.username && !url.password ? url.href : null;
  } catch {
    return null;
  }
}

/** A sentence may end after an address, and an address may be in brackets. A bracket that it opens itself belongs to it. @param {string} address */
function withoutPunctuation(address) {
  let end = address.length;
  for (let last = ''; end > 0 && PUNCTUATION_AT_END.test(address.slice(0, end)); end--) {
    last = address[end - 1];
    const opening = PAIRS[last], kept = address.slice(0, end);
    if (opening && kept.split(opening).length >= kept.split(last).length) break;
  }
  return address.slice(0, end);
}
