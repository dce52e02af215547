// The connection to the server's forwarder (PROTOCOL.md, "Forwarded rooms"): it sends the own voice, camera and screen once,
// and receives those of others on lines that carry one after the other. Frames pass through a worker, which encrypts them.

import { wallClock } from '../shared/clock.js';
import { ReplacementLimits } from '../shared/replacement.js';
import { trimmed } from '../shared/trimmed-sdp.js';

/** @typedef {import('../shared/clock.js').Clock} Clock */
/** @typedef {import('../shared/protocol.js').Message} Message */
/** @typedef {import('../shared/sframe.js').Kind} Kind */
/** @typedef {import('../shared/sframe.js').Stream} Stream */
/** @typedef {Record<Stream, MediaStreamTrack | null>} OwnTracks */
/** @typedef {{ name: string, kind: Kind, transceiver: RTCRtpTransceiver }} Line  `name`: unique in this page */
/**
 * @typedef {object} Options
 * @property {(message: Message) => number} send returns the number of the message
 * @property {Worker} worker
 * @property {OwnTracks} tracks at first
 * @property {RTCIceServer[]} iceServers for networks that block UDP to the forwarder
 * @property {Clock} [clock]
 */

/** The id of the forwarder in messages. */
export const FORWARDER = 'server';
/** Lines that receive: the server has at most 8 and 50. A description with more pictures would be too long for the server. */
const VOICES = 8;
export const PICTURES = 25;
/** The camera's encodings, the smallest first, as the forwarder expects them. Bitrates in bit/s. @type {RTCRtpEncodingParameters[]} */
const ENCODINGS = [
  { rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 150_000 },
  { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 500_000 },
  { rid: 'f', scaleResolutionDownBy: 1, maxBitrate: 1_700_000 },
];
/** The same while little data is to be used. */
const SMALL_BITRATE = 120_000, SMALL_FPS = 15;
const SCREEN_BITRATE = 2_500_000;
/** Time after which a connection that does not come about, or is interrupted, is replaced, ms. */
const CONNECT_MS = 15_000, INTERRUPTED_MS = 3_000;

/**
 * Events:
 * - `connected` (no detail);
 * - `changed` (no detail): the state or the lines have changed.
 */
export class Forwarder extends EventTarget {
  /** The present connection. @type {RTCPeerConnection | null} */
  pc = null;
  /** What the present connection receives. @type {Line[]} */
  lines = [];
  /** @type {Record<Stream, RTCRtpTransceiver> | null} */
  #senders = null;
  /** Offers without an answer, oldest first. The server answers in this order. @type {{ seq: number, pc: RTCPeerConnection }[]} */
  #offers = [];
  #limits = new ReplacementLimits();
  #savesData = false;
  #isClosed = false;
  #count = 0;
  /** Cancels the timer of the next attempt. @type {() => void} */
  #cancel = () => {};

  /** @param {Options} options */
  constructor({ send, worker, tracks, iceServers, clock = wallClock }) {
    super();
    this.send = send;
    this.worker = worker;
    this.tracks = { ...tracks };
    this.iceServers = iceServers;
    this.clock = clock;
    this.#connect();
  }

  get isConnected() {
    return this.pc?.connectionState === 'connected';
  }

  /** Sends this track from now on. @param {Stream} stream @param {MediaStreamTrack | null} track null: nothing */
  replaceTrack(stream, track) {
    this.tracks[stream] = track;
    this.#senders?.[stream].sender.replaceTrack(track).catch(error => console.warn('replaceTrack', String(error)));
  }

  /** Sends the own camera small, or in all encodings. @param {boolean} saves */
  setDataSaver(saves) {
    this.#savesData = saves;
    this.#limitCamera();
  }

  /** The server answers the oldest offer. @param {string} sdp */
  async answer(sdp) {
    const pc = this.#offers.shift()?.pc;
    if (!pc || pc !== this.pc) return;
    try {
      await pc.setRemoteDescription({ type: 'answer', sdp });
      await this.#limitCamera();
    } catch (error) {
      console.warn('forwarder', String(error));
      if (pc === this.pc) this.#retry();
    }
  }

  /** The server refuses a message. @param {number} seq @returns {boolean} whether it was an offer */
  refused(seq) {
    const offer = this.#offers.find(one => one.seq === seq);
    this.#offers = this.#offers.filter(one => one !== offer);
    if (offer && offer.pc === this.pc) this.#retry();
    return offer !== undefined;
  }

  close() {
    this.#isClosed = true;
    this.#cancel();
    this.#drop();
  }

