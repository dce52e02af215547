// The person's own chat lines that the server has not confirmed yet. A line waits for a session, respects the server's
// rate limit, and is removed when the server sends it to the room. A line that failed returns to the person with the error
// code. Time is an argument. The Rust client's `call::unsent` follows the same rules, and both run docs/protocol/chat.json.

import { cleanChat } from './text.js';

/** @typedef {import('./model.d.ts').UnsentLine} UnsentLine */
/**
 * @typedef {object} Line
 * @property {number} number identifies the line
 * @property {string} text
 * @property {number} bytes of the text in UTF-8
 * @property {'waiting' | 'in_flight' | 'failed'} state
 * @property {number} seq of the message; 0 before it is sent
 * @property {string | null} failed error code of a failed line
 */

/** Bounds of all lines. Beyond them `push` throws `chat_full`, and the text stays in its field. */
const MAX_LINES = 50, MAX_BYTES = 64 * 1024;
/** Token bucket: lines per second, and its size. Both are below the server's limits, so that no line is rejected and the order is kept. */
const RATE = 2, BURST = 8;
/** Pause after `rate_limited` from the server, or `send_queue_full` from the session, ms. */
const PAUSE_MS = 2_000;

/** @param {string} code */
const errorOf = code => Object.assign(new Error(code), { code });

/**
 * ```text
 *  waiting ──sent──▶ in_flight ──received from the server──▶ (chat)
 *    ▲ │               │ │
 *    │ └──call ended─┐ │ └──rejected, session lost─┐
 *    └─rate_limited──│─┘                           │
 *                    └────────▶ failed ◀───────────┘
 * ```
 */
export class Unsent {
  /** @type {Line[]} */
  #lines = [];
  #lastNumber = 0;
  #tokens = BURST;
  /** When the tokens were last counted, ms. */
  #countedAt = 0;

  /** Returns the lines for display, oldest first. @returns {UnsentLine[]} */
  view() {
    return this.#lines.map(({ number, text, failed }) => ({ number, text, failed }));
  }

  /**
   * Adds a line.
   * @param {string} text
   * @throws {Error & { code: 'chat_empty' | 'chat_too_long' | 'chat_full' }} nothing visible; more than 4,000 characters;
   *   50 lines or 64 KiB wait already
   */
  push(text) {
    const clean = cleanChat(text), bytes = new TextEncoder().encode(clean).length;
    const kept = this.#lines.reduce((sum, line) => sum + line.bytes, 0);
    if (this.#lines.length >= MAX_LINES || kept + bytes > MAX_BYTES) throw errorOf('chat_full');
    this.#lines.push({ number: ++this.#lastNumber, text: clean, bytes, state: 'waiting', seq: 0, failed: null });
  }

  /** Removes a line that is waiting or has failed. @param {number} number */
  drop(number) {
    this.#lines = this.#lines.filter(line => line.number !== number || line.state === 'in_flight');
  }

  /**
   * Sends the waiting lines that the rate limit allows. The caller has a seat and an open session.
   * @param {number} now ms
   * @param {(text: string) => number} send sends a line and returns the `seq` of its message; may throw an error with a `code`
   */
  sendDue(now, send) {
    for (const line of this.#lines) {
      if (line.state !== 'waiting') continue;
      if (this.#tokensAt(now) < 1) return;
      try {
        line.seq = send(line.text);
        line.state = 'in_flight';
        [this.#tokens, this.#countedAt] = [this.#tokensAt(now) - 1, now];
      } catch (error) {
        const { code = 'internal' } = /** @type {{ code?: string }} */ (error);
        if (code === 'send_queue_full') return this.#pause(now);
        Object.assign(line, { state: 'failed', failed: code });
      }
    }
  }

  /** Returns when the next line can be sent, ms; null if none waits. @param {number} now ms */
  dueAt(now) {
    if (!this.#lines.some(line => line.state === 'waiting')) return null;
    return now + Math.max(0, 1 - this.#tokensAt(now)) / RATE * 1000;
  }

  /**
   * The server rejected a message.
   * @param {number} now ms
   * @param {number} about the `seq` of the rejected message
   * @param {string} code
   * @returns {boolean} whether the message was one of these lines
   */
  rejected(now, about, code) {
    const line = this.#lines.find(one => one.state === 'in_flight' && one.seq === about);
    if (!line) return false;
    if (code === 'rate_limited') {
      line.state = 'waiting';
      this.#pause(now);
    } else Object.assign(line, { state: 'failed', failed: code });
    return true;
  }

  /** The server sent an own line to the room: the oldest line in flight is confirmed. */
  confirmed() {
    const at = this.#lines.findIndex(line => line.state === 'in_flight');
    if (at >= 0) this.#lines.splice(at, 1);
  }

  /** The session was lost, and with it every answer. The others may or may not have received the lines in flight. */
  sessionLost() {
    for (const line of this.#lines) if (line.state === 'in_flight') Object.assign(line, { state: 'failed', failed: 'chat_unconfirmed' });
  }

  /** The call ended. Waiting lines fail. */
  callEnded() {
    for (const line of this.#lines) if (line.state === 'waiting') Object.assign(line, { state: 'failed', failed: 'chat_call_ended' });
  }

  /** Removes all lines. Called before the person joins another room. */
  clear() {
    this.#lines = [];
  }

  /** @param {number} now */
  #tokensAt(now) {
    return Math.min(BURST, this.#tokens + Math.max(0, now - this.#countedAt) / 1000 * RATE);
  }

  /** @param {number} now */
  #pause(now) {
    const tokens = Math.min(this.#tokensAt(now), 1 - PAUSE_MS / 1000 * RATE);
    [this.#tokens, this.#countedAt] = [tokens, now];
  }
}
