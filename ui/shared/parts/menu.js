// A button that opens a menu, with the keys of the ARIA menu pattern: arrows, Home, End, Escape.

import { h, id } from '../dom.js';
import { icon } from '../icons.js';

/** @typedef {import('../icons.js').IconName} IconName */
/** @typedef {{ words: string, icon?: IconName, checked?: boolean, danger?: boolean, run: () => void }} Item */

/**
 * Adds a menu to a button.
 * @param {HTMLButtonElement} button
 * @param {() => Item[]} items returns the entries; called each time the menu opens
 */
export function menu(button, items) {
  const name = id('menu');
  const list = h('div', { class: 'menu', id: name, role: 'menu', popover: 'auto' });
  button.setAttribute('aria-haspopup', 'menu');
  button.setAttribute('aria-expanded', 'false');
  button.after(list);
  button.addEventListener('click', () => list.matches(':popover-open') ? list.hidePopover() : open());
  button.addEventListener('keydown', event => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') { event.preventDefault(); open(); }
  });
  list.addEventListener('toggle', event => {
    const opened = /** @type {ToggleEvent} */ (event).newState === 'open';
    button.setAttribute('aria-expanded', String(opened));
  });
  list.addEventListener('keydown', event => move(event));

  function open() {
    list.replaceChildren(...items().map(item => entry(item)));
    list.showPopover();
    placeNextTo(button, list);
    entries()[0]?.focus();
  }

  const entries = () => /** @type {HTMLElement[]} */ ([...list.children]);

  /** @param {Item} item */
  function entry(item) {
    const check = item.checked === undefined ? {} : { 'aria-checked': String(item.checked) };
    return h('button', { type: 'button', role: item.checked === undefined ? 'menuitem' : 'menuitemcheckbox', tabindex: -1,
      class: item.danger ? 'danger-text' : '', ...check,
      onclick: () => { list.hidePopover(); button.focus(); item.run(); } },
    item.checked ? icon('check') : item.icon ? icon(item.icon) : h('span', { class: 'icon' }), h('span', { text: item.words }));
  }

  /** @param {KeyboardEvent} event */
  function move(event) {
    const all = entries(), here = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const to = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      all[(to + all.length) % all.length].focus();
    } else if (event.key === 'Escape' || event.key === 'Tab') {
      event.stopPropagation(); // Escape closes one thing at a time
      list.hidePopover();
      button.focus();
    }
  }
}

/** Moves a popover next to its button, inside the window. @param {HTMLElement} button @param {HTMLElement} list */
export function placeNextTo(button, list) {
  const at = button.getBoundingClientRect(), size = list.getBoundingClientRect();
  const below = at.bottom + 6 + size.height <= innerHeight;
  const left = Math.max(8, Math.min(at.right - size.width, innerWidth - size.width - 8));
  list.style.left = `${left}px`;
  list.style.top = `${below ? at.bottom + 6 : Math.max(8, at.top - size.height - 6)}px`;
}
