// Converts I420 to RGBA with lookup tables. Computing two products, three sums and three clamps per pixel is ten times slower.

import { BT709, FULL_RANGE, chromaBytes } from './packet.js';

/** @typedef {import('./packet.js').Frame} Frame */
/** @typedef {{ luma: Int32Array, redOfV: Int32Array, greenOfU: Int32Array, greenOfV: Int32Array, blueOfU: Int32Array }} Tables */

/** Added to each sum so that it is a valid index. The smallest sum is -290. */
const OFFSET = 320;
/** The largest sum is 550. */
const SUMS = OFFSET + 576;

/** Each sum clamped to 0..255 and shifted to its place in a pixel (bytes R, G, B, A; all supported machines are little-endian). */
const red = new Uint32Array(SUMS), green = new Uint32Array(SUMS), blue = new Uint32Array(SUMS);
for (let sum = 0; sum < SUMS; sum++) {
  const value = Math.max(0, Math.min(255, sum - OFFSET));
  red[sum] = value;
  green[sum] = value << 8;
  blue[sum] = (0xff << 24 | value << 16) >>> 0;
}

/** Computed at the first use. @type {Map<number, Tables>} */
const tablesByFlags = new Map();

/** Returns the tables, with the coefficients of ITU-R BT.601 or BT.709: red of V, green of U, green of V, blue of U. @param {number} flags @returns {Tables} */
function tables(flags) {
  const key = flags & (BT709 | FULL_RANGE), known = tablesByFlags.get(key);
  if (known) return known;
  const full = (key & FULL_RANGE) !== 0, scale = full ? 1 : 255 / 219, colour = full ? 1 : 255 / 224;
  const [rv, gu, gv, bu] = key & BT709 ? [1.5748, 0.1873, 0.4681, 1.8556] : [1.402, 0.3441, 0.7141, 1.772];
  /** @param {(byte: number) => number} value */
  const table = value => Int32Array.from({ length: 256 }, (_, byte) => Math.round(value(byte)));
  const computed = {
    luma: table(byte => (byte - (full ? 0 : 16)) * scale + OFFSET),
    redOfV: table(byte => rv * colour * (byte - 128)),
    greenOfU: table(byte => -gu * colour * (byte - 128)),
    greenOfV: table(byte => -gv * colour * (byte - 128)),
    blueOfU: table(byte => bu * colour * (byte - 128)),
  };
  tablesByFlags.set(key, computed);
  return computed;
}

/** Converts a frame. @param {Frame} frame @param {Uint32Array} out one element per pixel */
export function toRgba({ width, height, planes, flags }, out) {
  const { luma, redOfV, greenOfU, greenOfV, blueOfU } = tables(flags);
  const half = (width + 1) >> 1, area = width * height, quarter = chromaBytes(width, height);
  for (let row = 0; row < height; row++) {
    const end = (row + 1) * width;
    let u = area + (row >> 1) * half, v = u + quarter;
    for (let at = row * width; at < end; at += 2, u++, v++) {
      const r = redOfV[planes[v]], g = greenOfU[planes[u]] + greenOfV[planes[v]], b = blueOfU[planes[u]];
      const left = luma[planes[at]];
      out[at] = red[left + r] | green[left + g] | blue[left + b];
      if (at + 1 === end) break; // an odd width
      const right = luma[planes[at + 1]];
      out[at + 1] = red[right + r] | green[right + g] | blue[right + b];
    }
  }
}
