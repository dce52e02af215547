// A button that opens a small window with emoji to choose from. One of them takes part in the order of the Tab key; the
// arrow keys move between them, as in a toolbar.

import { h, id } from '../dom.js';
import { placeNextTo } from './menu.js';

/** @typedef {{ text: string } | { name: string, art: () => Node }} Entry a character, whose name a screen reader knows, or a drawing with a name */
/** @typedef {{ title: string, emoji: Entry[] }} Group */

/**
 * Adds the window to a button.
 * @param {HTMLButtonElement} button
 * @param {{ label: string, class?: string, groups: () => Group[], choose: (at: number, text: string) => void, closed?: () => void }} options
 *   `choose` is called with the place of an entry in all groups, and its character; `closed` after the window is closed
 */
export function emojiButtons(button, { label, class: name = '', groups, choose, closed = () => button.focus() }) {
  const panel = h('div', { class: `emoji-panel ${name}`, id: id('emoji'), popover: 'auto', role: 'dialog', 'aria-label': label });
  button.setAttribute('aria-haspopup', 'dialog');
  button.setAttribute('aria-expanded', 'false');
  button.after(panel);
  const all = () => /** @type {HTMLElement[]} */ ([...panel.querySelectorAll('button')]);
  const open = () => {
    let at = 0;
    panel.replaceChildren(...groups().map(({ title, emoji }) => group(title, emoji.map(one => entry(one, at++)))));
    panel.showPopover();
    placeNextTo(button, panel);
    select(all(), 0);
  };
  button.addEventListener('click', () => panel.matches(':popover-open') ? panel.hidePopover() : open());
  panel.addEventListener('toggle', event => button.setAttribute('aria-expanded', String(/** @type {ToggleEvent} */ (event).newState === 'open')));
  panel.addEventListener('keydown', event => {
    if (event.key === 'Escape' || event.key === 'Tab') {
      event.preventDefault();
      event.stopPropagation(); // Escape closes one thing at a time
      panel.hidePopover();
      return closed();
    }
    const buttons = all(), to = target(buttons, event.key);
    if (to === null) return;
    event.preventDefault();
    select(buttons, to);
  });

  /** @param {Entry} emoji @param {number} at */
  function entry(emoji, at) {
    const text = 'text' in emoji ? emoji.text : '', name = 'name' in emoji ? emoji.name : null;
    return h('button', { type: 'button', class: 'emoji plain', tabindex: -1, 'aria-label': name, title: name,
      onclick: () => { panel.hidePopover(); closed(); choose(at, text); } }, 'art' in emoji ? emoji.art() : text);
  }
}

/** @param {string} title @param {HTMLElement[]} buttons */
function group(title, buttons) {
  const heading = title ? h('h3', { id: id('emoji-group'), text: title }) : null;
  return h('div', { role: 'group', 'aria-labelledby': heading?.id ?? null }, heading, h('div', { class: 'emoji-grid' }, ...buttons));
}

/** @param {HTMLElement[]} buttons @param {number} at */
function select(buttons, at) {
  buttons.forEach((one, n) => { one.tabIndex = n === at ? 0 : -1; });
  buttons[at]?.focus();
}

/** Where a key leads, by what is seen; null: nowhere. @param {HTMLElement[]} buttons @param {string} key */
function target(buttons, key) {
  const here = buttons.findIndex(one => one === document.activeElement);
  if (here < 0) return null;
  switch (key) {
    case 'ArrowRight': return (here + 1) % buttons.length;
    case 'ArrowLeft': return (here + buttons.length - 1) % buttons.length;
    case 'Home': return 0;
    case 'End': return buttons.length - 1;
    case 'ArrowDown': return inNextRow(buttons, here, 1);
    case 'ArrowUp': return inNextRow(buttons, here, -1);
    default: return null;
  }
}

/** The nearest button in the next row below or above. @param {HTMLElement[]} buttons @param {number} here @param {1 | -1} way */
function inNextRow(buttons, here, way) {
  const places = buttons.map(one => one.getBoundingClientRect()), from = places[here];
  const beyond = places.flatMap((place, n) => (place.top - from.top) * way > 1 ? [n] : []);
  if (!beyond.length) return null;
  const top = way * Math.min(...beyond.map(n => places[n].top * way));
  return beyond.filter(n => Math.abs(places[n].top - top) < 1).reduce((best, n) => Math.abs(places[n].left - from.left) < Math.abs(places[best].left - from.left) ? n : best);
}
