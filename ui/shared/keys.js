// Keys that work while another app is focused, as the settings store them: modifiers and a code of UI Events'
// KeyboardEvent, such as `Ctrl+Shift+KeyM`. The place of a key counts, not its letter, so that they work with any input
// method. This module does not use the DOM.

/** @typedef {'Ctrl' | 'Alt' | 'Shift' | 'Super'} Modifier */
/** @typedef {{ code: string, key: string, ctrlKey: boolean, altKey: boolean, shiftKey: boolean, metaKey: boolean }} Press */

/** Codes of keys that a system can report, beside F1 to F24. */
const CODES = /^(Key[A-Z]|Digit[0-9]|Numpad[0-9]|Arrow(Up|Down|Left|Right)|Space|Minus|Equal|Backquote|Bracket(Left|Right)|Backslash|Semicolon|Quote|Comma|Period|Slash|Insert|Delete|Home|End|Page(Up|Down))$/;
/** Keys that nobody types with, which need no modifier. */
const ALONE = /^F([1-9]|1[0-9]|2[0-4])$/;
const MODIFIER_KEYS = ['Control', 'Alt', 'Shift', 'Meta', 'AltGraph', 'OS', 'Super', 'Hyper'];

/**
 * The keys of a press. Neither `keys` nor `trouble`: only modifiers are pressed yet.
 * @param {Press} press
 * @returns {{ keys?: string, trouble?: 'needsModifier' | 'unknown' }}
 */
export function keysOf({ code, key, ctrlKey, altKey, shiftKey, metaKey }) {
  if (MODIFIER_KEYS.includes(key)) return {};
  if (!CODES.test(code) && !ALONE.test(code)) return { trouble: 'unknown' };
  // Shift alone types capital letters.
  if (!ctrlKey && !altKey && !metaKey && !ALONE.test(code)) return { trouble: 'needsModifier' };
  const modifiers = [ctrlKey && 'Ctrl', altKey && 'Alt', shiftKey && 'Shift', metaKey && 'Super'].filter(Boolean);
  return { keys: [...modifiers, code].join('+') };
}

/** How keys are shown: `Ctrl + Shift + M`. @param {string} keys */
export const keyWords = keys => keys.split('+').map(part => part.replace(/^(Key|Digit|Arrow)(?=.)/, '').replace(/^Numpad/, 'Num ')).join(' + ');
