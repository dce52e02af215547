// A call in a browser: one RTCPeerConnection for each of the others, with perfect negotiation as W3C WebRTC describes
// it. The newcomer offers to everybody who is there, and yields when both offer at once. It knows no DOM.

import { Renewals, isAnotherConnection } from './renewal.js';
import { Unsent } from './unsent.js';

/** @typedef {import('./protocol.js').Session} Session */
/** @typedef {import('./protocol.js').Message} Message */
/** @typedef {import('./protocol.js').MediaState} MediaState */
/** @typedef {{ id: string, name: string, key: string, media: MediaState }} Participant */

/** One of the others. Event `track` (detail: the RTCTrackEvent), `state`, `broken` (an ICE restart cannot mend it). */
export class Peer extends EventTarget {
  /**
   * @param {Participant} participant
   * @param {boolean} polite
   * @param {RTCConfiguration} configuration
   * @param {(message: Message) => void} send
   * @param {boolean} [offers] whether this side offers first; the newcomer does
   */
  constructor(participant, polite, configuration, send, offers = polite) {
    super();
    this.participant = participant;
    this.polite = polite;
    this.offers = offers;
    // Tracks of the one who does not offer go into the answer; an offer of their own would only be glare.
    this.#expectOffer = !offers;
    this.stream = new MediaStream();
    this.pc = new RTCPeerConnection(configuration);
    this.#send = message => send({ ...message, to: participant.id });
    this.pc.onnegotiationneeded = () => this.#offer();
    this.pc.onicecandidate = ({ candidate }) =>
      this.#send(candidate?.candidate ? { type: 'candidate', candidate: candidate.toJSON() } : { type: 'end_of_candidates' });
    this.pc.ontrack = event => {
      this.stream.addTrack(event.track);
      this.dispatchEvent(new CustomEvent('track', { detail: event }));
    };
    this.pc.onconnectionstatechange = () => {
      this.dispatchEvent(new CustomEvent('state', { detail: this.pc.connectionState }));
      if (this.pc.connectionState === 'failed') this.#mend();
      if (this.pc.connectionState === 'connected') {
        this.#restarted = false;
        this.fit();
      }
    };
  }

  /** @type {(message: Message) => void} */
  #send;
  #expectOffer = false;
  #makingOffer = false;
  #ignoreOffer = false;
  #settingAnswer = false;
  /** Whether ICE was restarted since the connection last worked. */
  #restarted = false;
  /** The other side's last description. */
  #remote = '';
  /** Signals are taken one after the other. */
  #chain = Promise.resolve();

  /** @param {Message} message */
  signal(message) {
    if (message.sdp) this.#remote = message.sdp;
    this.#chain = this.#chain.then(() => this.#take(message)).catch(error => console.warn('signal', message.type, String(error)));
  }

  /** Whether a message is an offer for another connection than this one. @param {Message} message */
  isReplacedBy({ type, sdp }) {
    return type === 'offer' && this.#remote !== '' && isAnotherConnection(this.#remote, sdp);
  }

  /** A path that broke is found again by an ICE restart. Where that has failed too, or DTLS has, only a new connection helps. */
  #mend() {
    if (!this.polite) return; // the other side does it
    if (this.#restarted) return this.dispatchEvent(new CustomEvent('broken'));
    this.#restarted = true;
    this.pc.restartIce();
  }

  /** How large the camera is shown on the other side; null: they have not said. @type {{ max_width: number, max_height: number } | null} */
  #most = null;

  /** @param {Message} message of type `resolution` */
  limit({ max_width, max_height }) {
    this.#most = { max_width, max_height };
    this.fit();
  }

  /** Sends no more of the camera than is seen there. Also after its track has changed. */
  async fit() {
    const most = this.#most, sender = this.pc.getSenders().find(one => one.track?.kind === 'video');
    if (!most || !sender?.track) return;
    const { width = 0, height = 0 } = sender.track.getSettings();
    try {
      const parameters = sender.getParameters(), [encoding] = parameters.encodings ?? [];
      if (!encoding) return; // nothing is agreed yet
      encoding.active = most.max_width > 0 && most.max_height > 0;
      const times = encoding.active ? Math.max(width / most.max_width, height / most.max_height) : 1;
      // An eighth more on the screen than was sent is not seen.
      encoding.scaleResolutionDownBy = times > 1.125 ? times : 1;
      await sender.setParameters(parameters);
    } catch (error) {
      console.warn('size', String(error));
    }
  }

  close() {
    this.pc.close();
    this.stream.getTracks().forEach(track => track.stop());
  }

