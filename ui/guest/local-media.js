// The browser's camera, microphone and loudspeaker as the guest's own devices: open while they are on, closed when off.

/** @typedef {import('../shared/model.d.ts').Media} Media */
/** @typedef {import('../shared/model.d.ts').Choice} Choice */
/** @typedef {import('../shared/model.d.ts').Device} Device */
/** @typedef {import('../shared/model.d.ts').Problem} Problem */
/** @typedef {'camera' | 'microphone'} Kind */

/** @type {Kind[]} */
const KINDS = ['camera', 'microphone'];
/** What a call asks of a camera. */
const PICTURE = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
const BEEP_S = 0.35, BEEP_HZ = 660;

/**
 * Events: `tracks` (detail: the kind whose track changed), `lost` (detail: the kind whose device is gone), `changed`
 * (devices or problems).
 */
export class OwnMedia extends EventTarget {
  /** @type {Record<Kind, MediaStreamTrack | null>} */
  tracks = { camera: null, microphone: null };
  /** @type {Choice} */
  choice = { camera: null, microphone: null, speaker: null };
  /** @type {Device[]} */
  devices = [];
  /** @type {Problem[]} */
  problems = [];
  /** @type {AudioContext | null} */
  #audio = null;
  /** @type {Media} */
  #wanted = { camera: false, microphone: false };
  /** One opening after the other. */
  #chain = Promise.resolve();

  constructor() {
    super();
    navigator.mediaDevices?.addEventListener('devicechange', () => this.refresh());
  }

  /** For sounds and levels; made when first needed, after a press. */
  get audio() {
    this.#audio ??= new AudioContext();
    if (this.#audio.state === 'suspended') this.#audio.resume().catch(() => {});
    return this.#audio;
  }

  /** What is open or being opened. @returns {Media} */
  get wanted() {
    return { ...this.#wanted };
  }

  /** What is really open. @returns {Media} */
  get open() {
    return { camera: this.tracks.camera?.readyState === 'live', microphone: this.tracks.microphone?.readyState === 'live' };
  }

  /** Opens what is on and closes what is off; done once everything is open or has failed. @param {Media} media */
  want(media) {
    const before = this.#wanted;
    this.#wanted = { ...media };
    // What is off is closed at once, also while the browser still asks about something else.
    for (const kind of KINDS) {
      if (media[kind]) continue;
      this.#close(kind);
      if (before[kind]) this.#clear(kind);
    }
    this.#chain = this.#chain.then(async () => {
      await this.#bring('camera');
      await this.#bring('microphone');
    });
    return this.#chain;
  }

  /** @param {Choice} choice */
  async choose(choice) {
    const before = this.choice;
    this.choice = { ...choice };
    for (const kind of KINDS) {
      if (before[kind] === choice[kind]) continue;
      this.#close(kind);
      // Who chooses another one after a failure wants it open.
      if (this.problems.some(one => one.device === kind)) this.#wanted[kind] = true;
    }
    this.#clear('speaker');
    await this.want(this.#wanted);
    this.#changed();
  }

  async refresh() {
    const all = await navigator.mediaDevices?.enumerateDevices().catch(() => []) ?? [];
    const kinds = /** @type {Record<string, Device['kind']>} */ ({ videoinput: 'camera', audioinput: 'microphone', audiooutput: 'speaker' });
    // Before permission the browser tells that there is something, but neither name nor id.
    this.devices = all.filter(one => one.deviceId !== 'default' && one.deviceId !== 'communications')
      .map((one, n) => ({ id: one.deviceId || `unnamed-${n}`, name: one.label || one.kind.replace(/input|output/, ''), kind: kinds[one.kind], default: false, synthetic: false }));
    this.#changed();
  }

  beep() {
    const { audio } = this, now = audio.currentTime;
    const tone = new OscillatorNode(audio, { frequency: BEEP_HZ }), gain = new GainNode(audio, { gain: 0 });
    gain.gain.linearRampToValueAtTime(0.25, now + 0.03);
    gain.gain.linearRampToValueAtTime(0, now + BEEP_S);
    tone.connect(gain).connect(audio.destination);
    tone.start();
    tone.stop(now + BEEP_S);
  }

  /** @param {Kind} kind */
  async #bring(kind) {
    if (!this.#wanted[kind]) return;
    if (this.tracks[kind]?.readyState === 'live') return;
    try {
      const id = this.choice[kind], device = id && !id.startsWith('unnamed') ? { deviceId: { exact: id } } : {};
      const stream = await navigator.mediaDevices.getUserMedia(kind === 'camera' ? { video: { ...PICTURE, ...device } }
        : { audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, ...device } });
      const [track] = stream.getTracks();
      if (!this.#wanted[kind]) return track.stop();
      track.addEventListener('ended', () => this.#gone(kind, track));
      this.tracks[kind] = track;
      this.#clear(kind);
      this.dispatchEvent(new CustomEvent('tracks', { detail: kind }));
      await this.refresh();
    } catch (error) {
      // Not asked for again until the person does: each asking may be a question of the browser's.
      this.#wanted[kind] = false;
      this.#tell(kind, codeOf(error));
    }
  }

  /** @param {Kind} kind @param {MediaStreamTrack} track */
  #gone(kind, track) {
    if (this.tracks[kind] !== track) return;
    this.#wanted[kind] = false;
    this.#close(kind);
    this.#tell(kind, 'device_gone');
    this.dispatchEvent(new CustomEvent('lost', { detail: kind }));
    this.refresh();
  }

  /** @param {Kind} kind */
  #close(kind) {
    const track = this.tracks[kind];
    if (!track) return;
    track.stop();
    this.tracks[kind] = null;
    this.dispatchEvent(new CustomEvent('tracks', { detail: kind }));
  }

  /** @param {Kind} kind @param {string} code */
  #tell(kind, code) {
    this.problems = [...this.problems.filter(one => one.device !== kind), { code, message: code, device: kind }];
    this.#changed();
  }

  /** @param {Device['kind']} kind */
  #clear(kind) {
    if (!this.problems.some(one => one.device === kind)) return;
    this.problems = this.problems.filter(one => one.device !== kind);
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new CustomEvent('changed'));
  }
}

/** @param {unknown} error */
function codeOf(error) {
  const codes = /** @type {Record<string, string>} */ ({ NotAllowedError: 'browser_permission_denied', SecurityError: 'browser_permission_denied', NotFoundError: 'device_not_found',
    OverconstrainedError: 'device_not_found', NotReadableError: 'device_busy', AbortError: 'device_failed' });
  return codes[error instanceof Error || error instanceof DOMException ? error.name : ''] ?? 'device_failed';
}
