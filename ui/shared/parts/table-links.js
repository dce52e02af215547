// A table's link and calendar file.

import { backend, state } from '../backend.js';
import { t } from '../strings.js';
import { announce, attempt } from './notices.js';

/** @typedef {import('../model.d.ts').Table} Table */

/** How often and how long a link of a table lets people in. */
const USES = 20, HOURS = 7 * 24;

/** @param {Table} table */
export const copyTableLink = table => copyRoomLink(table.room);

/** A link somebody outside can open; the server signs it where it needs that. @param {string} room */
export async function copyRoomLink(room) {
  const link = await attempt(backend.call('make_invite', { room, uses: USES, hours: HOURS }));
  if (typeof link === 'string' && link) await copyText(link, t.linkCopied);
}

/** @param {string} words @param {string} said */
export async function copyText(words, said) {
  if (await attempt(backend.call('copy', { text: words }).then(() => true))) announce(said);
}

/** Has the system's calendar show a table; its text is on the clipboard where no file can be written. @param {Table} table */
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

/** Whose table a room is, if it is one's. @param {string} room */
export const tableOf = room => state().board?.tables.find(table => table.room === room);
