// How fast a page may send files: more while the chunks do not wait on their way, less as soon as they do (as
// crates/files/src/rate.rs, which explains the numbers).

const START = 50_000, LOWEST = 8_000, HIGHEST = 12_000_000, TARGET_US = 25_000, EMPTY_US = 12_000, CUT = 0.85, WINDOW_MS = 500, BASE_MS = 30_000;

export class FileRate {
  rate = START;
  #starting = true;
  #credit = 0;
  #credited = 0;
  /** The lowest delay of this window and of the one before, in µs. */
  #base = { current: Infinity, previous: Infinity, begun: -Infinity };
  /** @type {number | null} */
  #first = null;
  /** @type {number[]} */
  #recent = [];
  /** @type {{ at: number, bytes: number }[]} */
  #acked = [];
  #rtt = 100;
  #lastAck = 0;
  #lastCut = 0;

  /** @param {number} now ms */
  constructor(now) {
    this.#credited = this.#lastAck = this.#lastCut = now;
  }

  /** Bytes of the next chunk. @param {number} most */
  chunk(most) {
    return Math.min(most, Math.max(1024, Math.floor(this.rate / 50)));
  }

  /** @param {number} now ms @param {number} inFlight bytes that are not acknowledged */
  maySend(now, inFlight) {
    this.#credit = Math.min(this.#credit + (now - this.#credited) / 1000 * this.rate, Math.max(this.rate * 0.03, 16_384));
    this.#credited = now;
    return this.#credit > 0 && inFlight < Math.min(2_097_152, Math.max(65_536, this.rate * (Math.min(this.#rtt, 1000) + 100) / 1000));
  }

  /** @param {number} bytes */
  sent(bytes) {
    this.#credit -= bytes;
  }

  /** @param {number} now ms @param {number} bytes newly acknowledged @param {number} time µs, ours @param {number} arrived µs, theirs */
  acked(now, bytes, time, arrived) {
    const rtt = ((Math.floor(now * 1000) - time) >>> 0) / 1000;
    if (rtt < 10_000) this.#rtt = (this.#rtt * 7 + rtt) / 8;
    const passed = Math.min(now - this.#lastAck, 200) / 1000;
    this.#lastAck = now;
    this.#acked = [...this.#acked.filter(one => now - one.at <= WINDOW_MS), { at: now, bytes }];
    const difference = arrived - time >>> 0;
    this.#first ??= difference;
    const delay = difference - this.#first | 0, base = this.#base;
    if (now - base.begun >= BASE_MS) this.#base = { current: delay, previous: base.current, begun: now };
    else base.current = Math.min(base.current, delay);
    this.#recent = [...this.#recent, delay - Math.min(this.#base.current, this.#base.previous)].slice(-5);
    // The rate doubles at the start, so a queue must be noticed sooner there.
    const queue = Math.min(...this.#recent.slice(this.#starting ? -2 : -5)), target = this.#starting ? EMPTY_US : TARGET_US;
    const measured = this.#acked.reduce((sum, one) => sum + one.bytes, 0) / (WINDOW_MS / 1000);
    if (queue > target) this.#cut(now, measured);
    else if (queue < EMPTY_US && (measured >= this.rate / 2 || this.rate <= START)) {
      this.rate = Math.min(HIGHEST, this.#starting ? this.rate * (1 + passed / Math.max(this.#rtt / 1000, 0.25)) : this.rate + (this.rate * 0.12 + 30_000) * passed);
    }
  }

  /** @param {number} now ms @param {number} measured */
  #cut(now, measured) {
    if (now - this.#lastCut < Math.max(this.#rtt, 100) * 2) return;
    this.#lastCut = now;
    this.#starting = false;
    this.rate = Math.max(LOWEST, Math.min(this.rate, Math.max(measured, this.rate / 2)) * CUT);
  }

  /** @param {number} now ms @param {number} inFlight */
  tick(now, inFlight) {
    if (!inFlight) this.#lastAck = now;
    else if (now - this.#lastAck >= 1000) {
      this.#lastAck = now;
      this.#starting = false;
      this.rate = Math.max(LOWEST, this.rate / 2);
    }
  }
}
