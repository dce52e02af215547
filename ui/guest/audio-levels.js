// Measures the audio level of each participant with the browser's AnalyserNode.

const INTERVAL_MS = 100;

export class AudioLevels {
  /** @type {Map<string, { track: MediaStreamTrack, source: MediaStreamAudioSourceNode, analyser: AnalyserNode }>} */
  #inputs = new Map();
  #samples = new Float32Array(1024);
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /** @param {() => AudioContext} audio returns the context @param {(levels: Record<string, number>) => void} report receives the levels, dBFS by id */
  constructor(audio, report) {
    this.audio = audio;
    this.report = report;
  }

  /** Measures a track, or with null stops measuring. @param {string} id participant id, or `own` @param {MediaStreamTrack | null} track */
  setTrack(id, track) {
    const before = this.#inputs.get(id);
    if (before?.track === track) return;
    before?.source.disconnect();
    this.#inputs.delete(id);
    if (track) {
      const audio = this.audio(), source = audio.createMediaStreamSource(new MediaStream([track])), analyser = new AnalyserNode(audio, { fftSize: 1024 });
      source.connect(analyser);
      this.#inputs.set(id, { track, source, analyser });
    }
    clearInterval(this.#timer);
    if (this.#inputs.size) this.#timer = setInterval(() => this.#measure(), INTERVAL_MS);
    else this.report({});
  }

  #measure() {
    /** @type {Record<string, number>} */
    const levels = {};
    for (const [id, { analyser }] of this.#inputs) {
      analyser.getFloatTimeDomainData(this.#samples);
      const power = this.#samples.reduce((sum, x) => sum + x * x, 0) / this.#samples.length;
      levels[id] = Math.max(-100, 10 * Math.log10(power || 1e-10));
    }
    this.report(levels);
  }
}
