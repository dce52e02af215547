// Shows the person's avatar on the server of the door. The settings have it; the server has a copy for the others. The app's
// `own_avatar` does the same. This module does not use the DOM.

/** @typedef {import('../shared/model.d.ts').OwnAvatar} Own */
/** @typedef {import('../shared/model.d.ts').BoardState} BoardState */

export class AvatarCopy {
  /** Whether the board of this session was looked at. */
  #seen = false;
  /** Whether the person has changed the avatar since it was last sent. */
  #changed = false;

  /** A session begins. Its board has not arrived. */
  begin() {
    this.#seen = false;
  }

  changed() {
    this.#changed = true;
  }

  /**
   * Whether the avatar must be sent now: the person has changed it, or the board of a new session shows none.
   * @param {BoardState | null} board @param {string} me the own person id @param {Own} own
   */
  isDue(board, me, own) {
    if (!board) return false;
    const isNew = !this.#seen, isChanged = this.#changed;
    this.#seen = true;
    this.#changed = false;
    return isChanged || isNew && hasAny(own) && !hasAny(board.people.find(one => one.id === me)?.avatar ?? {});
  }
}

/** The fields of the request. @param {Own} own */
export const requestOf = ({ color, glyph, photo }) => ({ ...(color === null ? {} : { color }), ...(glyph ? { glyph } : {}), ...(photo ? { jpeg: photo } : {}) });

/** @param {{ color?: number | null, glyph?: string | null, photo?: string | null }} avatar */
const hasAny = ({ color, glyph, photo }) => (color ?? null) !== null || Boolean(glyph) || Boolean(photo);
