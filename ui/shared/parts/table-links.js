// A table's link and calendar file.

import { backend, state } from '../backend.js';
import { t } from '../strings.js';
import { announce, tried } from './announce.js';

/** @typedef {import('../model.d.ts').Table} Table */

/** How often and how long a link of a table lets people in. */
const USES = 20, HOURS = 7 * 24;

/** @param {Table} table */
export const copyTableLink = table => copyRoomLink(table.room);

/** A link somebody outside can open; the server signs it where it needs that. @param {string} room */
export async function copyRoomLink(room) {
  const link = await tried(backend.call('make_invite', { room, uses: USES, hours: HOURS }));
  if (typeof link === 'string' && link) await copyText(link, t.linkCopied);
}

/** @param {string} words @param {string} said */
export async function copyText(words, said) {
  if (await tried(backend.call('copy', { text: words }).then(() => true))) announce(said);
}

/** Offers the calendar file, or where a window cannot save files puts it on the clipboard. @param {Table} table */
export async function saveCalendar(table) {
  const file = await tried(backend.call('ics', { table: table.id }));
  if (typeof file !== 'string') return;
  if (backend.shell === 'app') return copyText(file, t.calendarCopied);
  const url = URL.createObjectURL(new Blob([file], { type: 'text/calendar' }));
  const anchor = document.createElement('a');
  anchor.href = url;
  anchor.download = `${table.room}.ics`;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  announce(t.calendarSaved);
}

/** Whose table a room is, if it is one's. @param {string} room */
export const tableOf = room => state().board?.tables.find(table => table.room === room);
