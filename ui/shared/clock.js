// A clock that is passed in, so that tests can use virtual time.

/**
 * @typedef {object} Clock
 * @property {() => number} now returns milliseconds since a fixed moment; never decreases
 * @property {(ms: number, run: () => void) => () => void} after calls `run` once after `ms` milliseconds; returns a function that cancels it
 */

/** The machine's monotonic clock. @type {Clock} */
export const wallClock = {
  now: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
