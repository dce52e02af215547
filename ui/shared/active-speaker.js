// Who speaks, from the levels of everybody alone. The Rust client's `media::active_speaker` follows the same rule and explains
// it, and both run docs/protocol/speakers.json. This module does not use the DOM.

/** Time between two updates, ms. */
export const TICK_MS = 100;

/** Quieter sound is not speech, dBFS. Speech is this much louder than the pauses, dB. */
const QUIETEST_SPEECH = -48, ABOVE_PAUSES = 9;
/** How fast the level of the pauses follows louder sound, dB in a tick, and its range, dBFS. */
const PAUSES_RISE = 0.6, QUIETEST_PAUSES = -70, LOUDEST_PAUSES = 0;
/** Speech begins after this many ticks with voice, and ends after this many without. */
const BEGINS = 2, ENDS = 4;
/** Part of the difference by which activity follows in a tick. Speech this much louder than the pauses counts fully, dB. */
const FOLLOWING = 0.1, LOUD = 40;
/** By how much more active than the active speaker somebody must be, and for how many ticks: while that one is silent, or speaks. */
const MARGIN = 0.1, AFTER_SILENCE = 3, WHILE_SPEAKING = 8;

/** The speech of one person. */
export class Speech {
  #pauses = QUIETEST_PAUSES;
  #voiced = 0;
  #unvoiced = 0;
  isSpeaking = false;
  /** How much the person spoke over about a second, 0..1. */
  activity = 0;

  /** Takes the level of the last tick. @param {number} dbfs what is not a number counts as silence */
  update(dbfs) {
    const level = Number.isNaN(dbfs) ? QUIETEST_PAUSES : Math.min(Math.max(dbfs, QUIETEST_PAUSES), LOUDEST_PAUSES);
    this.#pauses = Math.min(level, this.#pauses + PAUSES_RISE);
    const voice = level >= Math.max(QUIETEST_SPEECH, this.#pauses + ABOVE_PAUSES);
    [this.#voiced, this.#unvoiced] = voice ? [this.#voiced + 1, 0] : [0, this.#unvoiced + 1];
    this.isSpeaking = this.isSpeaking ? this.#unvoiced < ENDS : this.#voiced >= BEGINS;
    const loud = voice ? Math.min((level - this.#pauses) / LOUD, 1) : 0;
    this.activity += (loud - this.activity) * FOLLOWING;
  }
}

/** Chooses the active speaker among all participants. */
export class ActiveSpeaker {
  /** @type {Map<string, Speech>} */
  #people = new Map();
  /** Who speaks, or spoke last. @type {string | null} */
  active = null;
  /** Who is more active than the active speaker, and for how many ticks. @type {{ id: string, ticks: number } | null} */
  #rival = null;

  /** Takes the levels of the last tick. Whoever is not among them has left. @param {[id: string, dbfs: number][]} levels */
  update(levels) {
    const present = new Set(levels.map(([id]) => id));
    for (const id of this.#people.keys()) if (!present.has(id)) this.#people.delete(id);
    if (this.active !== null && !present.has(this.active)) this.active = null;
    for (const [id, level] of levels) {
      const speech = this.#people.get(id) ?? new Speech();
      speech.update(level);
      this.#people.set(id, speech);
    }
    this.#choose();
  }

  /** Everybody who speaks. @returns {string[]} */
  speaking() {
    return [...this.#people].filter(([, speech]) => speech.isSpeaking).map(([id]) => id);
  }

  #choose() {
    let best = null, activity = -1;
    for (const [id, speech] of this.#people) if (speech.isSpeaking && speech.activity > activity) [best, activity] = [id, speech.activity];
    const current = this.active === null ? undefined : this.#people.get(this.active);
    const rival = this.#rival;
    this.#rival = null;
    if (best === null || best === this.active) return;
    if (current?.isSpeaking && activity <= current.activity + MARGIN) return;
    const wait = !current ? 0 : current.isSpeaking ? WHILE_SPEAKING : AFTER_SILENCE;
    const ticks = 1 + (rival?.id === best ? rival.ticks : 0);
    if (ticks > wait) this.active = best;
    else this.#rival = { id: best, ticks };
  }
}
