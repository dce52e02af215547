// The client's copy of the board, built from the server's messages (PROTOCOL.md, The board): a snapshot in several
// messages, then patches. This module is pure. The Rust client's `signaling::board_fold` follows the same rules, and both
// run docs/protocol/board.json.

/** @typedef {import('./model.d.ts').BoardState} BoardState */
/** @typedef {import('./model.d.ts').TableView} TableView */
/** @typedef {import('./model.d.ts').PersonInfo} PersonInfo */
/** @typedef {import('./model.d.ts').Waiting} Waiting */
/** @typedef {import('./model.d.ts').TableInfo} TableInfo */
/** @typedef {import('./model.d.ts').Order} Order */
/** @typedef {import('./model.d.ts').RoundInfo} RoundInfo */
/** @typedef {import('./model.d.ts').RoundView} RoundView */
/** @typedef {Pick<BoardState, 'now_ms' | 'skew_ms' | 'zone' | 'member' | 'free_count' | 'hungry_count'>} Facts */
/** @typedef {Facts & { tables: Map<string, TableInfo>, rounds: Map<string, RoundInfo>, people: Map<string, PersonInfo> }} Snapshot */

/** Nothing of the community's order concerns the person. @type {Order} */
const NO_ORDER = { steward: false, reports: 0, blocked: [], acts: [] };

export class BoardFold {
  /** The snapshot that is still incomplete. @type {Snapshot | null} */
  #partial = null;
  /** The last complete snapshot with all later patches. @type {Snapshot | null} */
  #complete = null;
  /** @type {Waiting | null} */
  #waiting = null;
  /** Ids of the rounds for which the person has signed up. @type {string[]} */
  #joined = [];

  /** @type {Order} */
  #order = NO_ORDER;

  /** @param {string} you the own person id, which is the device key */
  constructor(you) {
    this.you = you;
  }

  /**
   * Applies a message of type `board`.
   * @param {Record<string, any>} news
   * @param {number} localMs this machine's clock, Unix milliseconds; it need not be right
   * @returns {boolean} whether `state()` has changed
   */
  handle(news, localMs) {
    switch (news.news) {
      case 'snapshot': return this.#snapshot(news, localMs);
      case 'patch': return this.#patch(news, localMs);
      case 'you': return this.#you(news.waiting ?? null, news.rounds ?? []);
      case 'order': return this.#setOrder(news);
      default: return false;
    }
  }

