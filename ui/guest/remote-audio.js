// Plays the others' audio on the selected loudspeaker.

export class RemoteAudio {
  /** @type {Map<string, HTMLAudioElement>} */
  #playing = new Map();
  /** @type {string | null} */
  #speaker = null;

  /** Selects the loudspeaker. @param {string | null} id null: the browser's default */
  set speaker(id) {
    this.#speaker = id;
    this.#playing.forEach(audio => this.#setSink(audio));
  }

  /** Plays a participant's track instead of an earlier one. @param {string} id participant @param {MediaStreamTrack} track */
  play(id, track) {
    this.stop(id);
    const audio = new Audio();
    audio.srcObject = new MediaStream([track]);
    this.#setSink(audio);
    // Browsers block audio before the first user gesture. Joining was one.
    audio.play().catch(error => console.warn('audio', String(error)));
    this.#playing.set(id, audio);
  }

  /** Stops a participant's audio, if any. @param {string} id participant */
  stop(id) {
    const audio = this.#playing.get(id);
    if (audio) audio.srcObject = null;
    this.#playing.delete(id);
  }

  stopAll() {
    [...this.#playing.keys()].forEach(id => this.stop(id));
  }

  /** @param {HTMLAudioElement} audio */
  #setSink(audio) {
    if (this.#speaker && 'setSinkId' in audio) audio.setSinkId(this.#speaker).catch(error => console.warn('speaker', String(error)));
  }
}
