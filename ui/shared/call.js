// A call in a browser: one RTCPeerConnection for each other participant, with the perfect negotiation of W3C WebRTC. The
// newcomer sends the first offer to each participant and is the polite peer. This module does not use the DOM.

import { limitEncoding, sent } from './data-saver.js';
import { OwnReactions, Reactions } from './reactions.js';
import { ReplacementLimits, isAnotherConnection } from './replacement.js';
import { Signer } from './statement.js';
import { Unsent } from './unsent.js';

/** @typedef {import('./protocol.js').Session} Session */
/** @typedef {import('./protocol.js').Message} Message */
/** @typedef {import('./model.d.ts').MediaState} MediaState */
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

  /** Restarts ICE after a failure, from either side. If that failed, too, or DTLS did, the polite side replaces the connection. */
  #restartIce() {
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

/**
 * A call in one room of a session. Events:
 * - `joined` (detail: the message `joined`);
 * - `peer` (detail: the {@link Peer}): a new connection, before its first negotiation; the listener adds the tracks, unless it
 *   has `distrust`;
 * - `distrusted` (detail: the Peer): its connection was closed, because a description was not signed by its device;
 * - `closed` (detail: the Peer): a connection was closed or replaced;
 * - `media` (detail: the Peer): a participant switched a device on or off;
 * - `hand` (detail: the Peer; null: the own hand): a hand was raised or lowered;
 * - `reaction` (no detail): a reaction begins or ends ({@link Call#reactions});
 * - `chat` (detail: the message);
 * - `unsent` (no detail): the list {@link Call#unsent} has changed;
 * - `rejected` (detail: the message `error`): the server rejected a message other than a join or a chat line;
 * - `ended` (detail: the code): the call is over.
 */
