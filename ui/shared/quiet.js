// Do not disturb: no notifications until a time. Reminders are still shown on the screen.

/** @typedef {import('./model.d.ts').Settings} Settings */

const HOUR = 60 * 60_000;

/** Whether there are no notifications now. @param {Settings} settings @param {number} now Unix milliseconds */
export const isQuiet = ({ quiet_until_ms: until }, now) => (until ?? 0) > now;

/**
 * The end of a choice, Unix milliseconds; null: no quiet.
 * @param {string} choice `off`, `hour` or `tomorrow` @param {number} now Unix milliseconds
 */
export function quietUntil(choice, now) {
  if (choice === 'hour') return now + HOUR;
  return choice === 'tomorrow' ? tomorrow(now) : null;
}

/** The beginning of the next day in this machine's zone. @param {number} now */
function tomorrow(now) {
  const day = new Date(now);
  return new Date(day.getFullYear(), day.getMonth(), day.getDate() + 1).getTime();
}
