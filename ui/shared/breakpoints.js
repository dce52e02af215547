// Breakpoints in rem, because media and container queries do not follow the text size in the settings. The root element's
// `data-under` lists the widths (w) and heights (h), in rem, that exceed the window's.

const WIDTHS = [34, 43, 48, 55, 58, 66], HEIGHTS = [32];

/** Updates `data-under`. */
export function measure() {
  const root = document.documentElement, rem = parseFloat(getComputedStyle(root).fontSize);
  const under = [...WIDTHS.filter(width => innerWidth < width * rem).map(width => `w${width}`), ...HEIGHTS.filter(height => innerHeight < height * rem).map(height => `h${height}`)].join(' ');
  if (root.dataset.under !== under) root.dataset.under = under;
}

/** Updates `data-under` now and at each resize; returns a function that stops it. */
export function watch() {
  addEventListener('resize', measure);
  measure();
  return () => removeEventListener('resize', measure);
}
