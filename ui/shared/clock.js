// Time as an argument, so that tests can let it pass.

/**
 * @typedef {object} Clock
 * @property {() => number} now milliseconds since any fixed moment; never goes back
 * @property {(ms: number, run: () => void) => () => void} after calls `run` once after `ms` milliseconds; what it returns stops that
 */

/** The machine's own monotonic clock. @type {Clock} */
export const wallClock = {
  now: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
