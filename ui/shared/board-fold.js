// The client's copy of the board, built from the server's messages (PROTOCOL.md, The board): a snapshot in several
// messages, then patches. This module is pure. The Rust client's `signaling::board_fold` follows the same rules, and both
// run docs/protocol/board.json.

/** @typedef {import('./model.d.ts').BoardState} BoardState */
/** @typedef {import('./model.d.ts').Table} Table */
/** @typedef {import('./model.d.ts').Person} Person */
/** @typedef {import('./model.d.ts').Waiting} Waiting */
/** @typedef {Omit<Table, 'mine'> & { waiting?: string[] }} TableInfo  a table as the server sends it */
/** @typedef {{ now_ms: number, zone: string, member: boolean, free_count: number, tables: Map<string, TableInfo>, people: Map<string, Person> }} Snapshot */
/** @typedef {{ kind: string, table: string, room: string, topic?: string, starts_ms: number }} Notice */

export class BoardFold {
  /** The snapshot that is still incomplete. @type {Snapshot | null} */
  #partial = null;
  /** The last complete snapshot with all later patches. @type {Snapshot | null} */
  #complete = null;
  /** @type {Waiting | null} */
  #waiting = null;

  /** @param {string} you the own person id, which is the device key */
  constructor(you) {
    this.you = you;
  }

  /**
   * Applies a message of type `board`.
   * @param {Record<string, any>} news
   * @returns {boolean} whether `state()` has changed
   */
  handle(news) {
    switch (news.news) {
      case 'snapshot': return this.#snapshot(news);
      case 'patch': return this.#patch(news);
      case 'you': return this.#you(news.waiting ?? null);
      default: return false;
    }
  }

  /** Returns the board; null before the first complete snapshot. @returns {BoardState | null} */
  state() {
    const board = this.#complete;
    if (!board) return null;
    const tables = [...board.tables.values()].map(table => this.#view(table)).sort((a, b) => a.starts_ms - b.starts_ms || byCodePoint(a.id, b.id));
    const people = [...board.people.values()].sort((a, b) => byCodePoint(a.name, b.name) || byCodePoint(a.id, b.id));
    return /** @type {BoardState} */ ({ now_ms: board.now_ms, zone: board.zone, member: board.member, tables, people, free_count: board.free_count, waiting: this.#waiting,
      seated: tables.find(table => table.mine === 'seat' || table.mine === 'host')?.id ?? null });
  }

  /** @param {{ since_ms: number, with?: string[] } | null} waiting */
  #you(waiting) {
    const before = JSON.stringify(this.#waiting);
    this.#waiting = waiting && { since_ms: waiting.since_ms, with: waiting.with ?? [] };
    return JSON.stringify(this.#waiting) !== before;
  }

  /** @param {Record<string, any>} message one of the messages of a snapshot */
  #snapshot(message) {
    if (message.first) this.#partial = { now_ms: 0, zone: '', member: false, free_count: 0, tables: new Map(), people: new Map() };
    const partial = this.#partial;
    if (!partial) return false;
    Object.assign(partial, { now_ms: message.now_ms, zone: message.zone, member: message.member, free_count: message.free_count });
    insert(partial, message);
    if (message.last) [this.#complete, this.#partial] = [partial, null];
    return message.last === true;
  }

  /** @param {Record<string, any>} patch */
  #patch(patch) {
    const board = this.#partial ?? this.#complete;
    if (!board) return false;
    Object.assign(board, { now_ms: patch.now_ms, free_count: patch.free_count });
    for (const id of patch.gone ?? []) board.tables.delete(id);
    for (const id of patch.left ?? []) board.people.delete(id);
    insert(board, patch);
    return this.#partial === null;
  }

  /** @param {TableInfo} info @returns {Table} */
  #view({ waiting = [], ...table }) {
    const sits = table.taken.some(person => person.id === this.you), place = waiting.indexOf(this.you) + 1;
    const mine = sits ? (table.host === this.you ? 'host' : 'seat') : place > 0 ? 'waiting' : 'none';
    return /** @type {Table} */ ({ ...table, my_place: place, mine });
  }
}

/** Defaults of fields that a message may omit. */
const DEFAULTS = { now: false, weekly: false, host: '', door: 'open', locked: false, taken: [], waiting_count: 0, in_call: 0 };
/** Bound of the tables, and of the people. Further ones from the server are ignored. */
const MAX_ITEMS = 20_000;

/** @param {Snapshot} board @param {Record<string, any>} message */
function insert(board, message) {
  for (const table of message.tables ?? []) put(board.tables, { ...DEFAULTS, ...table });
  for (const person of message.people ?? []) put(board.people, person);
}

/** @template {{ id: string }} T @param {Map<string, T>} items @param {T} item */
function put(items, item) {
  if (items.size < MAX_ITEMS || items.has(item.id)) items.set(item.id, item);
}

/** Compares by Unicode scalar values, as Rust does. JavaScript compares UTF-16 code units. @param {string} a @param {string} b */
function byCodePoint(a, b) {
  for (let at = 0; at < a.length && at < b.length; at++) {
    if (a.charCodeAt(at) === b.charCodeAt(at)) continue;
    return (a.codePointAt(at) ?? 0) - (b.codePointAt(at) ?? 0);
  }
  return a.length - b.length;
}
