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

  /** Plays a track instead of an earlier one. @param {string} id a participant or a line @param {MediaStreamTrack} track */
  play(id, track) {
    const before = this.#playing.get(id)?.srcObject;
    if (before instanceof MediaStream && before.getTracks()[0] === track) return;
    this.stop(id);
    const audio = new Audio();
    audio.srcObject = new MediaStream([track]);
    this.#setSink(audio);
    // Browsers block audio before the first user gesture. Joining was one.
    audio.play().catch(error => console.warn('audio', String(error)));
    this.#playing.set(id, audio);
  }

  /** Stops the audio of a participant or a line, if any. @param {string} id */
  stop(id) {
    const audio = this.#playing.get(id);
    if (audio) audio.srcObject = null;
    this.#playing.delete(id);
  }

  /** @param {HTMLAudioElement} audio */
  #setSink(audio) {
    if (this.#speaker && 'setSinkId' in audio) audio.setSinkId(this.#speaker).catch(error => console.warn('speaker', String(error)));
  }
}
