// Where in the app the person is, as far as only the window knows: which room's device check is open, and what has been
// read and put away. Everything else follows from the state.

/** @typedef {{ room: string, server?: string, fingerprint?: string | null, invite?: string | null, known: boolean, table?: string }} Target */

/** @type {Set<() => void>} */
const listeners = new Set();

export const place = {
  /** The room whose device check is open. @type {Target | null} */
  target: null,
  /** The end of the call has been read. */
  endSeen: false,

  /** @param {Target | null} target */
  go(target) {
    place.target = target;
    place.endSeen = true;
    listeners.forEach(listener => listener());
  },

  /** @param {() => void} listener */
  onMove(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};
