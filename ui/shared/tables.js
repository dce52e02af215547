// Questions about tables that several components share.

import { navigation } from './navigation.js';
import { t } from './strings.js';
import { MINUTE } from './times.js';

/** @typedef {import('./model.d.ts').BoardState} BoardState */
/** @typedef {import('./model.d.ts').TableView} TableView */

/** A table's room opens this long before its start. */
export const EARLY_MS = 10 * MINUTE;

/** Returns the current time of the server's clock, Unix milliseconds. @param {BoardState} board */
export const serverNow = board => Date.now() + board.skew_ms;

/** Opens a table's device check. @param {TableView} table */
export function enter(table) {
  navigation.go({ room: table.room, known: true, table: table.id });
}

/** Whether a room's name is the generated name of a table's room. @param {string} room */
export const isTableRoom = room => /^t-[0-9a-hjkmnp-tv-z]{16}$/.test(room);

/** Returns a room's title: the topic of its table, or the name that people chose. @param {string} room @param {TableView | undefined} table */
export const roomTitle = (room, table) => table?.topic || (isTableRoom(room) ? t.table : room);

/** Whether the person has a seat at a table. @param {TableView} table */
export const isMine = table => table.mine === 'seat' || table.mine === 'host';

/**
 * Whether the room of a table on the board can be joined. A table that has ended stays open while people are in its room.
 * The Rust server's `rooms::board` decides, and both run docs/protocol/tables.json.
 * @param {Pick<TableView, 'starts_ms'>} table @param {number} now server's clock, Unix milliseconds
 */
export const isOpen = (table, now) => table.starts_ms - EARLY_MS <= now;
