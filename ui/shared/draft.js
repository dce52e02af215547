// What is being written in the chat. It outlives the panel and the call, and takes back what could not be said.

import { backend } from './backend.js';

/** @typedef {import('./model.d.ts').CallState} CallState */

/** @type {Set<() => void>} */
const listeners = new Set();
/** Numbers of lines that were taken back; they are still told until the shell has forgotten them. @type {Set<number>} */
const taken = new Set();

export const draft = {
  room: '',
  text: '',
  /** Code of why a part of it was not said; empty: nobody tried. */
  why: '',

  /** Of another room nothing is kept. @param {string} room */
  enter(room) {
    if (room === draft.room) return;
    Object.assign(draft, { room, text: '', why: '' });
  },

  /** @param {() => void} listener called when something comes back */
  onReturn(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },

  /** Puts lines that were not said before what is being written. @param {CallState} call @returns {boolean} whether there were any */
  takeBack({ room, unsent = [] }) {
    for (const number of taken) if (!unsent.some(line => line.number === number)) taken.delete(number);
    const back = unsent.filter(line => line.failed !== null && !taken.has(line.number));
    if (!back.length) return false;
    draft.enter(room);
    draft.text = [...back.map(line => line.text), draft.text].filter(Boolean).join('\n');
    draft.why = back[back.length - 1].failed ?? '';
    for (const { number } of back) {
      taken.add(number);
      backend.call('drop_line', { number }).catch(() => taken.delete(number));
    }
    listeners.forEach(listener => listener());
    return true;
  },
};
