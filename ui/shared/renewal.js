// When a connection to one of the others is made anew (PROTOCOL.md, "A new connection"). The Rust client's `call::link`,
// `call::inflow` and `peer::FarSession` follow the same rules; the vectors are in docs/protocol/connections.json. No DOM.

/** Pause before the first new connection; each next one is twice as long. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
/** A connection that worked for so long was a good one. */
const STOOD_MS = 30_000;
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

/** How often a connection to one participant is made anew. Times are in milliseconds of one clock. */
export class Renewals {
  #pause = FIRST_PAUSE_MS;
  /** Since when it has worked; null: it does not. @type {number | null} */
  #worksSince = null;
  #granted = GRANTED;
  /** @type {number | null} */
  #grantedAt = null;

  /** It works. @param {number} now */
  connected(now) {
    this.#worksSince ??= now;
  }

  /** It does not work any more. The next pause is short again only if it had worked for a while. @param {number} now */
  interrupted(now) {
    if (this.#worksSince !== null && now - this.#worksSince >= STOOD_MS) this.#pause = FIRST_PAUSE_MS;
    this.#worksSince = null;
  }

  /** How long to wait before making a new one. @returns {number} ms */
  pause() {
    const pause = this.#pause;
    this.#pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
    return pause;
  }

  /** Whether the other side may have a new one now. @param {number} now */
  grant(now) {
    const passed = now - (this.#grantedAt ?? now);
    this.#granted = Math.min(GRANTED, this.#granted + passed / GRANT_MS);
    this.#grantedAt = now;
    if (this.#granted < 1) return false;
    this.#granted -= 1;
    return true;
  }
}