  #drop() {
    this.pc?.close();
    this.pc = null;
    this.#senders = null;
    this.lines = [];
  }

  /** Makes a connection instead of the present one. */
  #connect() {
    this.#cancel();
    this.#drop();
    const pc = this.pc = new RTCPeerConnection({ iceServers: this.iceServers, bundlePolicy: 'max-bundle' });
    this.#senders = this.#addSenders(pc);
    this.lines = [...Array(VOICES).fill('audio'), ...Array(PICTURES).fill('picture')].map(kind => this.#addLine(pc, kind));
    pc.onconnectionstatechange = () => this.#follow(pc);
    this.#cancel = this.clock.after(CONNECT_MS, () => this.#retry());
    this.#offer(pc);
    this.dispatchEvent(new Event('changed'));
  }

  /** The lines that send come first, so that the server knows what they are. They stay when a device is off. @param {RTCPeerConnection} pc @returns {Record<Stream, RTCRtpTransceiver>} */
  #addSenders(pc) {
    const { audio, camera, screen } = this.tracks, streams = [new MediaStream()];
    const senders = {
      audio: pc.addTransceiver(audio ?? 'audio', { direction: 'sendonly', streams }),
      camera: pc.addTransceiver(camera ?? 'video', { direction: 'sendonly', streams, sendEncodings: ENCODINGS.map(one => ({ ...one })) }),
      screen: pc.addTransceiver(screen ?? 'video', { direction: 'sendonly', streams: [new MediaStream()], sendEncodings: [{ maxBitrate: SCREEN_BITRATE }] }),
    };
    for (const [stream, { sender }] of Object.entries(senders)) sender.transform = new RTCRtpScriptTransform(this.worker, { stream });
    prefer(senders.audio, 'audio/opus');
    for (const one of [senders.camera, senders.screen]) prefer(one, 'video/vp8');
    return senders;
  }

  /** @param {RTCPeerConnection} pc @param {Kind} kind @returns {Line} */
  #addLine(pc, kind) {
    const name = `line${this.#count++}`, transceiver = pc.addTransceiver(kind === 'audio' ? 'audio' : 'video', { direction: 'recvonly' });
    transceiver.receiver.transform = new RTCRtpScriptTransform(this.worker, { line: name, kind });
    prefer(transceiver, kind === 'audio' ? 'audio/opus' : 'video/vp8');
    return { name, kind, transceiver };
  }

  /** @param {RTCPeerConnection} pc */
  async #offer(pc) {
    try {
      await pc.setLocalDescription();
      if (pc !== this.pc) return;
      // The forwarder needs no candidates: it answers where checks come from.
      this.#offers.push({ pc, seq: this.send({ type: 'offer', to: FORWARDER, sdp: trimmed(pc.localDescription?.sdp ?? '') }) });
      this.dispatchEvent(new Event('changed'));
    } catch (error) {
      console.warn('forwarder', String(error));
      if (pc === this.pc) this.#retry();
    }
  }

  /** @param {RTCPeerConnection} pc */
  #follow(pc) {
    if (pc !== this.pc) return;
    const state = pc.connectionState;
    if (state === 'connected') {
      this.#cancel();
      this.#limits.connected(this.clock.now());
      this.dispatchEvent(new Event('connected'));
    } else if (state === 'failed') this.#retry();
    else if (state === 'disconnected') {
      this.#cancel();
      this.#cancel = this.clock.after(INTERRUPTED_MS, () => this.#retry());
    }
    this.dispatchEvent(new Event('changed'));
  }

  /** Connects anew after a pause, which grows. */
  #retry() {
    if (this.#isClosed) return;
    this.#limits.interrupted(this.clock.now());
    this.#cancel();
    this.#cancel = this.clock.after(this.#limits.nextBackoff(), () => this.#connect());
  }

  /** Sends the smallest encoding of the camera only, if little data is to be used. Called when the connection was negotiated. */
  async #limitCamera() {
    const sender = this.#senders?.camera.sender;
    if (!sender || !this.pc?.remoteDescription) return;
    const parameters = sender.getParameters(), saves = this.#savesData;
    if (!parameters.encodings?.length) return;
    for (const [at, encoding] of parameters.encodings.entries()) {
      encoding.active = !saves || at === 0;
      encoding.maxBitrate = saves ? SMALL_BITRATE : ENCODINGS[at]?.maxBitrate;
      if (saves) encoding.maxFramerate = SMALL_FPS;
      else delete encoding.maxFramerate;
    }
    await sender.setParameters(parameters).catch(error => console.warn('encodings', String(error)));
  }
}

/** Lists only one codec, with its retransmission: all others would make the description too long. @param {RTCRtpTransceiver} transceiver @param {string} codec */
function prefer(transceiver, codec) {
  const kind = codec.split('/')[0], all = RTCRtpReceiver.getCapabilities(kind)?.codecs ?? [];
  const wanted = all.filter(one => [codec, 'video/rtx'].includes(one.mimeType.toLowerCase()));
  if (wanted.length) transceiver.setCodecPreferences(wanted);
}
