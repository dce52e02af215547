// When a connection to another participant is replaced (PROTOCOL.md, "A new connection"). The Rust client's `call::link`,
// `call::inflow` and `peer::FarSession` follow the same rules, and both run docs/protocol/connections.json. This module
// does not use the DOM.

/** The first backoff before a connection is replaced. It doubles with each replacement. */
const FIRST_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 60_000;
/** A connection that worked for this time resets the backoff. */
const STABLE_MS = 30_000;
/** Token bucket for the replacements that the other side offers: its size, and the time for one more token. */
const BURST = 4;
const REFILL_MS = 10_000;

/**
 * Whether an offer begins another connection, rather than renegotiating the current one.
 * @param {string} before the other side's last description, SDP
 * @param {string} offer SDP
 */
export function isAnotherConnection(before, offer) {
  const fingerprints = (/** @type {string} */ sdp) => new Set(sdp.match(/^a=fingerprint:.*$/gm)?.map(line => line.trim().toLowerCase()));
  const [current, offered] = [fingerprints(before), fingerprints(offer)];
  if (current.size + offered.size > 0 && ![...offered].some(fingerprint => current.has(fingerprint))) return true;
  const differs = (/** @type {RegExp} */ line) => before.match(line)?.[1] !== offer.match(line)?.[1];
  return differs(/^o=\S+ (\S+)/m) && differs(/^a=ice-ufrag:(\S+)/m);
}

/** Backoff and rate limit for replacing the connection to one participant. Times are in milliseconds of one clock. */
export class ReplacementLimits {
  #backoff = FIRST_BACKOFF_MS;
  /** Since when the connection has worked; null: it does not work. @type {number | null} */
  #connectedSince = null;
  #tokens = BURST;
  /** When the tokens were last counted. @type {number | null} */
  #countedAt = null;

  /** The connection works. @param {number} now */
  connected(now) {
    this.#connectedSince ??= now;
  }

  /** The connection broke. This resets the backoff if the connection was stable. @param {number} now */
  interrupted(now) {
    if (this.#connectedSince !== null && now - this.#connectedSince >= STABLE_MS) this.#backoff = FIRST_BACKOFF_MS;
    this.#connectedSince = null;
  }

  /** Returns how long to wait before the next replacement, and doubles the backoff. @returns {number} ms */
  nextBackoff() {
    const backoff = this.#backoff;
    this.#backoff = Math.min(2 * backoff, MAX_BACKOFF_MS);
    return backoff;
  }

  /** Whether to accept a replacement that the other side offers now. Takes a token if so. @param {number} now */
  accept(now) {
    const elapsed = now - (this.#countedAt ?? now);
    this.#tokens = Math.min(BURST, this.#tokens + elapsed / REFILL_MS);
    this.#countedAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
