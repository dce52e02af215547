// The round table, Lunchroom's own glyph: a circle with its seats around it. Taken seats show initials, free ones are
// dashed and, where `take` is given, clickable; the button beside it says the same to everybody else.

import { s } from '../dom.js';
import { hue, initials } from '../avatar.js';

/** @typedef {{ id: string, name: string }} Seated */

/**
 * @param {{ seats: number, taken: Seated[], takenCount: number, mine?: string | null, take?: () => void, middle?: string }} table
 *   names are empty where the server tells only a count; `mine` is the id of one's own seat
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
  const seat = s('circle', { class: `seat taken${mine ? ' mine' : ''}${person?.name ? ` hue-${hue(person.id)}` : ''}`, ...at });
  if (!person?.name) return [seat];
  return [seat, s('text', { class: `initials hue-${hue(person.id)}`, x: at.cx, y: at.cy, text: initials(person.name) })];
}
