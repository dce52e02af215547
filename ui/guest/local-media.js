// The guest's camera, microphone and loudspeaker. A device is open only while it is switched on.

/** @typedef {import('../shared/model.d.ts').MediaState} MediaState */
/** @typedef {import('../shared/model.d.ts').DeviceChoice} DeviceChoice */
/** @typedef {import('../shared/model.d.ts').DeviceInfo} DeviceInfo */
/** @typedef {import('../shared/model.d.ts').Problem} Problem */
/** @typedef {'camera' | 'microphone'} Kind */

/** @type {Kind[]} */
const KINDS = ['camera', 'microphone'];
/** Constraints for the camera. */
const VIDEO_CONSTRAINTS = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
/** How a microphone's sound is processed while nobody has chosen. */
const PROCESSING = { noise: true, music: false };
const TEST_SOUND_S = 0.35, TEST_SOUND_HZ = 660;

/**
 * Events:
 * - `tracks` (detail: the kind): a track was replaced or removed;
 * - `lost` (detail: the kind): an open device was disconnected;
 * - `changed` (no detail): the devices or the problems have changed.
 */
export class LocalMedia extends EventTarget {
  /** @type {Record<Kind, MediaStreamTrack | null>} */
  tracks = { camera: null, microphone: null };
  /** @type {DeviceChoice} */
  choice = { camera: null, microphone: null, speaker: null };
  /** @type {DeviceInfo[]} */
  devices = [];
  /** @type {Problem[]} */
  problems = [];
  /** @type {AudioContext | null} */
  #audio = null;
  /** @type {MediaState} */
  #requested = { camera: false, microphone: false };
  #processing = PROCESSING;
  /** Opens one device after the other. */
  #opening = Promise.resolve();

  constructor() {
    super();
    navigator.mediaDevices?.addEventListener('devicechange', () => this.refresh());
  }

  /** The context for sounds and levels. It is created at the first use, which follows a user gesture. */
  get audio() {
    this.#audio ??= new AudioContext();
    if (this.#audio.state === 'suspended') this.#audio.resume().catch(() => {});
    return this.#audio;
  }

  /** The devices that are open or opening. @returns {MediaState} */
  get requested() {
    return { ...this.#requested };
  }

  /** The devices that are open. @returns {MediaState} */
  get live() {
    return { camera: this.tracks.camera?.readyState === 'live', microphone: this.tracks.microphone?.readyState === 'live' };
  }

  /** Opens the devices that are on and closes the others. Resolves when each device is open or has failed. @param {MediaState} media */
  open(media) {
    const before = this.#requested;
    this.#requested = { ...media };
    // Close devices immediately, even while the browser still asks for permission to open another one.
    for (const kind of KINDS) {
      if (media[kind]) continue;
      this.#close(kind);
      if (before[kind]) this.#clearProblem(kind);
    }
    this.#opening = this.#opening.then(async () => {
      await this.#openDevice('camera');
      await this.#openDevice('microphone');
    });
    return this.#opening;
  }

