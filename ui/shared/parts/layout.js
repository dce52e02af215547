// Where each picture goes. Pure: sizes in, rectangles out.

/** @typedef {{ left: number, top: number, width: number, height: number }} Rect */

const SHAPE = 16 / 9;
const GAP = 8;
/** One's own picture beside a single other: share of the window's width, and its bounds in CSS pixels. */
const OWN_SHARE = 0.2, OWN_LEAST = 112, OWN_MOST = 260;
/** The strip of faces under or beside the stage: its share, and its bounds. */
const STRIP_SHARE = 0.22, STRIP_LEAST = 72, STRIP_MOST = 180;
/** Smaller than this a face is no face: the grid scrolls instead. */
const LEAST_WIDTH = 140;

/**
 * All pictures alike, as large as they can be.
 * @param {number} count @param {number} width @param {number} height @returns {Rect[]}
 */
export function grid(count, width, height) {
  if (!count) return [];
  let best = { columns: 1, tile: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const tile = Math.min((width - GAP * (columns - 1)) / columns, (height - GAP * (rows - 1)) / rows * SHAPE);
    if (tile > best.tile) best = { columns, tile };
  }
  if (best.tile < LEAST_WIDTH) {
    const columns = Math.max(1, Math.floor((width + GAP) / (LEAST_WIDTH + GAP)));
    best = { columns, tile: (width - GAP * (columns - 1)) / columns };
  }
  const { columns, tile } = best, rows = Math.ceil(count / columns), high = tile / SHAPE;
  const top = Math.max(0, (height - rows * high - GAP * (rows - 1)) / 2);
  return Array.from({ length: count }, (_, n) => {
    const row = Math.floor(n / columns), inRow = row === rows - 1 ? count - row * columns : columns;
    const left = (width - inRow * tile - GAP * (inRow - 1)) / 2;
    return round({ left: left + (n - row * columns) * (tile + GAP), top: top + row * (high + GAP), width: tile, height: high });
  });
}

/**
 * One of the others fills the window, one's own picture is in the corner. In this order: the other, oneself.
 * @param {number} width @param {number} height @returns {Rect[]}
 */
export function pair(width, height) {
  const own = Math.max(OWN_LEAST, Math.min(OWN_MOST, width * OWN_SHARE)), high = own / SHAPE;
  return [{ left: 0, top: 0, width, height }, { left: width - own - 2 * GAP, top: height - high - 2 * GAP, width: own, height: high }].map(round);
}

/**
 * The first on the stage, the rest as a strip: below it, or beside it on a wide window.
 * @param {number} count @param {number} width @param {number} height @returns {Rect[]}
 */
export function stage(count, width, height) {
  if (count < 2) return grid(count, width, height);
  const strip = Math.max(STRIP_LEAST, Math.min(STRIP_MOST, height * STRIP_SHARE)), face = strip * SHAPE, others = count - 1;
  const beside = width / height > 2;
  if (beside) {
    const high = Math.min(strip, (height - GAP * (others - 1)) / others), wide = high * SHAPE;
    const top = (height - others * high - GAP * (others - 1)) / 2;
    return [{ left: 0, top: 0, width: width - wide - GAP, height }, ...row(others, n => ({ left: width - wide, top: top + n * (high + GAP), width: wide, height: high }))].map(round);
  }
  const wide = Math.min(face, (width - GAP * (others - 1)) / others), high = wide / SHAPE;
  const left = (width - others * wide - GAP * (others - 1)) / 2;
  return [{ left: 0, top: 0, width, height: height - high - GAP }, ...row(others, n => ({ left: left + n * (wide + GAP), top: height - high, width: wide, height: high }))].map(round);
}

/**
 * Where there is hardly any height: all in one row, which scrolls when it must.
 * @param {number} count @param {number} width @param {number} height @returns {Rect[]}
 */
export function strip(count, width, height) {
  const wide = Math.min(height * SHAPE, Math.max(STRIP_LEAST, (width - GAP * (count - 1)) / count));
  const left = Math.max(0, (width - count * wide - GAP * (count - 1)) / 2);
  return row(count, n => round({ left: left + n * (wide + GAP), top: 0, width: wide, height }));
}

/** @param {number} count @param {(n: number) => Rect} at */
const row = (count, at) => Array.from({ length: count }, (_, n) => at(n));

/** @param {Rect} rect @returns {Rect} */
const round = ({ left, top, width, height }) => ({ left: Math.round(left), top: Math.round(top), width: Math.floor(width), height: Math.floor(height) });
