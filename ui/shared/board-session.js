// The board of a session: its state, the newest notices, and the requests that wait for an answer. The Rust client's
// `engine::driver::board_session` does the same. This module does not use the DOM.
//
//   off ── begin ──▶ subscribed ── first snapshot ──▶ shown
//                         ▲                             │
//                         └──── lost, next welcome ─────┘   the old board stays until the new one is whole

import { BoardFold } from './board-fold.js';

/** @typedef {import('./model.d.ts').BoardState} BoardState */
/** @typedef {import('./model.d.ts').Reminder} Reminder */
/** @typedef {import('./protocol.js').Message} Message */
/** @typedef {import('./protocol.js').Session} Session */
/** @typedef {{ about: number, awaited: string, resolve: (answer?: Message) => void, reject: (error: object) => void }} Request */

/** Requests that wait for the server's answer. When full, the oldest fails. */
const MAX_WAITING = 32;
/** Notices that are kept. When full, the oldest is dropped. */
const MAX_REMINDERS = 8;
/** Kinds of notices that can be shown. Other ones are ignored. */
const KINDS = ['soon', 'begins', 'moved_up', 'seated', 'deleted', 'moved', 'matched', 'unmatched', 'round_missed', 'round_cancelled'];

export class BoardSession {
  /** The board as soon as all of it has arrived. @type {BoardState | null} */
  state = null;
  /** The newest notices that were not dismissed, oldest first. @type {Reminder[]} */
  reminders = [];
  /** @type {Session | null} */
  #session = null;
  #fold = new BoardFold('');
  /** @type {Request[]} */
  #waiting = [];
  #nextReminder = 0;

  /** Starts with a new session, and forgets the old one. @param {Session} session @param {string} you the own device key */
  begin(session, you) {
    this.lost();
    this.#session = session;
    this.#fold = new BoardFold(you);
  }

  /** The server knows the person by this id. @param {string} you */
  be(you) {
    this.#fold = new BoardFold(you);
  }

  /** The session is lost. Its requests get no more answers. */
  lost() {
    for (const request of this.#waiting.splice(0)) request.reject({ code: 'unanswered', message: 'the connection was lost before the server answered' });
  }

  /** Forgets the board, which is no longer wanted. */
  end() {
    this.lost();
    this.state = null;
    this.reminders = [];
  }

  /**
   * Sends a request about the board or the account. While the connection is interrupted, it waits until the session is resumed or lost.
   * @param {Message} message of type `board` or `account`
   * @returns {Promise<Message | undefined>} the invite, the photo, the calendar's token, the devices or the record that was asked for; undefined for
   *   other requests. Rejects with the server's error, or with `unanswered`, `not_connected` or `server_too_old`.
   */
  request(message) {
    return new Promise((resolve, reject) => {
      const about = this.#session?.send(message) ?? 0;
      if (!about) return reject({ code: 'not_connected', message: 'there is no session' });
      if (this.#waiting.length === MAX_WAITING) this.#waiting.shift()?.reject({ code: 'unanswered', message: 'too many requests' });
      this.#waiting.push({ about, awaited: message.do === 'invite' ? `invite ${message.room}` : message.do === 'photo' ? `photo ${message.id}` : message.do, resolve, reject });
    });
  }

  /**
   * Handles a message of type `board` or `account`.
   * @param {Message} message @param {number} localMs this machine's clock, Unix milliseconds
   * @returns {boolean} whether `state` or `reminders` have changed
   */
  handle(message, localMs) {
    switch (message.news) {
      case 'done':
        this.#take(request => request.about === message.about)?.resolve();
        return false;
      case 'invite':
        this.#take(request => request.awaited === `invite ${message.room}`)?.resolve(message);
        return false;
      case 'photo':
        this.#take(request => request.awaited === `photo ${message.id}`)?.resolve(message);
        return false;
      case 'calendar':
        this.#take(request => request.awaited === 'calendar')?.resolve(message);
        return false;
      case 'devices':
        this.#take(request => request.awaited === 'devices')?.resolve(message);
        return false;
      case 'about_me':
      case 'order_book':
        this.#take(request => request.awaited === message.news)?.resolve(message);
        return false;
      case 'notice': return this.#remind(message);
      default:
        if (!this.#fold.handle(message, localMs)) return false;
        this.state = this.#fold.state();
        return true;
    }
  }

  /** Fails the request that an error is about. @param {Message} error @returns {boolean} false if it is about something else */
  refused({ about, code, message = '' }) {
    const request = about === undefined ? undefined : this.#take(one => one.about === about);
    // A server from before this request does not know it.
    const tooOld = code === 'malformed' && /^(about_me|order_book|lay_round|set_avatar|photo .*)$/.test(request?.awaited ?? '');
    request?.reject({ code: tooOld ? 'server_too_old' : code, message });
    return request !== undefined;
  }

  /** Removes the reminders up to this number. @param {number} last */
  dismiss(last) {
    this.reminders = this.reminders.filter(one => one.number > last);
  }

  /** @param {Message} notice */
  #remind({ kind, table = '', room = '', topic = '', starts_ms }) {
    if (!KINDS.includes(kind)) return false;
    const reminder = /** @type {Reminder} */ ({ number: this.#nextReminder++, kind, table, room, topic, starts_ms });
    this.reminders = [...this.reminders, reminder].slice(-MAX_REMINDERS);
    return true;
  }

  /** @param {(request: Request) => boolean} is */
  #take(is) {
    const at = this.#waiting.findIndex(is);
    return at < 0 ? undefined : this.#waiting.splice(at, 1)[0];
  }
}