  /** Returns the board; null before the first complete snapshot. @returns {BoardState | null} */
  state() {
    if (!this.#complete) return null;
    const { tables: infos, rounds: roundInfos, people: persons, ...facts } = this.#complete;
    const tables = [...infos.values()].map(info => this.#view(info)).sort((a, b) => a.starts_ms - b.starts_ms || byCodePoint(a.id, b.id));
    const rounds = [...roundInfos.values()].map(info => this.#round(info)).sort((a, b) => a.starts_ms - b.starts_ms || byCodePoint(a.id, b.id));
    const people = [...persons.values()].sort((a, b) => byCodePoint(a.name, b.name) || byCodePoint(a.id, b.id));
    const seated = tables.find(table => table.mine === 'seat' || table.mine === 'host')?.id ?? null;
    return { ...facts, tables, rounds, people, waiting: this.#waiting, seated, order: this.#order };
  }

  /** @param {{ since_ms: number, with?: string[] } | null} waiting @param {string[]} rounds */
  #you(waiting, rounds) {
    const before = JSON.stringify([this.#waiting, this.#joined]);
    this.#waiting = waiting && { since_ms: waiting.since_ms, with: waiting.with ?? [] };
    this.#joined = rounds;
    return JSON.stringify([this.#waiting, this.#joined]) !== before;
  }

  /** @param {Record<string, any>} news */
  #setOrder({ steward = false, reports = 0, blocked = [], acts = [], suspension }) {
    const before = JSON.stringify(this.#order);
    this.#order = { steward, reports, blocked, acts, ...(suspension ? { suspension } : {}) };
    return JSON.stringify(this.#order) !== before;
  }

  /** @param {Record<string, any>} message one of the messages of a snapshot @param {number} localMs */
  #snapshot(message, localMs) {
    if (message.first) this.#partial = { now_ms: 0, skew_ms: 0, zone: '', member: false, free_count: 0, hungry_count: 0, tables: new Map(), rounds: new Map(), people: new Map() };
    const partial = this.#partial;
    if (!partial) return false;
    Object.assign(partial, { zone: message.zone, member: message.member });
    insert(partial, message, localMs);
    if (message.last) [this.#complete, this.#partial] = [partial, null];
    return message.last === true;
  }

  /** @param {Record<string, any>} patch @param {number} localMs */
  #patch(patch, localMs) {
    const board = this.#partial ?? this.#complete;
    if (!board) return false;
    for (const id of patch.gone ?? []) board.tables.delete(id);
    for (const id of patch.rounds_gone ?? []) board.rounds.delete(id);
    for (const id of patch.left ?? []) board.people.delete(id);
    insert(board, patch, localMs);
    return this.#partial === null;
  }

  /** A round as this person sees it. @param {RoundInfo} info @returns {RoundView} */
  #round(info) {
    return { ...info, own: info.host === this.you, joined: this.#joined.includes(info.id) };
  }

  /** A table as this person sees it. @param {TableInfo} info @returns {TableView} */
  #view(info) {
    const sits = info.taken.some(person => person.id === this.you), place = (info.waiting ?? []).indexOf(this.you) + 1;
    const mine = sits ? (info.host === this.you ? 'host' : 'seat') : place > 0 ? 'waiting' : 'none';
    return { ...info, mine, my_place: place };
  }
}

/** Defaults of fields that a message may omit. */
const DEFAULTS = { now: false, weekly: false, host: '', door: 'open', locked: false, taken: [], waiting_count: 0, in_call: 0, sequence: 0 };
/** Defaults of fields of a round. */
const ROUND_DEFAULTS = { weekly: false, size: 'threes', host: '' };
/** Bounds of the tables, of the people, and of the rounds. Further ones from the server are ignored. */
const MAX_ITEMS = 20_000, MAX_ROUNDS = 1_000;

/** A smaller change of the clocks' difference is the delay of a message, ms. A larger one: a clock was set. */
const STEADY_MS = 1_000;

/** @param {Snapshot} board @param {Record<string, any>} message @param {number} localMs */
function insert(board, message, localMs) {
  const { now_ms, free_count, hungry_count } = message, skew = now_ms - localMs;
  if (board.now_ms === 0 || Math.abs(skew - board.skew_ms) > STEADY_MS) board.skew_ms = skew;
  Object.assign(board, { now_ms, free_count, hungry_count });
  for (const table of message.tables ?? []) put(board.tables, { ...DEFAULTS, ...table });
  for (const round of message.rounds ?? []) put(board.rounds, { ...ROUND_DEFAULTS, ...round }, MAX_ROUNDS);
  for (const person of message.people ?? []) put(board.people, person);
}

/** @template {{ id: string }} T @param {Map<string, T>} items @param {T} item @param {number} [most] */
function put(items, item, most = MAX_ITEMS) {
  if (items.size < most || items.has(item.id)) items.set(item.id, item);
}

/** Compares by Unicode scalar values, as Rust does. JavaScript compares UTF-16 code units. @param {string} a @param {string} b */
function byCodePoint(a, b) {
  for (let at = 0; at < a.length && at < b.length; at++) {
    if (a.charCodeAt(at) === b.charCodeAt(at)) continue;
    return (a.codePointAt(at) ?? 0) - (b.codePointAt(at) ?? 0);
  }
  return a.length - b.length;
}
