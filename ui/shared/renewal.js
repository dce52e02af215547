// When a connection to one of the others is made anew (PROTOCOL.md, "A new connection"). It knows no DOM.

/** Pause before the first new connection; each next one is twice as long. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
/** New connections that the other side gets at once, and how long one more takes. */
const GRANTED = 4;
const GRANT_MS = 10_000;

/**
 * Whether an offer begins another connection and does not go on with the one whose description came before.
 * @param {string} before @param {string} offer
 */
export function isAnotherConnection(before, offer) {
  const prints = (/** @type {string} */ sdp) => new Set(sdp.match(/^a=fingerprint:.*$/gm)?.map(line => line.trim().toLowerCase()));
  const [known, named] = [prints(before), prints(offer)];
  if (known.size + named.size > 0 && ![...named].some(print => known.has(print))) return true;
  const differs = (/** @type {RegExp} */ line) => before.match(line)?.[1] !== offer.match(line)?.[1];
  return differs(/^o=\S+ (\S+)/m) && differs(/^a=ice-ufrag:(\S+)/m);
}

/** How often a connection to one participant is made anew. */
export class Renewals {
  #pause = FIRST_PAUSE_MS;
  #granted = GRANTED;
  #since = 0;

  /** How long to wait before making a new one. */
  pause() {
    const pause = this.#pause;
    this.#pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
    return pause;
  }

  /** It works again. */
  connected() {
    this.#pause = FIRST_PAUSE_MS;
  }

  /** Whether the other side may have a new one now. @param {number} now */
  grant(now) {
    const more = Math.floor((now - this.#since) / GRANT_MS);
    this.#granted = Math.min(GRANTED, this.#granted + more);
    this.#since += more * GRANT_MS;
    if (this.#granted === 0) return false;
    this.#granted -= 1;
    return true;
  }
}
