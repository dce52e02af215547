// Whose picture has stopped although the camera is on: a sender whose network is too slow for everybody's video sends some
// people only sound.

/** @typedef {import('../model.d.ts').ParticipantView} ParticipantView */
/** @typedef {import('../model.d.ts').Stats} Stats */

/** A picture without a new frame for this time has stopped, ms. A camera in the dark may need a second for one. */
const STOPPED_MS = 4000;

export class StoppedPictures {
  /** The frames decoded of each participant, and when the last of them was. @type {Map<string, { decoded: number, at: number }>} */
  #last = new Map();
  #now = 0;

  /**
   * Takes new statistics.
   * @param {ParticipantView[]} participants @param {Stats} stats @param {boolean} looks whether pictures are displayed, without which none are sent
   */
  update(participants, { at_ms, people }, looks) {
    const before = this.#last;
    this.#last = new Map();
    for (const { id, link, media } of participants) {
      const stats = people.find(one => one.id === id), old = before.get(id);
      if (!looks || !media.camera || link !== 'connected' || !stats) continue;
      const { decoded } = stats.video_in;
      this.#last.set(id, old?.decoded === decoded ? old : { decoded, at: at_ms });
    }
    this.#now = at_ms;
  }

  /** Whether a participant's picture has stopped. @param {string} id */
  has(id) {
    const last = this.#last.get(id);
    return last !== undefined && this.#now - last.at >= STOPPED_MS;
  }
}
