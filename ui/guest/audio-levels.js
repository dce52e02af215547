// Who is how loud and who speaks. Participants say their level in each packet (RFC 6464), which the browser shows; where one
// does not, and for the own microphone, the browser's AnalyserNode measures.

import { ActiveSpeaker, Speech, TICK_MS } from '../shared/active-speaker.js';

/** How often a level is taken again although no packet came: late ones are no silence. */
const HOLD = 3;
/** Silence, dBFS. */
const SILENCE = -127;

/**
 * @typedef {object} Input
 * @property {MediaStreamTrack} track
 * @property {MediaStreamAudioSourceNode} source
 * @property {AnalyserNode} analyser
 * @property {RTCRtpReceiver} [receiver]  of a participant's track
 * @property {number} rtpTimestamp  of the newest packet that was seen
 * @property {number} held  how often no new packet was seen in a row
 */

export class AudioLevels {
  /** @type {Map<string, Input>} */
  #inputs = new Map();
  #samples = new Float32Array(1024);
  #own = new Speech();
  #speaker = new ActiveSpeaker();
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /** @param {() => AudioContext} audio returns the context @param {(levels: import('../shared/backend.js').Levels) => void} report receives the levels */
  constructor(audio, report) {
    this.audio = audio;
    this.report = report;
  }

  /** Measures a track, or with null stops measuring. @param {string} id participant id, or `own` @param {MediaStreamTrack | null} track @param {RTCRtpReceiver} [receiver] */
  setTrack(id, track, receiver) {
    const before = this.#inputs.get(id);
    if (before?.track === track) return;
    before?.source.disconnect();
    this.#inputs.delete(id);
    if (id === 'own') this.#own = new Speech();
    if (track) {
      const audio = this.audio(), source = audio.createMediaStreamSource(new MediaStream([track])), analyser = new AnalyserNode(audio, { fftSize: 1024 });
      source.connect(analyser);
      this.#inputs.set(id, { track, source, analyser, receiver, rtpTimestamp: -1, held: 0 });
    }
    clearInterval(this.#timer);
    if (this.#inputs.size) this.#timer = setInterval(() => this.#measure(), TICK_MS);
    else this.report({ levels: {}, speaking: [], active: null });
  }

  #measure() {
    const levels = Object.fromEntries([...this.#inputs].map(([id, input]) => [id, this.#said(input) ?? this.#measured(input)]));
    this.#own.update(levels.own ?? SILENCE);
    this.#speaker.update(Object.entries(levels).filter(([id]) => id !== 'own'));
    this.report({ levels, speaking: [...(this.#own.isSpeaking ? ['own'] : []), ...this.#speaker.speaking()], active: this.#speaker.active });
  }

  /** Returns the level in the newest packet, dBFS; null without one. @param {Input} input */
  #said(input) {
    const newest = input.receiver?.getSynchronizationSources()[0];
    if (newest?.audioLevel === undefined) return null;
    input.held = newest.rtpTimestamp === input.rtpTimestamp ? input.held + 1 : 0;
    input.rtpTimestamp = newest.rtpTimestamp;
    return input.held > HOLD ? SILENCE : Math.max(SILENCE, 20 * Math.log10(newest.audioLevel || 1e-10));
  }

  /** Returns the level of what is heard now, dBFS. @param {Input} input */
  #measured({ analyser }) {
    analyser.getFloatTimeDomainData(this.#samples);
    const power = this.#samples.reduce((sum, x) => sum + x * x, 0) / this.#samples.length;
    return Math.max(-100, 10 * Math.log10(power || 1e-10));
  }
}