export class Call extends EventTarget {
  /** @param {Session} session @param {{ iceServers?: RTCIceServer[], policy?: RTCIceTransportPolicy, signer?: Signer, savesData?: boolean }} [options] */
  constructor(session, options = {}) {
    super();
    this.session = session;
    this.options = options;
    this.signer = options.signer ?? new Signer(session.key);
    /** By participant id. @type {Map<string, Peer>} */
    this.peers = new Map();
    /** By participant id. @type {Map<string, ReplacementLimits>} */
    this.replacementLimits = new Map();
    /** The own participant id; null without a seat. @type {string | null} */
    this.you = null;
    /** The own raised hand, as the server counts it; null: it is down. @type {number | null} */
    this.hand = null;
    /** What everybody shows, by participant id; the own one is `own`. */
    this.reactions = new Reactions(() => this.#emit('reaction'), session.clock);
    /** @type {RTCIceServer[]} */
    this.iceServers = [];
    /** The last join, which is repeated after a lost session; null: not in a call. @type {{ room: string, media: MediaState, invite?: string } | null} */
    this.joinRequest = null;
    session.addEventListener('welcome', event => this.#setIceServers(event));
    session.addEventListener('resumed', event => this.#setIceServers(event));
    session.addEventListener('resumed', () => this.#sendLines());
    session.addEventListener('lost', () => {
      this.#unsent.sessionLost();
      this.#emit('unsent');
      this.#rejoin();
    });
    session.addEventListener('ended', event => this.#end(/** @type {CustomEvent} */ (event).detail.code));
    session.addEventListener('message', event => this.#handleMessage(/** @type {CustomEvent} */ (event).detail));
  }

  /**
   * By participant id. Signing and checking take a moment, but messages to and from a participant stay in order.
   * @type {Map<string, { out: Promise<void>, in: Promise<void> }>}
   */
  #queues = new Map();
  /** The `seq` of the last `join`. */
  #joinSeq = 0;
  /** The room for which the unsent lines were written. */
  #room = '';
  #unsent = new Unsent();
  #ownReactions = new OwnReactions();
  /** The own shared screen. @type {MediaStreamTrack | null} */
  #share = null;
  /** Cancels the timer of the next chat line. @type {(() => void) | undefined} */
  #cancelLines;

  /** Own chat lines that the server has not confirmed yet, oldest first. */
  get unsent() {
    return this.#unsent.view();
  }

  /** Whether only relayed paths are wanted, and the server offers no relay: there will be no connection to anybody. */
  get lacksRelay() {
    const urls = (this.options.iceServers ?? this.iceServers).flatMap(one => one.urls);
    return this.options.policy === 'relay' && !urls.some(url => /^turns?:/i.test(url));
  }

  /**
   * Joins a room. A `joined` or an `ended` event follows.
   * @param {string} room
   * @param {MediaState} media
   * @param {string} [invite] the token of a link
   */
  join(room, media, invite) {
    if (room !== this.#room) this.#unsent.clear();
    this.#room = room;
    this.joinRequest = { room, media, ...(invite ? { invite } : {}) };
    this.#joinSeq = this.session.send({ type: 'join', ...this.joinRequest, nonce: this.signer.begin() });
  }

  /** Leaves the room and closes all connections. `ended` follows with the code `left`. */
  leave() {
    if (this.joinRequest) this.session.send({ type: 'leave' });
    this.#end('left');
  }

  /** Tells the others which own devices are on. Ignored outside of a call. @param {MediaState} media */
  setMedia(media) {
    if (!this.joinRequest) return;
    this.joinRequest.media = media;
    this.session.send({ type: 'media', ...media });
  }

  /** Asks the server to raise or lower the own hand. `hand` follows. Ignored without a seat. @param {boolean} raised */
  setHand(raised) {
    if (this.you) this.session.send({ type: 'hand', raised });
  }

  /** Shows everybody a reaction. Dropped without a seat or a connection, and if there are too many. @param {string} reaction */
  react(reaction) {
    if (this.you && this.session.state === 'open' && this.#ownReactions.maySend(this.session.clock.now())) this.session.send({ type: 'reaction', reaction });
  }

  /**
   * Sends a participant the size at which this page displays their camera. Ignored for participants who have left.
   * @param {string} to participant id
   * @param {{ max_width: number, max_height: number }} size in device pixels; 0 and 0: hidden
   */
  sendResolution(to, size) {
    if (this.you && this.peers.has(to)) this.session.send({ type: 'resolution', to, ...size });
  }

  /**
   * Sends a chat line, now or as soon as the session and the rate limit allow it.
   * @param {string} text
   * @throws {Error & { code: 'chat_no_call' | 'chat_empty' | 'chat_too_long' | 'chat_full' }} not in a call; otherwise as
   *   `Unsent.push`
   */
  sendChat(text) {
    if (!this.joinRequest) throw Object.assign(new Error('not in a room'), { code: 'chat_no_call' });
    this.#unsent.push(text);
    this.#sendLines();
  }

  /** Removes an unsent line that is waiting or has failed. @param {number} number */
  dropLine(number) {
    this.#unsent.drop(number);
    this.#emit('unsent');
  }

  /** Shares a screen with everybody, also with those who come later. @param {MediaStreamTrack | null} track null: none any more */
  setShare(track) {
    this.#share = track;
    this.peers.forEach(peer => peer.setShare(track));
  }

  /** Sends the chat lines that are due and sets the timer for the next one. */
  #sendLines() {
    const { now, after } = this.session.clock;
    this.#cancelLines?.();
    this.#cancelLines = undefined;
    if (this.you && this.session.state === 'open') {
      this.#unsent.sendDue(now(), text => this.session.send({ type: 'chat', text }));
      const dueAt = this.#unsent.dueAt(now());
      if (dueAt !== null) this.#cancelLines = after(dueAt - now(), () => this.#sendLines());
    }
    this.#emit('unsent');
  }

  /** @param {Message} message */
  #handleChat(message) {
    if (message.from === this.you) this.#unsent.confirmed();
    this.#emit('chat', message);
    this.#emit('unsent');
  }

  /** @param {Message} message @param {Peer | undefined} peer */
  #handleHand({ from, hand }, peer) {
    if (from === this.you) this.hand = hand;
    else if (peer) peer.participant.hand = hand;
    else return;
    this.#emit('hand', peer ?? null);
  }

  /** The hand is down in a new seat. Raises it again if it was raised in a seat that was lost. */
  #raiseLostHand() {
    if (this.hand === null) return;
    this.hand = null;
    this.#emit('hand', null);
    this.setHand(true);
  }

  /** @param {Message} error */
  #handleError(error) {
    const { now } = this.session.clock;
    if (error.about !== undefined && this.#unsent.rejected(now(), error.about, error.code)) return this.#sendLines();
    // An error about another message does not end a pending join.
    if (this.joinRequest && !this.you && (error.about === undefined || error.about === this.#joinSeq)) return this.#end(error.code);
    this.#emit('rejected', error);
  }

  /** @param {Event} event */
  #setIceServers(event) {
    this.iceServers = /** @type {CustomEvent} */ (event).detail.ice_servers;
  }

  #rejoin() {
    this.#closePeers();
    this.reactions.clear();
    this.you = null;
    if (this.joinRequest) this.#joinSeq = this.session.send({ type: 'join', ...this.joinRequest, nonce: this.signer.begin() });
  }

  /** @param {Message} message */
  #handleMessage(message) {
    const peer = this.peers.get(message.from ?? message.id);
    switch (message.type) {
      case 'joined':
        this.you = message.you;
        this.#emit('joined', message);
        for (const other of message.participants) this.#open(other, true);
        this.#raiseLostHand();
        this.#sendLines();
        break;
      case 'left': return this.#end(message.reason);
      case 'participant_joined': return this.#open(message.participant, false);
      case 'participant_left':
        this.replacementLimits.delete(message.id);
        this.#queues.delete(message.id);
        this.reactions.remove(message.id);
        if (peer) this.#close(peer);
        break;
      case 'offer':
      case 'answer':
      case 'candidate':
      case 'end_of_candidates':
        if (peer) this.#receive(peer.participant, message);
        break;
      case 'resolution':
        peer?.setResolution(message);
        break;
      case 'check_connection':
        if (peer?.mayReport(this.session.clock.now())) this.session.send({ type: 'connection_report', to: message.from, verdict: 'unknown', findings: [] });
        break;
      case 'media':
        if (!peer) break;
        peer.participant.media = { microphone: message.microphone, camera: message.camera };
        this.#emit('media', peer);
        break;
      case 'avatar':
        if (!peer) break;
        peer.participant.avatar = message.avatar;
        this.#emit('media', peer);
        break;
      case 'hand': return this.#handleHand(message, peer);
      case 'reaction':
        if (peer || message.from === this.you) this.reactions.show(peer ? message.from : 'own', message.reaction);
        break;
      case 'chat': return this.#handleChat(message);
      case 'error': return this.#handleError(message);
    }
  }

  /**
   * Handles a signal after the ones before it, and a description only if the participant's device has signed it for us.
   * @param {Participant} participant @param {Message} message
   */
  #receive(participant, message) {
    const { id } = participant, queue = this.#queue(id), room = this.#room;
    queue.in = queue.in.then(async () => {
      const isCurrent = () => this.peers.get(id)?.participant === participant && !this.peers.get(id)?.distrust;
      if (!isCurrent()) return;
      try {
        const { type, sdp, signature } = message, isDescription = type === 'offer' || type === 'answer';
        const checked = isDescription ? { ...message, sdp: await this.signer.verify(room, participant, sdp, signature) } : message;
        const peer = this.peers.get(id);
        if (peer && isCurrent()) this.#signal(peer, checked);
      } catch (error) {
        const peer = this.peers.get(id);
        if (peer && isCurrent()) this.#distrust(peer, /** @type {{ code?: string }} */ (error).code ?? 'statement_wrong');
      }
    });
  }

  /** Sends a signal after the ones before it; descriptions are signed. @param {Peer} peer @param {Message} message */
  #send(peer, message) {
    const { participant } = peer, queue = this.#queue(participant.id), room = this.#room;
    queue.out = queue.out.then(async () => {
      const isCurrent = () => this.peers.get(participant.id) === peer && !peer.distrust;
      if (!isCurrent()) return;
      try {
        const signed = message.sdp === undefined ? message : { ...message, signature: await this.signer.sign(room, participant, message.sdp) };
        if (isCurrent()) this.session.send(signed);
      } catch (error) {
        console.warn('send', message.type, String(error));
      }
    });
  }

  /** @param {string} id */
  #queue(id) {
    const queue = this.#queues.get(id) ?? { out: Promise.resolve(), in: Promise.resolve() };
    this.#queues.set(id, queue);
    return queue;
  }

