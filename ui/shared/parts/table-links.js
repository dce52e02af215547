// The links and calendar files of tables.

import { backend, state } from '../backend.js';
import { t } from '../strings.js';
import { announce, attempt } from './notices.js';

/** @typedef {import('../model.d.ts').TableView} TableView */

/** Uses and validity of a table's invite. */
const USES = 20, HOURS = 7 * 24;

/** @param {TableView} table */
export const copyTableLink = table => copyRoomLink(table.room);

/** Copies a link that anyone can open. The server adds an invite if needed. @param {string} room */
export async function copyRoomLink(room) {
  const link = await attempt(backend.call('make_invite', { room, uses: USES, hours: HOURS }));
  if (typeof link === 'string' && link) await copyText(link, t.linkCopied);
}

/** Copies a text and announces it. @param {string} words @param {string} done the announcement */
export async function copyText(words, done) {
  if (await attempt(backend.call('copy', { text: words }).then(() => true))) announce(done);
}

/** Opens a table in the system's calendar. If the file cannot be written, its text is copied to the clipboard. @param {TableView} table */
export async function saveCalendar(table) {
  try {
    const { path, opened } = await backend.call('save_calendar', { table: table.id });
    announce(opened ? t.calendarOpened(path) : t.calendarSavedAs(path));
  } catch (error) {
    if (/** @type {{ code?: string }} */ (error ?? {}).code !== 'calendar_not_written') return void attempt(Promise.reject(error));
    const text = await attempt(backend.call('ics', { table: table.id }));
    if (typeof text === 'string') await copyText(text, t.calendarCopied);
  }
}

/** Returns the table of a room, if it has one. @param {string} room */
export const tableOf = room => state().board?.tables.find(table => table.room === room);
