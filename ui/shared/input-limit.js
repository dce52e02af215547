// The longest text that a field takes, counted as the server counts it. The attribute `maxlength` counts UTF-16 units, and
// cuts a syllable that an input method is still composing.

/** @typedef {{ characters: number, bytes?: number }} Limit  characters: code points; bytes: of UTF-8 */

/** PROTOCOL.md, limits. @type {Record<'name' | 'label' | 'chat' | 'secret', Limit>} */
export const LIMITS = { name: { characters: 64, bytes: 192 }, label: { characters: 80 }, chat: { characters: 4000 }, secret: { characters: 256 } };

/** Keeps what is typed and pasted into a field within a limit. @param {HTMLInputElement | HTMLTextAreaElement} field @param {Limit} limit */
export function limitInput(field, limit) {
  let before = '', isComposing = false;
  const remember = () => { if (!isComposing) before = field.value; };
  const cut = () => {
    const after = field.value, kept = fit(before, after, limit);
    if (kept === after) return;
    const caret = (field.selectionStart ?? after.length) - (after.length - kept.length);
    field.value = kept;
    field.setSelectionRange(caret, caret);
    field.dispatchEvent(new Event('input', { bubbles: true }));
  };
  field.addEventListener('beforeinput', remember);
  field.addEventListener('compositionstart', () => {
    remember();
    isComposing = true;
  });
  field.addEventListener('compositionend', () => {
    isComposing = false;
    cut();
  });
  field.addEventListener('input', () => { if (!isComposing) cut(); });
}

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
const utf8 = new TextEncoder();
/** Longest letter that is kept whole, in UTF-16 units. Segmenting takes time that grows faster than the text. */
const LONGEST_LETTER = 64;

/**
 * The text after an edit, without as much of the end of what the edit put in as is too much. Letters stay whole.
 * @param {string} before @param {string} after @param {Limit} limit
 */
export function fit(before, after, limit) {
  if (fits(after, limit)) return after;
  const [start, end] = edited(before, after);
  const head = after.slice(0, start), put = after.slice(start, end), tail = after.slice(end);
  let { characters, bytes } = measured(head + tail), cut = 0;
  for (const letter of put) {
    characters += 1;
    bytes += utf8.encode(letter).length;
    if (characters > limit.characters || bytes > (limit.bytes ?? Infinity)) break;
    cut += letter.length;
  }
  return head + put.slice(0, letterStart(put, cut)) + tail;
}

/** Where what an edit put in begins and ends in the text after it. @param {string} before @param {string} after @returns {[number, number]} */
function edited(before, after) {
  const shorter = Math.min(before.length, after.length);
  let head = 0, tail = 0;
  while (head < shorter && before[head] === after[head]) head++;
  if (isHalf(after, head)) head--;
  while (tail < shorter - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
  if (isHalf(after, after.length - tail)) tail--;
  return [head, after.length - tail];
}

/** Whether a place is between the two halves of a surrogate pair. @param {string} text @param {number} at */
const isHalf = (text, at) => /^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(at - 1, at + 1));

/** The last place up to `at` where a letter begins. @param {string} text @param {number} at */
function letterStart(text, at) {
  const from = Math.max(0, at - LONGEST_LETTER), near = text.slice(from, at + LONGEST_LETTER);
  return from + (graphemes.segment(near).containing(at - from)?.index ?? near.length);
}

/** @param {string} text */
const measured = text => ({ characters: [...text].length, bytes: utf8.encode(text).length });

/** @param {string} text @param {Limit} limit */
function fits(text, limit) {
  const { characters, bytes } = measured(text);
  return characters <= limit.characters && bytes <= (limit.bytes ?? Infinity);
}
