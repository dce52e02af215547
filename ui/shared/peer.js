// The direct connection to another participant, with the perfect negotiation of W3C WebRTC. This module does not use the DOM.

import { limitEncoding, sent } from './data-saver.js';
import { isAnotherConnection } from './replacement.js';

/** @typedef {import('./protocol.js').Message} Message */
/** @typedef {import('./model.d.ts').Participant} Participant */

/** A participant gets at most one connection report in this time, ms. */
const REPORT_SPACING_MS = 5000;

/**
 * The connection to another participant. Events:
 * - `track` (detail: the RTCTrackEvent);
 * - `state` (detail: the RTCPeerConnectionState);
 * - `negotiated` (no detail): an offer was answered, and {@link Peer#screen} may have changed;
 * - `broken`: an ICE restart failed, and the connection must be replaced.
 */
export class Peer extends EventTarget {
  /**
   * @param {Participant} participant
   * @param {boolean} polite whether this side yields when both send an offer
   * @param {RTCConfiguration} configuration
   * @param {(message: Message) => void} send sends a message, which already has `to`
   * @param {boolean} [offers] whether this side sends the first offer, as the newcomer does
   */
  constructor(participant, polite, configuration, send, offers = polite) {
    super();
    this.participant = participant;
    this.polite = polite;
    this.offers = offers;
    /** Why there is no connection: a description was not signed by the participant's device for us. @type {string | null} */
    this.distrust = null;
    // The other side's answer includes its tracks. An offer of its own would only collide.
    this.#expectOffer = !offers;
    this.stream = new MediaStream();
    this.pc = new RTCPeerConnection(configuration);
    this.#send = message => send({ ...message, to: participant.id });
    this.pc.onnegotiationneeded = () => this.#sendOffer();
    this.pc.onicecandidate = ({ candidate }) =>
      this.#send(candidate?.candidate ? { type: 'candidate', candidate: candidate.toJSON() } : { type: 'end_of_candidates' });
    this.pc.ontrack = event => {
      this.stream.addTrack(event.track);
      this.dispatchEvent(new CustomEvent('track', { detail: event }));
    };
    this.pc.onsignalingstatechange = () => {
      if (this.pc.signalingState === 'stable') this.dispatchEvent(new CustomEvent('negotiated'));
    };
    this.pc.onconnectionstatechange = () => {
      this.dispatchEvent(new CustomEvent('state', { detail: this.pc.connectionState }));
      if (this.pc.connectionState === 'failed') this.#restartIce();
      if (this.pc.connectionState === 'connected') {
        this.#iceRestarted = false;
        this.applyResolution();
        this.#applyShare();
      }
    };
  }

