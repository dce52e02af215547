// How loud everybody is, by the browser's own analysers.

/** How often, ms. */
const EVERY_MS = 100;

export class Loudness {
  /** @type {Map<string, { track: MediaStreamTrack, source: MediaStreamAudioSourceNode, analyser: AnalyserNode }>} */
  #heard = new Map();
  #samples = new Float32Array(1024);
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /** @param {() => AudioContext} audio @param {(levels: Record<string, number>) => void} tell */
  constructor(audio, tell) {
    this.audio = audio;
    this.tell = tell;
  }

  /** Listens to a track under a name, or with null no longer. @param {string} id @param {MediaStreamTrack | null} track */
  listen(id, track) {
    const before = this.#heard.get(id);
    if (before?.track === track) return;
    before?.source.disconnect();
    this.#heard.delete(id);
    if (track) {
      const audio = this.audio(), source = audio.createMediaStreamSource(new MediaStream([track])), analyser = new AnalyserNode(audio, { fftSize: 1024 });
      source.connect(analyser);
      this.#heard.set(id, { track, source, analyser });
    }
    clearInterval(this.#timer);
    if (this.#heard.size) this.#timer = setInterval(() => this.#measure(), EVERY_MS);
    else this.tell({});
  }

  #measure() {
    /** @type {Record<string, number>} */
    const levels = {};
    for (const [id, { analyser }] of this.#heard) {
      analyser.getFloatTimeDomainData(this.#samples);
      const power = this.#samples.reduce((sum, x) => sum + x * x, 0) / this.#samples.length;
      levels[id] = Math.max(-100, 10 * Math.log10(power || 1e-10));
    }
    this.tell(levels);
  }
}