  async #offer() {
    if (this.#expectOffer) return;
    try {
      this.#makingOffer = true;
      await this.pc.setLocalDescription();
      this.#describe();
    } finally {
      this.#makingOffer = false;
    }
  }

  #describe() {
    const description = this.pc.localDescription;
    if (description) this.#send({ type: description.type, sdp: description.sdp });
  }

  /** @param {Message} message */
  async #take(message) {
    switch (message.type) {
      case 'offer':
      case 'answer': return this.#describeRemote(message.type, message.sdp);
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
  async #describeRemote(type, sdp) {
    const ready = !this.#makingOffer && (this.pc.signalingState === 'stable' || this.#settingAnswer);
    this.#ignoreOffer = !this.polite && type === 'offer' && !ready;
    if (this.#ignoreOffer) return;
    this.#expectOffer = false;
    this.#settingAnswer = type === 'answer';
    await this.pc.setRemoteDescription({ type, sdp });
    this.#settingAnswer = false;
    if (type !== 'offer') return;
    await this.pc.setLocalDescription();
    this.#describe();
  }
}

/**
 * A call in one room of a session. Events: `joined`, `peer` (detail: the Peer, before its first negotiation: add tracks
 * here), `gone` (detail: the Peer), `media` (detail: the Peer), `chat` (detail: the message), `unsent` (own lines on their
 * way have changed), `refused` (detail: the message; what else could not be done), `ended` (detail: code).
 */
export class Call extends EventTarget {
  /** @param {Session} session @param {{ iceServers?: RTCIceServer[], policy?: RTCIceTransportPolicy }} [options] */
  constructor(session, options = {}) {
    super();
    this.session = session;
    this.options = options;
    /** @type {Map<string, Peer>} */
    this.peers = new Map();
    /** By participant. @type {Map<string, Renewals>} */
    this.renewals = new Map();
    /** @type {string | null} */
    this.you = null;
    /** @type {RTCIceServer[]} */
    this.iceServers = [];
    /** @type {{ room: string, media: MediaState, invite?: string } | null} */
    this.wish = null;
    session.addEventListener('welcome', event => this.#servers(event));
    session.addEventListener('resumed', event => this.#servers(event));
    session.addEventListener('resumed', () => this.#sayLines());
    session.addEventListener('lost', () => {
      this.#unsent.sessionLost();
      this.#tell('unsent');
      this.#again();
    });
    session.addEventListener('ended', event => this.#end(/** @type {CustomEvent} */ (event).detail.code));
    session.addEventListener('message', event => this.#message(/** @type {CustomEvent} */ (event).detail));
  }

  /** Number of the last `join`. */
  #asked = 0;
  /** The room that the unsent lines were written for. */
  #room = '';
  #unsent = new Unsent();
  /** @type {(() => void) | undefined} */
  #stopSaying;

  /** Own lines that the room has not seen yet. */
  get unsent() {
    return this.#unsent.view();
  }

  /** @param {string} room @param {MediaState} media @param {string} [invite] */
  join(room, media, invite) {
    if (room !== this.#room) this.#unsent.clear();
    this.#room = room;
    this.wish = { room, media, ...(invite ? { invite } : {}) };
    this.#asked = this.session.send({ type: 'join', ...this.wish });
  }

  leave() {
    if (this.wish) this.session.send({ type: 'leave' });
    this.#end('left');
  }

  /** @param {MediaState} media */
  setMedia(media) {
    if (!this.wish) return;
    this.wish.media = media;
    this.session.send({ type: 'media', ...media });
  }

  /** How large somebody's camera is shown here; 0 and 0: not at all. @param {string} to @param {{ max_width: number, max_height: number }} size */
  show(to, size) {
    if (this.you && this.peers.has(to)) this.session.send({ type: 'resolution', to, ...size });
  }

  /** Says a line of chat, or as soon as somebody listens. Throws `chat_no_call`, `chat_empty`, `chat_too_long` and `chat_full`. @param {string} text */
  say(text) {
    if (!this.wish) throw Object.assign(new Error('not in a room'), { code: 'chat_no_call' });
    this.#unsent.push(text);
    this.#sayLines();
  }

  /** A line that waits, or was not said, is in other hands. @param {number} number */
  dropLine(number) {
    this.#unsent.drop(number);
    this.#tell('unsent');
  }

  #sayLines() {
    const { now, after } = this.session.clock;
    this.#stopSaying?.();
    this.#stopSaying = undefined;
    if (this.you && this.session.state === 'open') {
      this.#unsent.say(now(), text => this.session.send({ type: 'chat', text }));
      const due = this.#unsent.due(now());
      if (due !== null) this.#stopSaying = after(due - now(), () => this.#sayLines());
    }
    this.#tell('unsent');
  }

  /** @param {Message} message */
  #line(message) {
    if (message.from === this.you) this.#unsent.repeated();
    this.#tell('chat', message);
    this.#tell('unsent');
  }

  /** @param {Message} error */
  #refused(error) {
    const { now } = this.session.clock;
    if (error.about !== undefined && this.#unsent.refused(now(), error.about, error.code)) return this.#sayLines();
    // An error about something else is not the end of asking for a seat.
    if (this.wish && !this.you && (error.about === undefined || error.about === this.#asked)) return this.#end(error.code);
    this.#tell('refused', error);
  }

  /** @param {Event} event */
  #servers(event) {
    this.iceServers = /** @type {CustomEvent} */ (event).detail.ice_servers;
  }

  #again() {
    this.#closePeers();
    this.you = null;
    if (this.wish) this.#asked = this.session.send({ type: 'join', ...this.wish });
  }

  /** @param {Message} message */
  #message(message) {
    const peer = this.peers.get(message.from ?? message.id);
    switch (message.type) {
      case 'joined':
        this.you = message.you;
        this.#tell('joined', message);
        for (const other of message.participants) this.#open(other, true);
        this.#sayLines();
        break;
      case 'left': return this.#end(message.reason);
      case 'participant_joined': return this.#open(message.participant, false);
      case 'participant_left':
        this.renewals.delete(message.id);
        if (peer) this.#close(peer);
        break;
      case 'offer':
      case 'answer':
      case 'candidate':
      case 'end_of_candidates':
        if (peer) this.#signal(peer, message);
        break;
      case 'resolution':
        peer?.limit(message);
        break;
      case 'media':
        if (!peer) break;
        peer.participant.media = { microphone: message.microphone, camera: message.camera };
        this.#tell('media', peer);
        break;
      case 'chat': return this.#line(message);
      case 'error': return this.#refused(message);
    }
  }

  /** @param {Peer} peer @param {Message} message */
  #signal(peer, message) {
    if (!peer.isReplacedBy(message)) return peer.signal(message);
    const { id } = peer.participant;
    if (!this.renewals.get(id)?.grant(this.session.clock.now())) return;
    this.#renew(peer, false);
    this.peers.get(id)?.signal(message);
  }

  /** Another connection in the place of one. @param {Peer} peer @param {boolean} offers whether this side offers it */
  #renew(peer, offers) {
    this.#close(peer);
    this.#open(peer.participant, peer.polite, offers);
  }

  /** @param {Peer} peer */
  #renewLater(peer) {
    const { id } = peer.participant, pause = this.renewals.get(id)?.pause() ?? 0;
    this.session.clock.after(pause, () => {
      if (this.peers.get(id) === peer && peer.pc.connectionState === 'failed') this.#renew(peer, true);
    });
  }

