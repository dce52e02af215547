// Navigation that only the page knows: which room's device check is open, and whether the end of a call was dismissed.
// Everything else follows from the state.

/**
 * @typedef {object} Target  the room of a device check
 * @property {string} room
 * @property {string} [server] `ws:` or `wss:` address; absent: the current server
 * @property {string | null} [fingerprint] SHA-256 of the only certificate to accept, 64 hexadecimal digits
 * @property {string | null} [invite] the token of a link
 * @property {boolean} known whether the settings contain the server
 * @property {string} [table] id of the table on the board
 */

/** @type {Set<() => void>} */
const listeners = new Set();

export const navigation = {
  /** The room whose device check is open. @type {Target | null} */
  target: null,
  /** Whether the screen about the end of the call was dismissed. */
  endDismissed: false,

  /** Opens a room's device check, or with null closes it. @param {Target | null} target */
  go(target) {
    navigation.target = target;
    navigation.endDismissed = true;
    listeners.forEach(listener => listener());
  },

  /** Calls a listener after each `go`; returns a function that removes it. @param {() => void} listener */
  onChange(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};
