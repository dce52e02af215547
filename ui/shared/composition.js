// Blocks the keys that an input method consumes, in every field: Enter completes a Hangul syllable, and Escape discards
// it. These keys must not reach handlers of the page, submit forms or close dialogs.

import { composing } from './dom.js';

/** Starts blocking; returns a function that stops it. @returns {() => void} */
export function guardComposition() {
  const end = new AbortController(), options = { capture: true, signal: end.signal };
  /** Whether the key that is down belongs to an input method. */
  let isComposing = false;
  addEventListener('keydown', event => {
    isComposing = composing(event);
    if (isComposing) event.stopPropagation();
  }, options);
  const release = () => { isComposing = false; };
  addEventListener('keyup', release, options);
  addEventListener('pointerdown', release, options);
  const block = (/** @type {Event} */ event) => {
    if (!isComposing) return;
    event.preventDefault();
    event.stopPropagation();
  };
  addEventListener('submit', block, options);
  addEventListener('cancel', block, options);
  return () => end.abort();
}