  /** Sends the own camera small, or as large as it is displayed. @param {boolean} saves */
  setDataSaver(saves) {
    this.options.savesData = saves;
    for (const peer of this.peers.values()) {
      peer.savesData = saves;
      peer.applyResolution();
    }
  }

  /** Nothing connects to somebody whose description was not signed by their device, until they leave. @param {Peer} peer @param {string} code */
  #distrust(peer, code) {
    peer.refuse(code);
    this.#emit('distrusted', peer);
  }

  /** @param {Peer} peer @param {Message} message */
  #signal(peer, message) {
    if (!peer.isReplacedBy(message)) return peer.signal(message);
    const { id } = peer.participant;
    if (!this.replacementLimits.get(id)?.accept(this.session.clock.now())) return;
    this.#replace(peer, false);
    this.peers.get(id)?.signal(message);
  }

  /** Replaces a connection. @param {Peer} peer @param {boolean} offers whether this side sends the first offer */
  #replace(peer, offers) {
    this.#close(peer);
    this.#open(peer.participant, peer.polite, offers);
  }

  /** Replaces a failed connection after the backoff. @param {Peer} peer */
  #scheduleReplacement(peer) {
    const { id } = peer.participant, backoff = this.replacementLimits.get(id)?.nextBackoff() ?? 0;
    this.session.clock.after(backoff, () => {
      if (this.peers.get(id) === peer && peer.pc.connectionState === 'failed') this.#replace(peer, true);
    });
  }

  /** @param {Participant} participant @param {boolean} polite whether this client joined later @param {boolean} [offers] */
  #open(participant, polite, offers = polite) {
    const { id } = participant;
    if (this.peers.has(id)) return;
    const configuration = { iceServers: this.options.iceServers ?? this.iceServers, iceTransportPolicy: this.options.policy ?? 'all' };
    const peer = new Peer(participant, polite, configuration, message => this.#send(peer, message), offers);
    peer.savesData = this.options.savesData ?? false;
    this.peers.set(id, peer);
    peer.setShare(this.#share);
    if (!this.signer.knows(participant)) peer.refuse('statement_missing');
    const limits = this.replacementLimits.get(id) ?? new ReplacementLimits();
    this.replacementLimits.set(id, limits);
    peer.addEventListener('state', event => {
      const { detail } = /** @type {CustomEvent<RTCPeerConnectionState>} */ (event), now = this.session.clock.now();
      if (detail === 'connected') limits.connected(now);
      else if (detail === 'disconnected' || detail === 'failed') limits.interrupted(now);
    });
    peer.addEventListener('broken', () => this.#scheduleReplacement(peer));
    // The newcomer's connection sends its offer when tracks are added. The other side's answer includes its tracks.
    this.#emit('peer', peer);
  }

  /** @param {Peer} peer */
  #close(peer) {
    peer.close();
    this.peers.delete(peer.participant.id);
    this.#emit('closed', peer);
  }

  /** @param {string} code */
  #end(code) {
    this.#closePeers();
    this.you = null;
    this.hand = null;
    this.reactions.clear();
    this.joinRequest = null;
    this.#cancelLines?.();
    this.#unsent.callEnded();
    this.#emit('unsent');
    this.#emit('ended', code);
  }

  #closePeers() {
    this.peers.forEach(peer => peer.close());
    this.peers.clear();
    this.replacementLimits.clear();
    this.#queues.clear();
  }

  /** @param {string} event @param {any} [detail] */
  #emit(event, detail) {
    this.dispatchEvent(new CustomEvent(event, { detail }));
  }
}
