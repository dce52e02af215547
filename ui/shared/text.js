// Text that people see (PROTOCOL.md): makes names, labels and lines of chat from others fit to show. The Rust client's
// `signaling::text` follows the same rules; both run docs/protocol/text.json. No DOM.

/** Longest name, in Unicode scalar values and in UTF-8 bytes. */
const MAX_NAME_CHARS = 64, MAX_NAME_BYTES = 192;
/** Combining marks that one letter keeps. */
const MAX_MARKS = 4;
/** Longest line of chat, in Unicode scalar values. */
const MAX_CHAT_CHARS = 4_000;

/** Directional controls of UAX #9, table 4. */
const DIRECTIONAL = /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/u;
/** Embeddings and overrides: they reorder the text after them. */
const OVERRIDES = /[\u202A-\u202E]/gu;
/** Characters without a shape of their own: fillers, soft hyphen, zero-width spaces, annotation marks. */
const FILLERS = /[\u00AD\u034F\u115F\u1160\u3164\uFFA0\u17B4\u17B5\u180B-\u180F\u200B\u2060-\u2065\u206A-\u206F\uFEFF\uFFF0-\uFFFB\u{1BCA0}-\u{1BCA3}\u{1D173}-\u{1D17A}]/u;
const REMOVED = new RegExp(`${DIRECTIONAL.source}|${FILLERS.source}`, 'gu');
const CONTROLS_BUT_SPACES = /(?!\p{White_Space})\p{Cc}/gu;
const MARK = /^\p{M}$/u;
const SPACE = /^\p{White_Space}$/u;
const SPACES = /\p{White_Space}+/gu;
const SPACES_AT_ENDS = /^\p{White_Space}+|\p{White_Space}+$/gu;
/** Joiners, variation selectors, tags and the empty Braille pattern: visible only together with others, or never. */
const UNSEEN = new RegExp(`^(?:\\p{White_Space}|\\p{Cc}|[\\u200C\\u200D\\u2800\\uFE00-\\uFE0F\\u{E0000}-\\u{E0FFF}]|${REMOVED.source})$`, 'u');

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
const utf8 = new TextEncoder();

/** Whether a reader sees anything of it. Joiners and selectors show only together with others. @param {string} char one Unicode scalar value */
export const isVisible = char => !UNSEEN.test(char);

/** @param {string} text */
const hasVisible = text => [...text].some(isVisible);

/**
 * A name from somebody else, fit to show whatever it was: cleaned, cut between grapheme clusters to 64 characters and
 * 192 bytes, `?` when nothing visible is left.
 * @param {unknown} name
 * @returns {string}
 */
export function shownName(name) {
  const shown = cut(collapsed(started(name, MAX_NAME_CHARS)), MAX_NAME_CHARS, MAX_NAME_BYTES);
  return hasVisible(shown) ? shown : '?';
}

/**
 * A short text that may be empty, such as a table's topic: cleaned like a name and cut.
 * @param {unknown} label
 * @param {number} most Unicode scalar values; four times as many bytes
 * @returns {string}
 */
export function shownLabel(label, most) {
  const shown = cut(collapsed(started(label, most)), most, 4 * most);
  return hasVisible(shown) ? shown : '';
}

/**
 * A line of chat as it is sent and shown: `\n` and `\t` stay, other control characters and directional overrides are
 * removed, white space at both ends too.
 * @param {string} text
 * @returns {string}
 * @throws {Error & { code: 'chat_empty' | 'chat_too_long' }} nothing visible is left; more than 4,000 characters
 */
export function cleanChat(text) {
  const clean = text.replace(/(?![\n\t])\p{Cc}/gu, '').replace(OVERRIDES, '').replace(SPACES_AT_ENDS, '');
  if (!hasVisible(clean)) throw refusal('chat_empty');
  if ([...clean].length > MAX_CHAT_CHARS) throw refusal('chat_too_long');
  return clean;
}

/** @param {string} code */
const refusal = code => Object.assign(new Error(code), { code });

/** The beginning of a text, long enough for what is cut from it, without control characters. @param {unknown} text @param {number} most */
function started(text, most) {
  const start = typeof text === 'string' ? [...text.slice(0, 32 * most)].slice(0, 16 * most).join('') : '';
  return start.replace(CONTROLS_BUT_SPACES, '');
}

/** In NFC, with few marks a letter, every run of white space one space. @param {string} text */
const collapsed = text => thinned(text.replace(REMOVED, '').normalize('NFC')).replace(SPACES_AT_ENDS, '').replace(SPACES, ' ');

/** Without the marks of a letter beyond the fourth. A joiner between marks begins no new letter. @param {string} text */
function thinned(text) {
  let marks = 0;
  return [...text].filter(char => {
    if (MARK.test(char)) marks += 1;
    else if (isVisible(char) || SPACE.test(char)) marks = 0;
    return marks <= MAX_MARKS || !MARK.test(char);
  }).join('');
}

/** As many whole grapheme clusters as fit; of a first one that alone is too long, as many characters as fit. @param {string} text @param {number} chars @param {number} bytes */
function cut(text, chars, bytes) {
  const whole = fitting(Array.from(graphemes.segment(text), part => part.segment), chars, bytes);
  return (whole || fitting([...text], chars, bytes)).replace(SPACES_AT_ENDS, '');
}

/** @param {string[]} parts @param {number} chars @param {number} bytes */
function fitting(parts, chars, bytes) {
  let taken = '';
  for (const part of parts) {
    chars -= [...part].length;
    bytes -= utf8.encode(part).length;
    if (chars < 0 || bytes < 0) break;
    taken += part;
  }
  return taken;
}
