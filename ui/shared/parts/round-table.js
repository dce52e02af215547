// The round table: a circle with its seats around it. Taken seats show initials. Free seats are dashed and, with `take`,
// clickable. A button next to the drawing does the same for keyboards and screen readers.

import { s } from '../dom.js';
import { colorOf, photoOf, signOf } from '../avatar.js';

/** @typedef {{ id: string, name: string, avatar?: import('../avatar.js').Look }} Seated */

/**
 * @param {{ seats: number, taken: Seated[], takenCount: number, mine?: string | null, take?: () => void, middle?: string }} table
 *   `taken` may have empty names, or be shorter than `takenCount`, for guests; `mine` is the own person id; `take` is called for a press on a free seat
 */
export function roundTable({ seats, taken, takenCount, mine = null, take, middle }) {
  const small = seats > 8;
  const radius = small ? 8.5 : 11.5, orbit = small ? 38 : 36, table = small ? 25 : 21.5;
  const glyph = s('svg', { class: 'round-table', viewBox: '0 0 96 96', 'aria-hidden': 'true', focusable: 'false' });
  glyph.append(s('circle', { class: 'board', cx: 48, cy: 48, r: table }));
  if (middle) glyph.append(s('text', { class: 'middle', x: 48, y: 48, text: middle }));
  for (let n = 0; n < seats; n++) {
    const angle = 2 * Math.PI * n / seats - Math.PI / 2;
    const at = { cx: (48 + orbit * Math.cos(angle)).toFixed(2), cy: (48 + orbit * Math.sin(angle)).toFixed(2), r: radius };
    const person = taken[n];
    if (n < takenCount) glyph.append(...sitting(person, at, person !== undefined && person.id === mine));
    else glyph.append(s('circle', { class: take ? 'seat free clickable' : 'seat free', ...at, ...(take ? { onclick: take } : {}) }));
  }
  return glyph;
}

/** @param {Seated | undefined} person @param {{ cx: string, cy: string, r: number }} at @param {boolean} mine */
function sitting(person, at, mine) {
  const color = person?.name ? ` hue-${colorOf(person.id, person.avatar)}` : '';
  const seat = s('circle', { class: `seat taken${mine ? ' mine' : ''}${color}`, ...at });
  if (!person?.name) return [seat];
  const sign = s('text', { class: `initials${color}`, x: at.cx, y: at.cy, text: signOf(person.name, person.avatar) });
  photoOf(person.avatar)?.then(href => sign.replaceWith(face(href, at)), () => {}); // the sign stays
  return [seat, sign];
}

/** The photo of somebody, within the border of the seat. @param {string} href @param {{ cx: string, cy: string, r: number }} at */
const face = (href, { cx, cy, r }) => s('image', { class: 'photo', href, x: Number(cx) - r + 1, y: Number(cy) - r + 1, width: 2 * r - 2, height: 2 * r - 2 });
