// Drawings of the reactions, 32 × 32. They are our own, because not every system has a font with emoji.

import { s } from './dom.js';

/** @typedef {import('./reactions.js').Known} Known */
/** @typedef {[d: string, fill: string, stroke?: string]} Shape */

const SKIN = '#ffd166', OUTLINE = '#8a5200', DARK = '#4a2a00', RED = '#e5484d', TEAR = '#5cb8ff', WHITE = '#fff';
const FACE = /** @type {Shape} */ (['M16 3a13 13 0 1 0 0 26 13 13 0 0 0 0-26Z', SKIN, OUTLINE]);
const THUMB = 'M5 15h5v13H5Z M10 16l5-11c2.600 0 4 1.800 3.500 4.500L17.600 14H25c2 0 3.200 1.700 2.700 3.600l-2.300 8c-.400 1.500-1.600 2.400-3.200 2.400H13l-3-1.500Z';
const PALM = 'M8 27c-3-2-4.500-5-4-8.500l1.500-8c.500-1.800 2.700-1.500 2.600.300L8 15l3.500-9c.700-1.700 2.900-.900 2.500.800L12.500 13l4.500-6.500c1-1.400 2.900-.200 2.200 1.300L16 15l3.500-3.500c1.300-1.100 2.800.400 1.900 1.700L17 19.500c-1 4.500-4.500 8.500-9 7.500Z';

/** @type {Record<Known, Shape[]>} */
const SHAPES = {
  thumbs_up: [[THUMB, SKIN, OUTLINE]],
  heart: [['M16 28C7 21.500 3 17 3 11.500 3 7.500 6 5 9.300 5c2.700 0 5.200 1.600 6.700 4.300C17.500 6.600 20 5 22.700 5 26 5 29 7.500 29 11.500 29 17 25 21.500 16 28Z', RED, '#9c1c22']],
  clap: [[PALM, SKIN, OUTLINE], ['M22 5l1.500-3 M26 8.500l3-1.500 M26.500 13.500l3.500.500', 'none', OUTLINE], ['M14 29c-2-1-3-3-2.500-5.500L14 16l2-4c.900-1.200 2.500-.300 2.200 1.200L17.500 17l5-5c1.300-1 2.700.300 1.900 1.700L21 18.500l3.500-2.500c1.400-.800 2.500.800 1.600 2l-4.100 6.500c-2 3.500-5 5.500-8 4.500Z', SKIN, OUTLINE]],
  laugh: [FACE, ['M8 13c1-2.500 4-2.500 5 0M19 13c1-2.500 4-2.500 5 0', 'none', DARK], ['M8 17h16c0 4.500-3.500 8-8 8s-8-3.500-8-8Z', DARK], ['M10.500 17h11v1.500h-11Z', WHITE], ['M6.500 14c-2.500 2-3.500 4-2 5.500s3.500 0 3-3ZM25.500 14c2.500 2 3.500 4 2 5.500s-3.500 0-3-3Z', TEAR]],
  surprise: [FACE, ['M11 10.500a2 2.500 0 1 0 0 5 2 2.500 0 0 0 0-5ZM21 10.500a2 2.500 0 1 0 0 5 2 2.500 0 0 0 0-5Z', DARK], ['M16 17.500a3.500 4 0 1 0 0 8 3.500 4 0 0 0 0-8Z', DARK], ['M8.500 8c1-1.200 2.500-1.800 4-1.500M23.500 8c-1-1.200-2.500-1.800-4-1.500', 'none', DARK]],
  celebrate: [['M4 28l7-16 9 9Z', '#f2a33a', OUTLINE], ['M8 19l5 5.500M6 23.500l3 2.500', 'none', WHITE], ['M15 13c1-3 0-6-2-8', 'none', RED], ['M19 16c3-2 6-2 9 0', 'none', '#2a7549'], ['M18 13c2-4 5-6 8-7', 'none', '#7a5cd6'], ['M22 8h2v2h-2ZM27 11h2v2h-2ZM18 4h2v2h-2Z', RED], ['M8 5h2v2H8ZM26 21h2v2h-2ZM22 24h2v2h-2Z', '#2f83d0']],
  yum: [FACE, ['M8.500 12.500c1-2 3.500-2 4.500 0M19 12.500c1-2 3.500-2 4.500 0', 'none', DARK], ['M8 17.500c2.500 6 13.500 6 16 0', 'none', DARK], ['M18 21.500c1.500-1.200 4-1.500 5.500-2.500 1.800 2 1.800 5.500-.500 6.500s-4.500-1-5-4Z', '#f0707a', '#9c1c22']],
};

/** Draws a reaction. @param {Known} reaction */
export function reactionArt(reaction) {
  return s('svg', { class: 'reaction-art', viewBox: '0 0 32 32', 'aria-hidden': 'true', focusable: 'false' },
    ...SHAPES[reaction].map(([d, fill, stroke]) => s('path', { d, fill, ...(stroke ? { stroke, 'stroke-width': 1.5, 'stroke-linecap': 'round', 'stroke-linejoin': 'round' } : {}) })));
}
