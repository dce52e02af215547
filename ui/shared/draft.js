// The text in the chat field. It outlives the chat panel and the call, and takes back lines that failed.

import { backend } from './backend.js';

/** @typedef {import('./model.d.ts').CallView} CallView */

/** @type {Set<() => void>} */
const listeners = new Set();
/** Numbers of lines that were taken back. The state lists them until the backend has dropped them. @type {Set<number>} */
const taken = new Set();

export const draft = {
  room: '',
  text: '',
  /** Error code of the last line that was taken back; empty: none. */
  error: '',

  /** Sets the room, and clears the draft of another room. @param {string} room */
  enter(room) {
    if (room === draft.room) return;
    Object.assign(draft, { room, text: '', error: '' });
  },

  /** Adds a listener, which is called when lines are taken back; returns a function that removes it. @param {() => void} listener */
  onReturn(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },

  /** Inserts failed lines before the text. @param {CallView} call @returns {boolean} whether there were any */
  takeBack({ room, unsent = [] }) {
    for (const number of taken) if (!unsent.some(line => line.number === number)) taken.delete(number);
    const failed = unsent.filter(line => line.failed !== null && !taken.has(line.number));
    if (!failed.length) return false;
    draft.enter(room);
    draft.text = [...failed.map(line => line.text), draft.text].filter(Boolean).join('\n');
    draft.error = failed[failed.length - 1].failed ?? '';
    for (const { number } of failed) {
      taken.add(number);
      backend.call('drop_line', { number }).catch(() => taken.delete(number));
    }
    listeners.forEach(listener => listener());
    return true;
  },
};
