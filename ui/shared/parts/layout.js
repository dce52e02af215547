// Computes the position of each tile in a call. This module is pure. Sizes are in CSS pixels.

/** @typedef {{ left: number, top: number, width: number, height: number }} Rect */

const ASPECT_RATIO = 16 / 9;
const GAP = 8;
/** Width of the own tile beside a single other one: share of the total width, and its bounds. */
const OWN_SHARE = 0.2, OWN_MIN = 112, OWN_MAX = 260;
/** Height of the strip of tiles below or beside the main tile: share of the total height, and its bounds. */
const STRIP_SHARE = 0.22, STRIP_MIN = 72, STRIP_MAX = 180;
/** Minimum width of a tile in the grid, which otherwise scrolls. */
const MIN_WIDTH = 140;

/**
 * Equal tiles, as large as possible.
 * @param {number} count @param {number} width @param {number} height @returns {Rect[]}
 */
export function grid(count, width, height) {
  if (!count) return [];
  let best = { columns: 1, tile: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const tile = Math.min((width - GAP * (columns - 1)) / columns, (height - GAP * (rows - 1)) / rows * ASPECT_RATIO);
    if (tile > best.tile) best = { columns, tile };
  }
  if (best.tile < MIN_WIDTH) {
    const columns = Math.max(1, Math.floor((width + GAP) / (MIN_WIDTH + GAP)));
    best = { columns, tile: (width - GAP * (columns - 1)) / columns };
  }
  const { columns, tile } = best, rows = Math.ceil(count / columns), high = tile / ASPECT_RATIO;
  const top = Math.max(0, (height - rows * high - GAP * (rows - 1)) / 2);
  return Array.from({ length: count }, (_, n) => {
    const row = Math.floor(n / columns), inRow = row === rows - 1 ? count - row * columns : columns;
    const left = (width - inRow * tile - GAP * (inRow - 1)) / 2;
    return round({ left: left + (n - row * columns) * (tile + GAP), top: top + row * (high + GAP), width: tile, height: high });
  });
}

/**
 * Two tiles: the other participant's fills the area, and the own one is in the corner. Returns them in this order.
 * @param {number} width @param {number} height @returns {Rect[]}
 */
export function pair(width, height) {
  const own = Math.max(OWN_MIN, Math.min(OWN_MAX, width * OWN_SHARE)), high = own / ASPECT_RATIO;
  return [{ left: 0, top: 0, width, height }, { left: width - own - 2 * GAP, top: height - high - 2 * GAP, width: own, height: high }].map(round);
}

/**
 * A large first tile, and the others as a strip below it, or beside it in a wide area.
 * @param {number} count @param {number} width @param {number} height @returns {Rect[]}
 */
export function stage(count, width, height) {
  if (count < 2) return grid(count, width, height);
  const strip = Math.max(STRIP_MIN, Math.min(STRIP_MAX, height * STRIP_SHARE)), face = strip * ASPECT_RATIO, others = count - 1;
  const beside = width / height > 2;
  if (beside) {
    const high = Math.min(strip, (height - GAP * (others - 1)) / others), wide = high * ASPECT_RATIO;
    const top = (height - others * high - GAP * (others - 1)) / 2;
    return [{ left: 0, top: 0, width: width - wide - GAP, height }, ...row(others, n => ({ left: width - wide, top: top + n * (high + GAP), width: wide, height: high }))].map(round);
  }
  const wide = Math.min(face, (width - GAP * (others - 1)) / others), high = wide / ASPECT_RATIO;
  const left = (width - others * wide - GAP * (others - 1)) / 2;
  return [{ left: 0, top: 0, width, height: height - high - GAP }, ...row(others, n => ({ left: left + n * (wide + GAP), top: height - high, width: wide, height: high }))].map(round);
}

/**
 * All tiles in one row, for a low area. The row may be wider than the area.
 * @param {number} count @param {number} width @param {number} height @returns {Rect[]}
 */
export function strip(count, width, height) {
  const wide = Math.min(height * ASPECT_RATIO, Math.max(STRIP_MIN, (width - GAP * (count - 1)) / count));
  const left = Math.max(0, (width - count * wide - GAP * (count - 1)) / 2);
  return row(count, n => round({ left: left + n * (wide + GAP), top: 0, width: wide, height }));
}

/** @param {number} count @param {(n: number) => Rect} at */
const row = (count, at) => Array.from({ length: count }, (_, n) => at(n));

/** @param {Rect} rect @returns {Rect} */
const round = ({ left, top, width, height }) => ({ left: Math.round(left), top: Math.round(top), width: Math.floor(width), height: Math.floor(height) });
