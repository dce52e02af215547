// Days and half hours in the board's own time zone, which need not be this machine's.

import { language, t } from './strings.js';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/** @param {string} zone @param {Intl.DateTimeFormatOptions} options @param {string} [locale] */
function format(zone, options, locale = language) {
  const key = `${locale} ${zone} ${JSON.stringify(options)}`;
  let made = formats.get(key);
  if (!made) formats.set(key, made = new Intl.DateTimeFormat(locale, { ...options, timeZone: zone }));
  return made;
}

/** @type {Map<string, string>} */
const known = new Map();

/** The zone if this machine knows it, else its own. @param {string} zone */
export function zoneOr(zone) {
  let sound = known.get(zone);
  if (sound) return sound;
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    sound = zone;
  } catch {
    sound = Intl.DateTimeFormat().resolvedOptions().timeZone;
  }
  known.set(zone, sound);
  return sound;
}

/** What was asked before: calendars are slow, and a board asks the same of hundreds of tables at each change. @type {Map<string, any>} */
const answers = new Map();
/** Most answers that are kept. When there are more all are forgotten. */
const ANSWERS = 4096;

/**
 * @template T
 * @param {string} key @param {() => T} work @returns {T}
 */
function once(key, work) {
  const known = answers.get(key);
  if (known !== undefined) return known;
  if (answers.size >= ANSWERS) answers.clear();
  const answer = work();
  answers.set(key, answer);
  return answer;
}

/** The calendar's day, as "2026-03-29". @param {number} ms @param {string} zone */
export const dayOf = (ms, zone) => once(`d${Math.floor(ms / MINUTE)}${zone}`, () => dayAt(ms, zone));

/** From parts: which locale writes year-month-day changes from one version of the calendar data to the next. @param {number} ms @param {string} zone */
function dayAt(ms, zone) {
  const parts = format(zone, { calendar: 'iso8601', numberingSystem: 'latn', year: 'numeric', month: '2-digit', day: '2-digit' }, 'en').formatToParts(ms);
  const [year, month, day] = ['year', 'month', 'day'].map(type => parts.find(part => part.type === type)?.value ?? '');
  return `${year.padStart(4, '0')}-${month}-${day}`;
}

/** Minutes on the wall clock since midnight. @param {number} ms @param {string} zone */
export const minuteOf = (ms, zone) => once(`m${Math.floor(ms / MINUTE)}${zone}`, () => minuteAt(ms, zone));

/** @param {number} ms @param {string} zone */
function minuteAt(ms, zone) {
  const parts = format(zone, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }, 'en-GB').formatToParts(ms);
  const part = (/** @type {string} */ type) => Number(parts.find(p => p.type === type)?.value ?? 0);
  return part('hour') * 60 + part('minute');
}

/**
 * The moment the wall clock of a day shows a minute. Where clocks spring over it, the moment after.
 * @param {string} day @param {number} minute @param {string} zone
 */
export function momentOf(day, minute, zone) {
  const asUtc = Date.parse(`${day}T00:00:00Z`) + minute * MINUTE;
  let guess = asUtc;
  for (let n = 0; n < 3; n++) {
    const shows = Date.parse(`${dayOf(guess, zone)}T00:00:00Z`) + minuteOf(guess, zone) * MINUTE;
    if (shows === asUtc) break;
    guess += asUtc - shows;
  }
  return guess;
}

/** Days from today on. @param {number} now @param {number} count @param {string} zone */
export function daysFrom(now, count, zone) {
  const noon = momentOf(dayOf(now, zone), 12 * 60, zone);
  return Array.from({ length: count }, (_, n) => dayOf(noon + n * 24 * HOUR, zone));
}

/** @param {number} ms @param {string} zone */
export const clock = (ms, zone) => format(zone, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }, 'en-GB').format(ms);

/** @param {number} minute */
export const clockOfMinute = minute => `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;

/** "Mon" @param {string} day */
export const weekday = day => format('UTC', { weekday: 'short' }).format(Date.parse(`${day}T12:00:00Z`));

/** "Monday, 23 November" @param {string} day */
export const longDay = day => format('UTC', { weekday: 'long', day: 'numeric', month: 'long' }).format(Date.parse(`${day}T12:00:00Z`));

/** Day of the month. @param {string} day */
export const dayNumber = day => String(Number(day.slice(8)));

const ownZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** This machine's wall clock, for chat. @param {number} ms */
export const localClock = ms => clock(ms, ownZone());

/** Whether clocks of the zone show another time than this machine's. @param {number} ms @param {string} zone */
export const elsewhere = (ms, zone) => dayOf(ms, zone) !== dayOf(ms, ownZone()) || minuteOf(ms, zone) !== minuteOf(ms, ownZone());

/** "Korean Standard Time" @param {number} ms @param {string} zone */
export const zoneName = (ms, zone) => format(zone, { timeZoneName: 'long' }).formatToParts(ms).find(part => part.type === 'timeZoneName')?.value ?? zone;

/** The same moment by this machine's clock, with the day where it is another; null where the clocks agree. @param {number} ms @param {string} zone */
export function ownTime(ms, zone) {
  if (!elsewhere(ms, zone)) return null;
  const day = dayOf(ms, ownZone());
  return day === dayOf(ms, zone) ? localClock(ms) : `${weekday(day)} ${localClock(ms)}`;
}

/** "22:09 Korean Standard Time (15:09 your time)", or "22:09" where the clocks agree. @param {number} ms @param {string} zone */
export function bothTimes(ms, zone) {
  const own = ownTime(ms, zone);
  return own === null ? clock(ms, zone) : `${clock(ms, zone)} ${zoneName(ms, zone)} (${t.yourTime(own)})`;
}