  /** Selects devices, and reopens those that are on. @param {DeviceChoice} choice */
  async select(choice) {
    const before = this.choice;
    this.choice = { ...choice };
    for (const kind of KINDS) {
      if (before[kind] === choice[kind]) continue;
      this.#close(kind);
      // A person who selects another device after a failure wants it open.
      if (this.problems.some(one => one.device === kind)) this.#requested[kind] = true;
    }
    this.#clearProblem('speaker');
    await this.open(this.#requested);
    this.#emitChanged();
  }

  /**
   * Changes how the microphone's sound is processed. An open microphone is opened again, because not every browser changes
   * that of an open one. Browsers have noise suppression, but not its strength.
   * @param {Pick<import('../shared/model.d.ts').Settings, 'noise' | 'music'>} settings
   */
  async setProcessing({ noise, music }) {
    const before = this.#processing;
    this.#processing = { noise: noise !== 'off', music };
    if (before.noise === this.#processing.noise && before.music === music) return;
    this.#close('microphone');
    await this.open(this.#requested);
  }

  /** Lists the devices again. */
  async refresh() {
    const all = await navigator.mediaDevices?.enumerateDevices().catch(() => []) ?? [];
    const kinds = /** @type {Record<string, DeviceInfo['kind']>} */ ({ videoinput: 'camera', audioinput: 'microphone', audiooutput: 'speaker' });
    // Before permission is granted the browser lists devices without name and id.
    this.devices = all.filter(one => one.deviceId !== 'default' && one.deviceId !== 'communications')
      .map((one, n) => ({ id: one.deviceId || `unnamed-${n}`, name: one.label || one.kind.replace(/input|output/, ''), kind: kinds[one.kind], default: false, synthetic: false }));
    this.#emitChanged();
  }

  playTestSound() {
    const { audio } = this, now = audio.currentTime;
    const tone = new OscillatorNode(audio, { frequency: TEST_SOUND_HZ }), gain = new GainNode(audio, { gain: 0 });
    gain.gain.linearRampToValueAtTime(0.25, now + 0.03);
    gain.gain.linearRampToValueAtTime(0, now + TEST_SOUND_S);
    tone.connect(gain).connect(audio.destination);
    tone.start();
    tone.stop(now + TEST_SOUND_S);
  }

  /** @param {Kind} kind */
  async #openDevice(kind) {
    if (!this.#requested[kind]) return;
    if (this.tracks[kind]?.readyState === 'live') return;
    try {
      const id = this.choice[kind], device = id && !id.startsWith('unnamed') ? { deviceId: { exact: id } } : {};
      const stream = await navigator.mediaDevices.getUserMedia(kind === 'camera' ? { video: { ...VIDEO_CONSTRAINTS, ...device } }
        : { audio: { ...this.#soundConstraints(), ...device } });
      const [track] = stream.getTracks();
      if (!this.#requested[kind]) return track.stop();
      track.addEventListener('ended', () => this.#handleLost(kind, track));
      this.tracks[kind] = track;
      this.#clearProblem(kind);
      this.dispatchEvent(new CustomEvent('tracks', { detail: kind }));
      await this.refresh();
    } catch (error) {
      // Do not retry automatically: each attempt may open a permission prompt.
      this.#requested[kind] = false;
      this.#setProblem(kind, codeOf(error));
    }
  }

  /** Music is sent as it is, without the echo of the others. @returns {MediaTrackConstraints} */
  #soundConstraints() {
    const { noise, music } = this.#processing;
    return { echoCancellation: true, noiseSuppression: noise && !music, autoGainControl: !music };
  }

  /** @param {Kind} kind @param {MediaStreamTrack} track */
  #handleLost(kind, track) {
    if (this.tracks[kind] !== track) return;
    this.#requested[kind] = false;
    this.#close(kind);
    this.#setProblem(kind, 'device_gone');
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
  #setProblem(kind, code) {
    this.problems = [...this.problems.filter(one => one.device !== kind), { code, message: code, device: kind }];
    this.#emitChanged();
  }

  /** @param {DeviceInfo['kind']} kind */
  #clearProblem(kind) {
    if (!this.problems.some(one => one.device === kind)) return;
    this.problems = this.problems.filter(one => one.device !== kind);
    this.#emitChanged();
  }

  #emitChanged() {
    this.dispatchEvent(new CustomEvent('changed'));
  }
}

/** @param {unknown} error */
function codeOf(error) {
  const codes = /** @type {Record<string, string>} */ ({ NotAllowedError: 'browser_permission_denied', SecurityError: 'browser_permission_denied', NotFoundError: 'device_not_found',
    OverconstrainedError: 'device_not_found', NotReadableError: 'device_busy', AbortError: 'device_failed' });
  return codes[error instanceof Error || error instanceof DOMException ? error.name : ''] ?? 'device_failed';
}