  /** @param {Participant} participant @param {boolean} polite whether we came later @param {boolean} [offers] */
  #open(participant, polite, offers = polite) {
    const { id } = participant;
    if (this.peers.has(id)) return;
    const configuration = { iceServers: this.options.iceServers ?? this.iceServers, iceTransportPolicy: this.options.policy ?? 'all' };
    const peer = new Peer(participant, polite, configuration, message => this.session.send(message), offers);
    this.peers.set(id, peer);
    const renewals = this.renewals.get(id) ?? new Renewals();
    this.renewals.set(id, renewals);
    peer.addEventListener('state', event => {
      const { detail } = /** @type {CustomEvent<RTCPeerConnectionState>} */ (event), now = this.session.clock.now();
      if (detail === 'connected') renewals.connected(now);
      else if (detail === 'disconnected' || detail === 'failed') renewals.interrupted(now);
    });
    peer.addEventListener('broken', () => this.#renewLater(peer));
    // Adding tracks is what makes the newcomer's connection offer; the other side's tracks go into its answer.
    this.#tell('peer', peer);
  }

  /** @param {Peer} peer */
  #close(peer) {
    peer.close();
    this.peers.delete(peer.participant.id);
    this.#tell('gone', peer);
  }

  /** @param {string} why */
  #end(why) {
    this.#closePeers();
    this.you = null;
    this.wish = null;
    this.#stopSaying?.();
    this.#unsent.callEnded();
    this.#tell('unsent');
    this.#tell('ended', why);
  }

  #closePeers() {
    this.peers.forEach(peer => peer.close());
    this.peers.clear();
    this.renewals.clear();
  }

  /** @param {string} event @param {any} [detail] */
  #tell(event, detail) {
    this.dispatchEvent(new CustomEvent(event, { detail }));
  }
}
