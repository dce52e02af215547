// A call in a browser: one direct connection to each other participant (peer.js), unless the room is forwarded. The newcomer
// sends the first offer to each participant and is the polite peer. This module does not use the DOM.

import { Peer } from './peer.js';
import { OwnReactions, Reactions } from './reactions.js';
import { ReplacementLimits } from './replacement.js';
import { Signer } from './statement.js';
import { Unsent } from './unsent.js';

/** @typedef {import('./protocol.js').Session} Session */
/** @typedef {import('./protocol.js').Message} Message */
/** @typedef {import('./model.d.ts').MediaState} MediaState */
/** @typedef {import('./model.d.ts').Participant} Participant */
/**
 * @typedef {object} Person  another participant
 * @property {Participant} participant
 * @property {boolean} polite whether this client joined later
 * @property {string | null} distrust why nothing is sent to them and accepted of them: a description or key was not signed by
 *   their device for us
 */

/** Offers whose refusal is expected if the room is forwarded from that moment. More are forgotten, the oldest first. */
const MAX_OFFERS = 64;

/**
 * A call in one room of a session. Events:
 * - `joined` (detail: the message `joined`);
 * - `came`, `gone` (detail: the {@link Person}): somebody is in the room, and no longer;
 * - `path` (no detail): {@link Call#forwarded} has changed;
 * - `peer` (detail: the {@link Peer}): a new direct connection, before its first negotiation; the listener adds the tracks,
 *   unless it has `distrust`;
 * - `distrusted` (detail: the Person): their connection was closed, because something was not signed by their device;
 * - `closed` (detail: the Peer): a direct connection was closed or replaced;
 * - `media` (detail: the Person): a participant switched a device on or off;
 * - `hand` (detail: the Person; null: the own hand): a hand was raised or lowered;
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
    /** By participant id. @type {Map<string, Person>} */
    this.people = new Map();
    /** The direct connections by participant id. @type {Map<string, Peer>} */
    this.peers = new Map();
    /** Whether the room's media goes through the server's forwarder. Nobody then offers to participants. */
    this.forwarded = false;
    /** Whether direct connections go on when the room is direct again: nobody can have closed one yet. */
    this.keepsPeers = false;
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

  /** Numbers of the last offers. @type {number[]} */
  #offers = [];

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

  /** Closes a direct connection that the forwarder has replaced. @param {string} id participant id */
  closeDirect(id) {
    const peer = this.peers.get(id);
    if (peer) this.#close(peer);
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

  /** @param {Message} message @param {Person | undefined} person */
  #handleHand({ from, hand }, person) {
    if (from === this.you) this.hand = hand;
    else if (person) person.participant.hand = hand;
    else return;
    this.#emit('hand', person ?? null);
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
    if (error.code === 'unexpected_message' && this.#offers.includes(error.about)) return; // the room was forwarded before it arrived
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
    const id = message.from ?? message.id, person = this.people.get(id), peer = this.peers.get(id);
    switch (message.type) {
      case 'joined':
        this.you = message.you;
        this.#emit('joined', message);
        for (const other of message.participants) this.#come(other, true);
        this.#raiseLostHand();
        this.#sendLines();
        break;
      case 'left': return this.#end(message.reason);
      case 'participant_joined': return this.#come(message.participant, false);
      case 'participant_left': return this.#go(message.id);
      case 'forwarded': return this.#setForwarded(message.on);
      case 'offer':
        if (person && !this.forwarded) this.#receive(person, message);
        break;
      case 'answer':
      case 'candidate':
      case 'end_of_candidates':
        if (person) this.#receive(person, message);
        break;
      case 'resolution':
        peer?.setResolution(message);
        break;
      case 'check_connection':
        if (peer?.mayReport(this.session.clock.now())) this.session.send({ type: 'connection_report', to: message.from, verdict: 'unknown', findings: [] });
        break;
      case 'media':
        if (!person) break;
        person.participant.media = { microphone: message.microphone, camera: message.camera, screen: message.screen === true };
        this.#emit('media', person);
        break;
      case 'avatar':
        if (!person) break;
        person.participant.avatar = message.avatar;
        this.#emit('media', person);
        break;
      case 'hand': return this.#handleHand(message, person);
      case 'reaction':
        if (person || message.from === this.you) this.reactions.show(person ? message.from : 'own', message.reaction);
        break;
      case 'chat': return this.#handleChat(message);
      case 'error': return this.#handleError(message);
    }
  }

  /** @param {Participant} participant @param {boolean} polite whether this client joined later */
  #come(participant, polite) {
    if (this.people.has(participant.id)) return;
    /** @type {Person} */
    const person = { participant, polite, distrust: this.signer.knows(participant) ? null : 'statement_missing' };
    this.people.set(participant.id, person);
    this.#emit('came', person);
    if (!this.forwarded) this.#open(person);
  }

  /** @param {string} id */
  #go(id) {
    const person = this.people.get(id), peer = this.peers.get(id);
    this.people.delete(id);
    this.replacementLimits.delete(id);
    this.#queues.delete(id);
    this.reactions.remove(id);
    if (peer) this.#close(peer);
    if (person) this.#emit('gone', person);
  }

  /**
   * The room's media goes another way from now on. Direct connections stay until {@link Call#closeDirect}; at the end, whoever
   * joined later offers a new one.
   * @param {boolean} on
   */
  #setForwarded(on) {
    if (on === this.forwarded) return;
    this.forwarded = on;
    if (on) {
      this.keepsPeers = true;
      this.peers.forEach(peer => peer.freeze());
    } else this.#goDirect();
    this.#emit('path');
  }

  #goDirect() {
    for (const person of this.people.values()) {
      const peer = this.peers.get(person.participant.id);
      if (!peer) this.#open(person);
      else if (person.polite && !this.keepsPeers && !person.distrust) this.#replace(peer, true);
      else peer.thaw();
    }
  }

  /**
   * Handles a signal after the ones before it, and a description only if the participant's device has signed it for us.
   * @param {Person} person @param {Message} message
   */
  #receive(person, message) {
    const { participant } = person, { id } = participant, queue = this.#queue(id), room = this.#room;
    queue.in = queue.in.then(async () => {
      const isCurrent = () => this.people.get(id) === person && !person.distrust;
      if (!isCurrent()) return;
      try {
        const { type, sdp, signature } = message, isDescription = type === 'offer' || type === 'answer';
        const checked = isDescription ? { ...message, sdp: await this.signer.verify(room, participant, sdp, signature) } : message;
        const peer = this.peers.get(id);
        if (peer && isCurrent()) this.#signal(peer, checked);
      } catch (error) {
        if (isCurrent()) this.distrust(person, /** @type {{ code?: string }} */ (error).code ?? 'statement_wrong');
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
        if (!isCurrent()) return;
        const seq = this.session.send(signed);
        if (message.type === 'offer') this.#offers = [...this.#offers, seq].slice(-MAX_OFFERS);
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

  /** Nothing connects to somebody whose description or key was not signed by their device, until they leave. @param {Person} person @param {string} code */
  distrust(person, code) {
    person.distrust = code;
    this.peers.get(person.participant.id)?.refuse(code);
    this.#emit('distrusted', person);
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
    const person = this.people.get(peer.participant.id);
    this.#close(peer);
    if (person) this.#open(person, offers);
  }

  /** Replaces a failed connection after the backoff. @param {Peer} peer */
  #scheduleReplacement(peer) {
    const { id } = peer.participant, backoff = this.replacementLimits.get(id)?.nextBackoff() ?? 0;
    this.session.clock.after(backoff, () => {
      if (!this.forwarded && this.peers.get(id) === peer && peer.pc.connectionState === 'failed') this.#replace(peer, true);
    });
  }

  /** Connects directly. @param {Person} person @param {boolean} [offers] whether this side sends the first offer */
  #open(person, offers = person.polite) {
    const { participant, polite } = person, { id } = participant;
    if (this.peers.has(id)) return;
    const configuration = { iceServers: this.options.iceServers ?? this.iceServers, iceTransportPolicy: this.options.policy ?? 'all' };
    const peer = new Peer(participant, polite, configuration, message => this.#send(peer, message), offers);
    peer.savesData = this.options.savesData ?? false;
    this.peers.set(id, peer);
    peer.setShare(this.#share);
    if (person.distrust) peer.refuse(person.distrust);
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
    this.people.clear();
    this.forwarded = false;
    this.replacementLimits.clear();
    this.#queues.clear();
  }

  /** @param {string} event @param {any} [detail] */
  #emit(event, detail) {
    this.dispatchEvent(new CustomEvent(event, { detail }));
  }
}
