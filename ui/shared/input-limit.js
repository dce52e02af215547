// Limits the text of input fields, counted as the server counts it. The attribute `maxlength` counts UTF-16 units and
// truncates a syllable that an input method is composing.

/** @typedef {{ characters: number, bytes?: number }} Limit  characters: Unicode scalar values; bytes: in UTF-8 */

/** PROTOCOL.md, limits. @type {Record<'name' | 'label' | 'chat' | 'secret', Limit>} */
export const LIMITS = { name: { characters: 64, bytes: 192 }, label: { characters: 80 }, chat: { characters: 4000 }, secret: { characters: 256 } };

/** Truncates typed and pasted text to a limit. @param {HTMLInputElement | HTMLTextAreaElement} field @param {Limit} limit */
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
/** Longest grapheme cluster that is not split, in UTF-16 units. Segmenting takes superlinear time. */
const MAX_CLUSTER_UNITS = 64;

/**
 * Truncates the text that an edit inserted, so that the whole fits. Grapheme clusters stay whole.
 * @param {string} before @param {string} after @param {Limit} limit
 */
export function fit(before, after, limit) {
  if (fits(after, limit)) return after;
  const [start, end] = insertedRange(before, after);
  const head = after.slice(0, start), inserted = after.slice(start, end), tail = after.slice(end);
  let { characters, bytes } = measured(head + tail), cut = 0;
  for (const letter of inserted) {
    characters += 1;
    bytes += utf8.encode(letter).length;
    if (characters > limit.characters || bytes > (limit.bytes ?? Infinity)) break;
    cut += letter.length;
  }
  return head + inserted.slice(0, clusterStart(inserted, cut)) + tail;
}

/** Returns where the inserted text begins and ends in the text after an edit. @param {string} before @param {string} after @returns {[number, number]} */
function insertedRange(before, after) {
  const shorter = Math.min(before.length, after.length);
  let head = 0, tail = 0;
  while (head < shorter && before[head] === after[head]) head++;
  if (isInsideSurrogatePair(after, head)) head--;
  while (tail < shorter - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
  if (isInsideSurrogatePair(after, after.length - tail)) tail--;
  return [head, after.length - tail];
}

/** Whether an index is between the two halves of a surrogate pair. @param {string} text @param {number} at */
const isInsideSurrogatePair = (text, at) => /^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(at - 1, at + 1));

/** Returns the last start of a grapheme cluster up to `at`. @param {string} text @param {number} at */
function clusterStart(text, at) {
  const from = Math.max(0, at - MAX_CLUSTER_UNITS), near = text.slice(from, at + MAX_CLUSTER_UNITS);
  return from + (graphemes.segment(near).containing(at - from)?.index ?? near.length);
}

/** @param {string} text */
const measured = text => ({ characters: [...text].length, bytes: utf8.encode(text).length });

/** @param {string} text @param {Limit} limit */
function fits(text, limit) {
  const { characters, bytes } = measured(text);
  return characters <= limit.characters && bytes <= (limit.bytes ?? Infinity);
}
