// A client's picture of the board, made from what the server says of it (PROTOCOL.md, The board): snapshots in pieces,
// then only what changes. Pure. The Rust client's `signaling::board_fold` does the same; both run
// docs/protocol/board.json.

/** @typedef {import('./model.d.ts').BoardState} BoardState */
/** @typedef {import('./model.d.ts').Table} Table */
/** @typedef {import('./model.d.ts').Person} Person */
/** @typedef {import('./model.d.ts').Waiting} Waiting */
/** @typedef {Omit<Table, 'mine'> & { waiting?: string[] }} TableInfo  as it is on the wire */
/** @typedef {{ now_ms: number, zone: string, member: boolean, free_count: number, tables: Map<string, TableInfo>, people: Map<string, Person> }} Picture */
/** @typedef {{ kind: string, table: string, room: string, topic?: string, starts_ms: number }} Notice */

export class BoardFold {
  /** @type {Picture | null} */
  #building = null;
  /** @type {Picture | null} */
  #whole = null;
  /** @type {Waiting | null} */
  #waiting = null;

  /** @param {string} you one's own person id: the device key */
  constructor(you) {
    this.you = you;
  }

  /**
   * Takes a message of type `board`.
   * @param {Record<string, any>} news
   * @returns {boolean} whether `state` has changed
   */
  handle(news) {
    switch (news.news) {
      case 'snapshot': return this.#snapshot(news);
      case 'patch': return this.#patch(news);
      case 'you': return this.#you(news.waiting ?? null);
      default: return false;
    }
  }

  /** The board, once it is whole. @returns {BoardState | null} */
  state() {
    const picture = this.#whole;
    if (!picture) return null;
    const tables = [...picture.tables.values()].map(table => this.#view(table)).sort((a, b) => a.starts_ms - b.starts_ms || byCodePoint(a.id, b.id));
    const people = [...picture.people.values()].sort((a, b) => byCodePoint(a.name, b.name) || byCodePoint(a.id, b.id));
    return /** @type {BoardState} */ ({ now_ms: picture.now_ms, zone: picture.zone, member: picture.member, tables, people, free_count: picture.free_count, waiting: this.#waiting,
      seated: tables.find(table => table.mine === 'seat' || table.mine === 'host')?.id ?? null });
  }

  /** @param {{ since_ms: number, with?: string[] } | null} waiting */
  #you(waiting) {
    const before = JSON.stringify(this.#waiting);
    this.#waiting = waiting && { since_ms: waiting.since_ms, with: waiting.with ?? [] };
    return JSON.stringify(this.#waiting) !== before;
  }

  /** @param {Record<string, any>} piece */
  #snapshot(piece) {
    if (piece.first) this.#building = { now_ms: 0, zone: '', member: false, free_count: 0, tables: new Map(), people: new Map() };
    const building = this.#building;
    if (!building) return false;
    Object.assign(building, { now_ms: piece.now_ms, zone: piece.zone, member: piece.member, free_count: piece.free_count });
    take(building, piece);
    if (piece.last) [this.#whole, this.#building] = [building, null];
    return piece.last === true;
  }

  /** @param {Record<string, any>} patch */
  #patch(patch) {
    const picture = this.#building ?? this.#whole;
    if (!picture) return false;
    Object.assign(picture, { now_ms: patch.now_ms, free_count: patch.free_count });
    for (const id of patch.gone ?? []) picture.tables.delete(id);
    for (const id of patch.left ?? []) picture.people.delete(id);
    take(picture, patch);
    return this.#building === null;
  }

  /** @param {TableInfo} info @returns {Table} */
  #view({ waiting = [], ...table }) {
    const sits = table.taken.some(person => person.id === this.you), place = waiting.indexOf(this.you) + 1;
    const mine = sits ? (table.host === this.you ? 'host' : 'seat') : place > 0 ? 'waiting' : 'none';
    return /** @type {Table} */ ({ ...table, my_place: place, mine });
  }
}

/** What may be absent on the wire. */
const BLANK = { now: false, weekly: false, host: '', door: 'open', locked: false, taken: [], waiting_count: 0, in_call: 0 };
/** Tables, and people, that are kept. What a server sends beyond that is ignored. */
const MOST_ITEMS = 20_000;

/** @param {Picture} picture @param {Record<string, any>} part */
function take(picture, part) {
  for (const table of part.tables ?? []) put(picture.tables, { ...BLANK, ...table });
  for (const person of part.people ?? []) put(picture.people, person);
}

/** @template {{ id: string }} T @param {Map<string, T>} items @param {T} item */
function put(items, item) {
  if (items.size < MOST_ITEMS || items.has(item.id)) items.set(item.id, item);
}

/** The order of the bytes in UTF-8, which is not that of JavaScript's UTF-16. @param {string} a @param {string} b */
function byCodePoint(a, b) {
  for (let at = 0; at < a.length && at < b.length; at++) {
    if (a.charCodeAt(at) === b.charCodeAt(at)) continue;
    return (a.codePointAt(at) ?? 0) - (b.codePointAt(at) ?? 0);
  }
  return a.length - b.length;
}
