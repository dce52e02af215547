// Writes a table as a calendar file (iCalendar, RFC 5545). The Rust client's `signaling::ics` follows the same rules, and
// both run docs/protocol/calendar.json. This module does not use the DOM.

/** @typedef {import('./model.d.ts').TableInfo} TableInfo */

/** Bytes of a content line before it must be folded (RFC 5545 section 3.1). */
const LINE_BYTES = 75;
/** The last time that is written, Unix milliseconds. Rust's time library has no later second. */
const LATEST_MS = Date.UTC(9999, 11, 30, 22);

/** The largest INTEGER (RFC 5545 section 3.3.8). */
const MAX_SEQUENCE = 2 ** 31 - 1;

/**
 * Returns the text of an `.ics` file. Times are in UTC, so calendars need not know the community's zone.
 * @param {Pick<TableInfo, 'id' | 'topic' | 'place' | 'starts_ms' | 'ends_ms' | 'sequence'>} table @param {string} title stands for a missing topic
 * @param {string | null} link opens the table @param {number} nowMs
 */
export function event(table, title, link, nowMs) {
  const isPlain = link !== null && /^[!-~]*$/.test(link);
  return [
    'BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:-//Lunchroom//Lunchroom 1//EN', 'METHOD:PUBLISH', 'BEGIN:VEVENT',
    `UID:${escape(table.id)}@lunchroom`, `DTSTAMP:${utc(nowMs)}`, `SEQUENCE:${Math.min(table.sequence ?? 0, MAX_SEQUENCE)}`, 'STATUS:CONFIRMED',
    `DTSTART:${utc(table.starts_ms)}`, `DTEND:${utc(table.ends_ms)}`,
    `SUMMARY:${escape(table.topic || title)}`, ...(table.place ? [`LOCATION:${escape(table.place)}`] : []),
    ...(isPlain ? [`URL:${link}`, `DESCRIPTION:${escape(link)}`] : []),
    'BEGIN:VALARM', 'ACTION:DISPLAY', `DESCRIPTION:${escape(title)}`, 'TRIGGER:-PT5M', 'END:VALARM', 'END:VEVENT', 'END:VCALENDAR',
  ].map(fold).join('');
}

/** Escapes a TEXT value (section 3.3.11). No part of it can begin a new content line. @param {string} text */
const escape = text => text.replace(/[\\;,]/g, '\\$&').replace(/[\n\u2028\u2029]/g, '\\n').replace(/[\u0000-\u001f\u007f-\u009f]/g, '');

const utf8 = new TextEncoder();

/** A content line, folded between characters. @param {string} line */
function fold(line) {
  let text = '', bytes = 0;
  for (const letter of line) {
    const { length } = utf8.encode(letter);
    if (bytes + length > LINE_BYTES) {
      text += '\r\n ';
      bytes = 1;
    }
    text += letter;
    bytes += length;
  }
  return `${text}\r\n`;
}

/** `19970714T173000Z` @param {number} ms */
const utc = ms => `${new Date(Math.min(ms, LATEST_MS)).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
