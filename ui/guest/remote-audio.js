// What the others say, on the loudspeaker that was chosen.

export class RemoteSound {
  /** @type {Map<string, HTMLAudioElement>} */
  #playing = new Map();
  /** @type {string | null} */
  #speaker = null;

  /** @param {string | null} id */
  set speaker(id) {
    this.#speaker = id;
    this.#playing.forEach(audio => this.#lead(audio));
  }

  /** @param {string} id @param {MediaStreamTrack} track */
  play(id, track) {
    this.stop(id);
    const audio = new Audio();
    audio.srcObject = new MediaStream([track]);
    this.#lead(audio);
    // Browsers hold sound back until the first press; joining was one.
    audio.play().catch(error => console.warn('sound', String(error)));
    this.#playing.set(id, audio);
  }

  /** @param {string} id */
  stop(id) {
    const audio = this.#playing.get(id);
    if (audio) audio.srcObject = null;
    this.#playing.delete(id);
  }

  stopAll() {
    [...this.#playing.keys()].forEach(id => this.stop(id));
  }

  /** @param {HTMLAudioElement} audio */
  #lead(audio) {
    if (this.#speaker && 'setSinkId' in audio) audio.setSinkId(this.#speaker).catch(error => console.warn('speaker', String(error)));
  }
}
