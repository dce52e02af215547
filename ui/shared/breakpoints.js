// How small the window is, measured in its letters: media and container queries do not follow the size of text that the
// person chose. The root's data-under has a word for each width (w) and height (h), in rem, that the window stays under.

const WIDTHS = [34, 43, 48, 55, 58, 66], HEIGHTS = [32];

export function measure() {
  const root = document.documentElement, rem = parseFloat(getComputedStyle(root).fontSize);
  const under = [...WIDTHS.filter(width => innerWidth < width * rem).map(width => `w${width}`), ...HEIGHTS.filter(height => innerHeight < height * rem).map(height => `h${height}`)].join(' ');
  if (root.dataset.under !== under) root.dataset.under = under;
}

/** Keeps measuring; returns how to stop. */
export function watch() {
  addEventListener('resize', measure);
  measure();
  return () => removeEventListener('resize', measure);
}
