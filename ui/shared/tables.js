// What several parts of the board ask about a table.

import { navigation } from './navigation.js';
import { t } from './strings.js';
import { MINUTE } from './times.js';

/** @typedef {import('./model.d.ts').BoardState} BoardState */
/** @typedef {import('./model.d.ts').Table} Table */

/** How long before its time a table can be gone to. */
export const EARLY_MS = 10 * MINUTE;

/** The server's clock now. @param {BoardState} board */
export function serverNow(board) {
  if (seen.board !== board.now_ms) Object.assign(seen, { board: board.now_ms, here: Date.now() });
  return board.now_ms + Date.now() - seen.here;
}
const seen = { board: 0, here: 0 };

/** To a table's device check. @param {Table} table */
export function enter(table) {
  navigation.go({ room: table.room, known: true, table: table.id });
}

/** Whether a room is a table's by its name, which nobody has chosen and nobody needs to read. @param {string} room */
export const isTableRoom = room => /^t-[0-9a-hjkmnp-tv-z]{16}$/.test(room);

/** What a room is called: what its table is about, or the name that people agreed on. @param {string} room @param {Table | undefined} table */
export const roomTitle = (room, table) => table?.topic || (isTableRoom(room) ? t.table : room);

/** Whether the person has a seat there. @param {Table} table */
export const isMine = table => table.mine === 'seat' || table.mine === 'host';

/**
 * Whether the room of a table on the board can be joined. A table that is over stays there, and open, while people sit at it.
 * The Rust server's `rooms::board` decides; both run docs/protocol/tables.json.
 * @param {Pick<Table, 'starts_ms'>} table @param {number} now by the server's clock, Unix milliseconds
 */
export const isOpen = (table, now) => table.starts_ms - EARLY_MS <= now;
