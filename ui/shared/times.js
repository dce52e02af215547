// Days and times in the board's time zone, which may differ from this machine's.

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

/** Returns the zone if this machine knows it, or else the machine's own. @param {string} zone IANA name */
export function zoneOr(zone) {
  let valid = known.get(zone);
  if (valid) return valid;
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    valid = zone;
  } catch {
    valid = Intl.DateTimeFormat().resolvedOptions().timeZone;
  }
  known.set(zone, valid);
  return valid;
}

/** Cached results. Calendars are slow, and each change of the board needs the same days for hundreds of tables. @type {Map<string, any>} */
const cache = new Map();
/** Bound of the cache. When it is full, it is cleared. */
const MAX_CACHED = 4096;

/**
 * @template T
 * @param {string} key @param {() => T} work @returns {T}
 */
function cached(key, work) {
  const found = cache.get(key);
  if (found !== undefined) return found;
  if (cache.size >= MAX_CACHED) cache.clear();
  const result = work();
  cache.set(key, result);
  return result;
}

/** Returns the day, as "2026-03-29". @param {number} ms @param {string} zone */
export const dayOf = (ms, zone) => cached(`d${Math.floor(ms / MINUTE)}${zone}`, () => dayAt(ms, zone));

/** Uses parts, because no locale's date format is stable between versions of the calendar data. @param {number} ms @param {string} zone */
function dayAt(ms, zone) {
  const parts = format(zone, { calendar: 'iso8601', numberingSystem: 'latn', year: 'numeric', month: '2-digit', day: '2-digit' }, 'en').formatToParts(ms);
  const [year, month, day] = ['year', 'month', 'day'].map(type => parts.find(part => part.type === type)?.value ?? '');
  return `${year.padStart(4, '0')}-${month}-${day}`;
}

/** Returns the minutes since midnight on the wall clock. @param {number} ms @param {string} zone */
export const minuteOf = (ms, zone) => cached(`m${Math.floor(ms / MINUTE)}${zone}`, () => minuteAt(ms, zone));

/** @param {number} ms @param {string} zone */
function minuteAt(ms, zone) {
  const parts = format(zone, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }, 'en-GB').formatToParts(ms);
  const part = (/** @type {string} */ type) => Number(parts.find(p => p.type === type)?.value ?? 0);
  return part('hour') * 60 + part('minute');
}

/**
 * Returns when the wall clock of a day shows a minute, Unix milliseconds. If the clocks skip it, the moment after the gap.
 * @param {string} day @param {number} minute @param {string} zone
 */
export function momentOf(day, minute, zone) {
  const asUtc = Date.parse(`${day}T00:00:00Z`) + minute * MINUTE;
  let guess = asUtc;
  for (let n = 0; n < 3; n++) {
    const wallClock = Date.parse(`${dayOf(guess, zone)}T00:00:00Z`) + minuteOf(guess, zone) * MINUTE;
    if (wallClock === asUtc) break;
    guess += asUtc - wallClock;
  }
  return guess;
}

/** Returns consecutive days, beginning with today. @param {number} now @param {number} count @param {string} zone */
export function daysFrom(now, count, zone) {
  const noon = momentOf(dayOf(now, zone), 12 * 60, zone);
  return Array.from({ length: count }, (_, n) => dayOf(noon + n * 24 * HOUR, zone));
}

/** "12:30" @param {number} ms @param {string} zone */
export const clock = (ms, zone) => format(zone, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }, 'en-GB').format(ms);

/** "12:30" @param {number} minute since midnight */
export const clockOfMinute = minute => `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;

/** "Mon" @param {string} day */
export const weekday = day => format('UTC', { weekday: 'short' }).format(Date.parse(`${day}T12:00:00Z`));

/** "Monday, 23 November" @param {string} day */
export const longDay = day => format('UTC', { weekday: 'long', day: 'numeric', month: 'long' }).format(Date.parse(`${day}T12:00:00Z`));

/** "23" @param {string} day */
export const dayNumber = day => String(Number(day.slice(8)));

const ownZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** "12:30" in this machine's zone, for chat. @param {number} ms */
export const localClock = ms => clock(ms, ownZone());

/** A moment in this machine's zone: the time, with the weekday unless it is today. @param {number} ms Unix milliseconds */
export const momentWords = ms => dayOf(ms, ownZone()) === dayOf(Date.now(), ownZone()) ? localClock(ms) : `${weekday(dayOf(ms, ownZone()))} ${localClock(ms)}`;

/** "Monday, 23 November", in this machine's zone. @param {number} ms */
export const dayWords = ms => longDay(dayOf(ms, ownZone()));

/** Whether the zone's wall clock differs from this machine's. @param {number} ms @param {string} zone */
export const differsFromLocal = (ms, zone) => dayOf(ms, zone) !== dayOf(ms, ownZone()) || minuteOf(ms, zone) !== minuteOf(ms, ownZone());

/** "Korean Standard Time" @param {number} ms @param {string} zone */
export const zoneName = (ms, zone) => format(zone, { timeZoneName: 'long' }).formatToParts(ms).find(part => part.type === 'timeZoneName')?.value ?? zone;

/** Returns the time in this machine's zone, with the day if that differs; null if the wall clocks agree. @param {number} ms @param {string} zone */
export function ownTime(ms, zone) {
  if (!differsFromLocal(ms, zone)) return null;
  const day = dayOf(ms, ownZone());
  return day === dayOf(ms, zone) ? localClock(ms) : `${weekday(day)} ${localClock(ms)}`;
}

/** "22:09 Korean Standard Time (15:09 your time)", or "22:09" if the wall clocks agree. @param {number} ms @param {string} zone */
export function bothTimes(ms, zone) {
  const own = ownTime(ms, zone);
  return own === null ? clock(ms, zone) : `${clock(ms, zone)} ${zoneName(ms, zone)} (${t.yourTime(own)})`;
}
