// Lines of chat that the person has written and the room has not seen yet: a line waits while there is no session, goes
// out no faster than a server takes lines, and stays until the server sends it to everybody. What was not sent goes back
// to the person with the reason. Time is an argument. The Rust client's `call::unsent` does the same; both run
// docs/protocol/chat.json.

import { cleanChat } from './text.js';

/** @typedef {import('./model.d.ts').UnsentLine} UnsentLine */
/** @typedef {{ number: number, text: string, bytes: number, state: 'waiting' | 'in_flight' | 'failed', about: number, failed: string | null }} Line */

/** Lines, and bytes of text, that are kept. What is more is refused with `chat_full` and stays where it was written. */
const MOST_LINES = 50, MOST_BYTES = 64 * 1024;
/** Lines a second, and at once: fewer than a server takes, so that their order is kept. */
const RATE = 2, BURST = 8;
/** How long a line waits after the server has said that it was too fast, or the session that it is full, ms. */
const PAUSE_MS = 2_000;

/** What is thrown. @param {string} code */
const refusal = code => Object.assign(new Error(code), { code });

/**
 * ```text
 *  waiting ──said──▶ in_flight ──repeated by the server──▶ (chat)
 *    ▲ │               │ │
 *    │ └──call over──┐ │ └──refused, session lost──┐
 *    └──too fast─────│─┘                           │
 *                    └────────▶ failed ◀───────────┘
 * ```
 */
export class Unsent {
  /** @type {Line[]} */
  #lines = [];
  #numbers = 0;
  #credit = BURST;
  #creditAt = 0;

  /** As a window shows them. @returns {UnsentLine[]} */
  view() {
    return this.#lines.map(({ number, text, failed }) => ({ number, text, failed }));
  }

  /**
   * Takes a line over.
   * @param {string} text
   * @throws {Error & { code: string }} `chat_empty`, `chat_too_long`, `chat_full`
   */
  push(text) {
    const clean = cleanChat(text), bytes = new TextEncoder().encode(clean).length;
    const kept = this.#lines.reduce((sum, line) => sum + line.bytes, 0);
    if (this.#lines.length >= MOST_LINES || kept + bytes > MOST_BYTES) throw refusal('chat_full');
    this.#lines.push({ number: ++this.#numbers, text: clean, bytes, state: 'waiting', about: 0, failed: null });
  }

  /** Forgets a line that has not gone out, or was not said. @param {number} number */
  drop(number) {
    this.#lines = this.#lines.filter(line => line.number !== number || line.state === 'in_flight');
  }

  /** Says what may be said now, while somebody listens. @param {number} now @param {(text: string) => number} send answers its number in the session */
  say(now, send) {
    for (const line of this.#lines) {
      if (line.state !== 'waiting') continue;
      if (this.#creditOf(now) < 1) return;
      try {
        line.about = send(line.text);
        line.state = 'in_flight';
        [this.#credit, this.#creditAt] = [this.#creditOf(now) - 1, now];
      } catch (error) {
        const { code = 'internal' } = /** @type {{ code?: string }} */ (error);
        if (code === 'send_queue_full') return this.#pause(now);
        Object.assign(line, { state: 'failed', failed: code });
      }
    }
  }

  /** When the next line may be said; null when none waits. @param {number} now */
  due(now) {
    if (!this.#lines.some(line => line.state === 'waiting')) return null;
    return now + Math.max(0, 1 - this.#creditOf(now)) / RATE * 1000;
  }

  /** The server has refused a message. @param {number} now @param {number} about @param {string} code @returns {boolean} whether it was one of these lines */
  refused(now, about, code) {
    const line = this.#lines.find(one => one.state === 'in_flight' && one.about === about);
    if (!line) return false;
    if (code === 'rate_limited') {
      line.state = 'waiting';
      this.#pause(now);
    } else Object.assign(line, { state: 'failed', failed: code });
    return true;
  }

  /** The server has repeated a line of ours to everybody: the oldest that is on its way. */
  repeated() {
    const at = this.#lines.findIndex(line => line.state === 'in_flight');
    if (at >= 0) this.#lines.splice(at, 1);
  }

  /** The session is gone, and with it every answer: the others may have these lines or not. */
  sessionLost() {
    for (const line of this.#lines) if (line.state === 'in_flight') Object.assign(line, { state: 'failed', failed: 'chat_unconfirmed' });
  }

  /** The call is over: what has not gone out does not any more. */
  callEnded() {
    for (const line of this.#lines) if (line.state === 'waiting') Object.assign(line, { state: 'failed', failed: 'chat_call_ended' });
  }

  /** Forgets every line: what was written for one room is not for another. */
  clear() {
    this.#lines = [];
  }

  /** @param {number} now */
  #creditOf(now) {
    return Math.min(BURST, this.#credit + Math.max(0, now - this.#creditAt) / 1000 * RATE);
  }

  /** @param {number} now */
  #pause(now) {
    const credit = Math.min(this.#creditOf(now), 1 - PAUSE_MS / 1000 * RATE);
    [this.#credit, this.#creditAt] = [credit, now];
  }
}
