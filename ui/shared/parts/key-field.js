// A field for keys that work while another app is focused: the person presses them.

import { attribute, h, id, shown, text } from '../dom.js';
import { keyWords, keysOf } from '../keys.js';
import { icon } from '../icons.js';
import { t } from '../strings.js';

/**
 * @param {string} label @param {string} hint @param {(keys: string | null) => void} set
 * @returns {{ field: HTMLElement, show: (keys: string | null) => void }}
 */
export function keyField(label, hint, set) {
  const name = id('keys'), about = id('about');
  const button = h('button', { type: 'button', class: 'small keys', id: name, 'aria-describedby': about });
  const remove = h('button', { type: 'button', class: 'icon-only plain', 'aria-label': t.removeKeys(label) }, icon('trash'));
  const words = h('p', { class: 'quiet', id: about, role: 'status', text: hint });
  /** @type {string | null} */
  let current = null;
  let waits = false;
  const draw = () => {
    text(button, waits ? t.pressKeys : current ? keyWords(current) : t.chooseKeys);
    attribute(button, 'aria-label', `${label}: ${button.textContent}`);
    shown(remove, current !== null && !waits);
  };
  /** @param {boolean} on @param {string} [why] */
  const wait = (on, why = hint) => {
    waits = on;
    text(words, why);
    draw();
  };
  button.onclick = () => wait(!waits);
  button.onblur = () => { if (waits) wait(false); };
  button.addEventListener('keydown', event => {
    if (!waits || event.key === 'Tab') return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === 'Escape') return wait(false);
    const { keys, trouble } = keysOf(event);
    if (trouble) return wait(true, t.keyTroubles[trouble]);
    if (!keys) return; // only Ctrl so far
    wait(false);
    set(keys);
  });
  // A button acts on the release of the space bar.
  button.addEventListener('keyup', event => { if (event.key === ' ') event.preventDefault(); });
  remove.onclick = () => set(null);
  draw();
  return {
    field: h('div', { class: 'field' }, h('label', { for: name, text: label }), h('div', { class: 'row' }, button, remove), words),
    show: keys => {
      current = keys;
      draw();
    },
  };
}
