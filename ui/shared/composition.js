// Keys that an input method consumes: Enter completes a Hangul syllable, Escape discards it. They
// reach no handler of the page, submit no form and close no dialog, whatever field they were typed in.

import { composing } from './dom.js';

/** @returns {() => void} ends it */
export function guardComposition() {
  const end = new AbortController(), options = { capture: true, signal: end.signal };
  /** The key that is down belongs to an input method. */
  let isTaken = false;
  addEventListener('keydown', event => {
    isTaken = composing(event);
    if (isTaken) event.stopPropagation();
  }, options);
  const release = () => { isTaken = false; };
  addEventListener('keyup', release, options);
  addEventListener('pointerdown', release, options);
  const refuse = (/** @type {Event} */ event) => {
    if (!isTaken) return;
    event.preventDefault();
    event.stopPropagation();
  };
  addEventListener('submit', refuse, options);
  addEventListener('cancel', refuse, options);
  return () => end.abort();
}