  /** The transceivers of video in the order of the media lines: the camera's first, then those of shared screens. */
  get #videos() {
    return this.pc.getTransceivers().filter(one => one.receiver.track.kind === 'video');
  }

  /** The transceiver of the camera, if there is one yet. @returns {RTCRtpTransceiver | undefined} */
  get camera() {
    return this.#videos[0];
  }

  /** The transceiver of the voice, if it was negotiated to receive one. @returns {RTCRtpTransceiver | undefined} */
  get voice() {
    const receives = (/** @type {RTCRtpTransceiver} */ one) => one.currentDirection === 'recvonly' || one.currentDirection === 'sendrecv';
    return this.pc.getTransceivers().find(one => one.receiver.track.kind === 'audio' && receives(one));
  }

  /** The screen that the other side shares; null: none. @returns {MediaStreamTrack | null} */
  get screen() {
    const receives = (/** @type {RTCRtpTransceiver} */ one) => one.currentDirection === 'recvonly' || one.currentDirection === 'sendrecv';
    return this.#videos.slice(1).find(receives)?.receiver.track ?? null;
  }

  /** Shares a screen with the other side, as soon as they are connected. @param {MediaStreamTrack | null} track null: none any more */
  setShare(track) {
    this.#shared = track;
    if (this.pc.connectionState === 'connected') this.#applyShare();
  }

  async #applyShare() {
    const track = this.#shared, transceiver = this.#shareTransceiver;
    if (!transceiver) {
      if (track) this.#shareTransceiver = this.pc.addTransceiver(track, { direction: 'sendonly', streams: [new MediaStream([track])] });
      return;
    }
    if (transceiver.sender.track === track) return;
    // A change of the direction leads to an offer.
    const receives = transceiver.direction === 'sendrecv' || transceiver.direction === 'recvonly';
    transceiver.direction = track ? (receives ? 'sendrecv' : 'sendonly') : receives ? 'recvonly' : 'inactive';
    await transceiver.sender.replaceTrack(track).catch(error => console.warn('share', String(error)));
  }

  /** @type {(message: Message) => void} */
  #send;
  #expectOffer = false;
  #makingOffer = false;
  #ignoreOffer = false;
  #settingAnswer = false;
  /** Whether the room is forwarded, and whether an offer waits for its end. */
  #isFrozen = false;
  #wantsOffer = false;
  /** Whether ICE was restarted since the connection last worked. */
  #iceRestarted = false;
  /** The other side's last description, SDP. */
  #remoteSdp = '';
  /** Handles one signal after the other. */
  #signals = Promise.resolve();
  /** The size at which the other side displays the camera, in pixels; infinite: not received yet. */
  #resolution = { max_width: Infinity, max_height: Infinity };
  /** Whether the own camera is sent small; see {@link Call#setDataSaver}. */
  savesData = false;
  /** The own shared screen. @type {MediaStreamTrack | null} */
  #shared = null;
  /** The transceiver that sends it. @type {RTCRtpTransceiver | undefined} */
  #shareTransceiver;
  /** When a connection report was last sent, in ms. */
  #reported = -Infinity;

  /** Handles a description or a candidate, after the earlier ones. Errors are logged. @param {Message} message */
  signal(message) {
    if (message.sdp) this.#remoteSdp = message.sdp;
    this.#signals = this.#signals.then(() => this.#handleSignal(message)).catch(error => console.warn('signal', message.type, String(error)));
  }

  /** Whether a message is an offer for another connection than this one. @param {Message} message */
  isReplacedBy({ type, sdp }) {
    return type === 'offer' && this.#remoteSdp !== '' && isAnotherConnection(this.#remoteSdp, sdp);
  }

  /** Negotiates nothing more, because the room is forwarded. The connection works as long as it does. */
  freeze() {
    this.#isFrozen = true;
  }

  /** Negotiates again, and what had to wait. */
  thaw() {
    this.#isFrozen = false;
    if (this.#wantsOffer) this.#sendOffer();
    if (this.pc.connectionState === 'failed') this.#restartIce();
  }

  /** Restarts ICE after a failure, from either side. If that failed, too, or DTLS did, the polite side replaces the connection. */
  #restartIce() {
    if (this.#isFrozen) return;
    if (this.#iceRestarted) return this.polite && this.dispatchEvent(new CustomEvent('broken'));
    this.#iceRestarted = true;
    this.pc.restartIce();
  }

  /**
   * Whether the other side gets an answer to `check_connection`. A browser cannot check its connection, and says so; but not
   * as often as somebody asks.
   * @param {number} now in ms
   */
  mayReport(now) {
    const may = now - this.#reported >= REPORT_SPACING_MS;
    if (may) this.#reported = now;
    return may;
  }

  /** Limits the camera to the size at which the other side displays it. @param {Message} message of type `resolution` */
  setResolution({ max_width, max_height }) {
    this.#resolution = { max_width, max_height };
    this.applyResolution();
  }

  /** Scales the camera's encoding to the other side's size, or disables it. Called after each change of what it depends on. */
  async applyResolution() {
    const size = sent(this.#resolution, this.savesData), sender = this.camera?.sender;
    if (!sender?.track) return;
    const { width = 0, height = 0 } = sender.track.getSettings();
    try {
      const parameters = sender.getParameters(), [encoding] = parameters.encodings ?? [];
      if (!encoding) return; // before the first negotiation
      encoding.active = size.max_width > 0 && size.max_height > 0;
      const scale = encoding.active ? Math.max(width / size.max_width, height / size.max_height) : 1;
      // Upscaling by an eighth is not visible.
      encoding.scaleResolutionDownBy = scale > 1.125 ? scale : 1;
      limitEncoding(encoding, this.savesData);
      await sender.setParameters(parameters);
    } catch (error) {
      console.warn('resolution', String(error));
    }
  }

  /** There will be no connection. @param {string} code */
  refuse(code) {
    this.distrust = code;
    this.close();
  }

  close() {
    this.pc.close();
    this.stream.getTracks().forEach(track => track.stop());
  }

  async #sendOffer() {
    if (this.#expectOffer) return;
    this.#wantsOffer = this.#isFrozen;
    if (this.#isFrozen) return;
    try {
      this.#makingOffer = true;
      await this.pc.setLocalDescription();
      this.#sendDescription();
    } finally {
      this.#makingOffer = false;
    }
  }

  #sendDescription() {
    const description = this.pc.localDescription;
    if (description) this.#send({ type: description.type, sdp: description.sdp });
  }

  /** @param {Message} message */
  async #handleSignal(message) {
    switch (message.type) {
      case 'offer':
      case 'answer': return this.#setRemoteDescription(message.type, message.sdp);
      case 'candidate':
      case 'end_of_candidates':
        try {
          await this.pc.addIceCandidate(message.type === 'candidate' ? message.candidate : undefined);
        } catch (error) {
          if (!this.#ignoreOffer) throw error;
        }
    }
  }

  /** @param {'offer' | 'answer'} type @param {string} sdp */
  async #setRemoteDescription(type, sdp) {
    const ready = !this.#makingOffer && (this.pc.signalingState === 'stable' || this.#settingAnswer);
    this.#ignoreOffer = !this.polite && type === 'offer' && !ready;
    if (this.#ignoreOffer) return;
    this.#expectOffer = false;
    this.#settingAnswer = type === 'answer';
    await this.pc.setRemoteDescription({ type, sdp });
    this.#settingAnswer = false;
    if (type !== 'offer') return;
    await this.pc.setLocalDescription();
    this.#sendDescription();
  }
}
