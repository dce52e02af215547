// Sanitizes names, labels and chat lines from others (PROTOCOL.md, Text that people see). The Rust client's
// `signaling::text` follows the same rules, and both run docs/protocol/text.json. This module does not use the DOM.

/** Maximum length of a name, in Unicode scalar values and in UTF-8 bytes. */
const MAX_NAME_CHARS = 64, MAX_NAME_BYTES = 192;
/** Further combining marks of a letter are removed. */
const MAX_MARKS = 4;
/** Maximum length of a chat line, in Unicode scalar values. */
const MAX_CHAT_CHARS = 4_000;

/** Directional formatting characters (UAX #9, table 4). */
const DIRECTIONAL = /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/u;
/** Embeddings and overrides, which reorder the following text. */
const OVERRIDES = /[\u202A-\u202E]/gu;
/** Characters without a glyph: fillers, soft hyphen, zero-width spaces, annotation marks. */
const FILLERS = /[\u00AD\u034F\u115F\u1160\u3164\uFFA0\u17B4\u17B5\u180B-\u180F\u200B\u2060-\u2065\u206A-\u206F\uFEFF\uFFF0-\uFFFB\u{1BCA0}-\u{1BCA3}\u{1D173}-\u{1D17A}]/u;
const REMOVED = new RegExp(`${DIRECTIONAL.source}|${FILLERS.source}`, 'gu');
const CONTROLS_BUT_SPACES = /(?!\p{White_Space})\p{Cc}/gu;
const MARK = /^\p{M}$/u;
const SPACE = /^\p{White_Space}$/u;
const SPACES = /\p{White_Space}+/gu;
const SPACES_AT_ENDS = /^\p{White_Space}+|\p{White_Space}+$/gu;
/** Also joiners, variation selectors, tags and the empty Braille pattern, which are visible only in combination, or never. */
const INVISIBLE = new RegExp(`^(?:\\p{White_Space}|\\p{Cc}|[\\u200C\\u200D\\u2800\\uFE00-\\uFE0F\\u{E0000}-\\u{E0FFF}]|${REMOVED.source})$`, 'u');

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
const utf8 = new TextEncoder();

/** Whether a character is visible. Joiners and selectors are not, because they are visible only in combination. @param {string} char one Unicode scalar value */
export const isVisible = char => !INVISIBLE.test(char);

/** @param {string} text */
const hasVisible = text => [...text].some(isVisible);

/**
 * Returns a name from another person for display: cleaned, and truncated between grapheme clusters to 64 characters and
 * 192 bytes.
 * @param {unknown} name
 * @returns {string} `?` if nothing visible is left, or the value is not a string
 */
export function shownName(name) {
  const shown = truncated(normalized(beginning(name, MAX_NAME_CHARS)), MAX_NAME_CHARS, MAX_NAME_BYTES);
  return hasVisible(shown) ? shown : '?';
}

/**
 * Returns a short text for display, such as a table's topic: cleaned like a name, and truncated.
 * @param {unknown} label may be empty
 * @param {number} max maximum length in Unicode scalar values, and in multiples of four bytes
 * @returns {string}
 */
export function shownLabel(label, max) {
  const shown = truncated(normalized(beginning(label, max)), max, 4 * max);
  return hasVisible(shown) ? shown : '';
}

/**
 * Returns a chat line for sending and display, without white space at the ends, control characters other than `\n` and
 * `\t`, and directional overrides.
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

/** Returns the beginning of a text without control characters: enough for `max` characters after cleaning. @param {unknown} text @param {number} max */
function beginning(text, max) {
  const start = typeof text === 'string' ? [...text.slice(0, 32 * max)].slice(0, 16 * max).join('') : '';
  return start.replace(CONTROLS_BUT_SPACES, '');
}

/** Normalizes to NFC, with few marks per letter and single spaces. @param {string} text */
const normalized = text => withFewMarks(text.replace(REMOVED, '').normalize('NFC')).replace(SPACES_AT_ENDS, '').replace(SPACES, ' ');

/** Removes the combining marks of a letter after the fourth. A joiner between marks does not begin a new letter. @param {string} text */
function withFewMarks(text) {
  let marks = 0;
  return [...text].filter(char => {
    if (MARK.test(char)) marks += 1;
    else if (isVisible(char) || SPACE.test(char)) marks = 0;
    return marks <= MAX_MARKS || !MARK.test(char);
  }).join('');
}

/** Truncates between grapheme clusters. A first cluster that is too long is truncated between characters. @param {string} text @param {number} chars @param {number} bytes */
function truncated(text, chars, bytes) {
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
