// The guest's side of the app, in the browser: the same state and commands as in the window, by the protocol's own client
// (shared/protocol.js, shared/call.js) and the browser's own media.

import { BoardFold } from '../shared/board-fold.js';
import { Call } from '../shared/call.js';
import { Session } from '../shared/protocol.js';
import { Sights } from '../shared/displayed-sizes.js';
import { t } from '../shared/strings.js';
import { isTableRoom } from '../shared/tables.js';
import { figures } from './stats.js';
import { deviceKey, loadSettings, saveSettings } from './storage.js';
import { Loudness } from './audio-levels.js';
import { OwnMedia } from './local-media.js';
import { RemoteSound } from './remote-audio.js';

/** @typedef {import('../shared/backend.js').Backend} Backend */
/** @typedef {import('../shared/backend.js').Levels} Levels */
/** @typedef {import('../shared/call.js').Peer} Peer */
/** @typedef {import('../shared/model.d.ts').AppState} AppState */
/** @typedef {import('../shared/model.d.ts').CallState} CallState */
/** @typedef {import('../shared/model.d.ts').Media} Media */
/** @typedef {import('../shared/model.d.ts').Picture} Picture */
/** @typedef {import('../shared/protocol.js').DeviceKey} DeviceKey */
/** @typedef {import('../shared/protocol.js').Message} Message */
/** @typedef {import('./invitation.js').Invitation} Invitation */
/** @typedef {{ host: HTMLElement, picture: Picture, video: HTMLVideoElement, seen: boolean, track: MediaStreamTrack | null, stop: AbortController }} Shown */

/** Lines of chat that are kept. When there are more the oldest goes. */
const CHAT_KEPT = 500;
/** Ends of asking for a seat after which the same invitation brings nobody in. */
const FOR_GOOD = ['removed', 'not_member', 'invite_invalid', 'invite_expired', 'invite_used', 'no_such_table'];

/** @implements {Backend} */
export class GuestBackend {
  /** @type {'guest'} */
  shell = 'guest';
  /** @type {AppState | null} */
  state = null;
  /** @type {Set<(state: AppState) => void>} */
  #listeners = new Set();
  /** @type {Set<(levels: Levels) => void>} */
  #hearers = new Set();
  /** @type {Set<Shown>} */
  #shown = new Set();
  /** Answers that are waited for, by number of the request. @type {Map<number, { done: () => void, refuse: (error: object) => void }>} */
  #waiting = new Map();
  #media = new OwnMedia();
  #sound = new RemoteSound();
  #loudness = new Loudness(() => this.#media.audio, levels => this.#hearers.forEach(hear => hear(levels)));
  /** @type {DeviceKey | null} */
  #key = null;
  /** @type {Session | null} */
  #session = null;
  /** @type {Call | null} */
  #call = null;
  /** @type {BoardFold | null} */
  #fold = null;
  #changing = false;
  #sights = new Sights((id, size) => this.#call?.show(id, size));
  #sizes = new ResizeObserver(() => this.#measure());
  #sight = new IntersectionObserver(entries => {
    for (const { target, isIntersecting } of entries) {
      for (const shown of this.#shown) if (shown.video === target) shown.seen = isIntersecting;
    }
    this.#measure();
  });
  /** Who the server reaches no more. @type {Set<string>} */
  #gone = new Set();

  /** @param {Invitation} invitation */
  constructor(invitation) {
    this.invitation = invitation;
    this.#media.addEventListener('tracks', event => this.#track(/** @type {CustomEvent} */ (event).detail));
    this.#media.addEventListener('lost', () => this.#settle());
    this.#media.addEventListener('changed', () => this.#change({}));
    document.addEventListener('visibilitychange', () => this.#measure());
    addEventListener('online', () => this.#session?.probe());
    addEventListener('pagehide', () => this.#depart());
    // The browser kept the page as it was and shows it again: on with a new session, in no room.
    addEventListener('pageshow', ({ persisted }) => { if (persisted) this.#connect(); });
  }

  async start() {
    const settings = loadSettings();
    this.#media.choice = settings.devices;
    this.state = {
      session: { kind: 'closed', problem: null }, call: noCall(), devices: [], choice: settings.devices, problems: [], settings, you: { key: '' }, link: null, hosting: null, board: null, reminders: [], frames: null, version: 'web',
    };
    this.#change({});
    try {
      this.#key = await deviceKey();
      this.#change({ you: { key: this.#key.publicKey } });
      this.#connect();
    } catch {
      this.#change({ session: { kind: 'closed', problem: { code: 'browser_lacks', message: '', device: null } } });
    }
    await this.#media.refresh();
  }

  /** @param {(state: AppState) => void} listener */
  subscribe(listener) {
    this.#listeners.add(listener);
    if (this.state) listener(this.state);
    return () => this.#listeners.delete(listener);
  }

  /** @param {(levels: Levels) => void} listener */
  levels(listener) {
    this.#hearers.add(listener);
    return () => this.#hearers.delete(listener);
  }

  /** @param {HTMLElement} host @param {Picture} picture */
  attach(host, picture) {
    const video = document.createElement('video');
    video.muted = video.autoplay = video.playsInline = true;
    video.setAttribute('aria-hidden', 'true');
    /** @type {Shown} */
    const shown = { host, picture, video, seen: true, track: null, stop: new AbortController() };
    this.#shown.add(shown);
    host.replaceChildren(video);
    this.#show(shown);
    this.#sizes.observe(video);
    this.#sight.observe(video);
    return () => {
      this.#shown.delete(shown);
      this.#sizes.unobserve(video);
      this.#sight.unobserve(video);
      this.#measure();
      shown.stop.abort();
      video.srcObject = null;
      video.remove();
    };
  }

  /** @param {string} name @param {any} [args] @returns {Promise<any>} */
  async call(name, args = {}) {
    const state = this.#now();
    switch (name) {
      case 'join': return this.#join(args);
      case 'leave': return this.#leave();
      case 'set_microphone': return this.#turn({ microphone: args.on });
      case 'set_camera': return this.#turn({ camera: args.on });
      case 'send_chat': return void this.#call?.say(args.text);
      case 'drop_line': return void this.#call?.dropLine(args.number);
      case 'preview': if (!inCall(state.call)) await this.#media.want(args.media); return;
      case 'select_devices':
        saveSettings({ ...state.settings, devices: args.choice });
        this.#change({ choice: args.choice, settings: { ...state.settings, devices: args.choice } });
        this.#sound.speaker = args.choice.speaker;
        await this.#media.choose(args.choice);
        return this.#settle();
      case 'refresh_devices': return this.#media.refresh();
      case 'test_sound': return this.#media.beep();
      case 'save_settings':
        saveSettings(args.settings);
        return this.#change({ settings: args.settings });
      case 'dismiss_notice': return this.#change({ call: { ...state.call, notice: null } });
      case 'dismiss_link': return;
      case 'stats': return figures(this.#call?.peers.values() ?? []);
      case 'copy': return navigator.clipboard.writeText(args.text).catch(() => { throw { code: 'clipboard', message: '' }; });
      case 'make_invite': return location.href;
      case 'connect': return this.#connect();
      case 'lock': return this.#ask({ type: 'room', do: 'lock', locked: args.locked });
      case 'admit':
      case 'refuse':
      case 'mute':
      case 'remove': return this.#ask({ type: 'room', do: name, id: args.id });
      case 'take_seat': return this.#ask({ type: 'board', do: 'take', table: args.table, wait: args.wait ?? false });
      case 'leave_seat': return this.#ask({ type: 'board', do: 'leave', table: args.table });
      default: throw { code: 'not_here', message: name };
    }
  }

  /** A session under the name that is known now. */
  #connect() {
    const state = this.#now(), key = this.#key;
    if (!key) return;
    this.#session?.close();
    const name = state.settings.name || t.guest;
    const session = this.#session = new Session({ url: this.invitation.server, name, key, client: `lunchroom-web` });
    const call = this.#call = new Call(session);
    this.#fold = new BoardFold(key.publicKey);
    this.#waiting.forEach(one => one.refuse({ code: 'unanswered', message: '' }));
    this.#waiting.clear();
    this.#change({ session: { kind: 'connecting', server: this.invitation.server, problem: null } });
    const on = (/** @type {EventTarget} */ target, /** @type {string} */ event, /** @type {(detail: any) => void} */ run) =>
      target.addEventListener(event, happened => this.#session === session && run(/** @type {CustomEvent} */ (happened).detail));
    const opened = () => {
      this.#change({ session: { kind: 'open', server: this.invitation.server } });
      const { call: now } = this.#now();
      if (now.stage.kind === 'reconnecting' && call.you) this.#changeCall({ stage: { kind: 'joined' } });
    };
    const look = () => this.#look(session);
    on(session, 'welcome', () => {
      opened();
      look();
    });
    on(session, 'resumed', opened);
    on(session, 'disconnected', ({ code, message }) => {
      this.#change({ session: { kind: 'connecting', server: this.invitation.server, problem: { code, message, device: null } } });
      if (this.#now().call.stage.kind === 'joined') this.#changeCall({ stage: { kind: 'reconnecting', since_ms: Date.now() } });
    });
    on(session, 'ended', error => this.#change({ session: { kind: 'closed', problem: { code: error?.code ?? 'internal', message: error?.message ?? '', device: null } } }));
    on(session, 'message', message => this.#heard(message));
    on(call, 'joined', message => {
      this.#gone.clear();
      this.#sights.clear();
      this.#changeCall({ stage: { kind: 'joined' }, you: message.you, room: message.room });
    });
    on(call, 'peer', peer => this.#peer(peer));
    on(call, 'gone', peer => {
      this.#sights.forget(peer.participant.id);
      this.#sound.stop(peer.participant.id);
      this.#loudness.listen(peer.participant.id, null);
      this.#people();
    });
    on(call, 'media', () => this.#people());
    on(call, 'chat', message => this.#chat(message));
    on(call, 'unsent', () => this.#changeCall({ unsent: call.unsent }));
    on(call, 'refused', message => {
      if (!this.#answered(message.about, message) && call.you) this.#changeCall({ notice: message.code });
    });
    on(call, 'ended', code => this.#ended(code));
  }

  /** What the link is for; a link without a right to it is told so before anybody dresses up for lunch. @param {Session} session */
  async #look(session) {
    const { room, invite } = this.invitation;
    try {
      await this.#ask({ type: 'board', do: 'subscribe', room, ...(invite ? { invite } : {}) });
      if (FOR_GOOD.includes(this.invitation.trouble ?? '') && this.invitation.trouble !== 'removed') this.#trouble(null);
    } catch (error) {
      const { code } = /** @type {{ code: string }} */ (error);
      if (this.#session === session && FOR_GOOD.includes(code)) this.#trouble(code);
    }
  }

  /** @param {string | null} code */
  #trouble(code) {
    this.invitation.trouble = code;
    this.#change({});
  }

  /** A table that is cleared lets nobody in any more. @param {import('../shared/model.d.ts').BoardState | null} board */
  #board(board) {
    const { room, trouble } = this.invitation, there = board?.tables.some(table => table.room === room);
    if (board && isTableRoom(room) && !there) this.invitation.trouble ??= 'no_such_table';
    else if (there && trouble === 'no_such_table') this.invitation.trouble = null;
    this.#change({ board });
  }

  /** @param {Message} message */
  #heard(message) {
    switch (message.type) {
      case 'board':
        if (message.news === 'done') this.#answered(message.about);
        else if (this.#fold?.handle(message)) this.#board(this.#fold.state());
        break;
      case 'room': return this.#room(message);
      case 'participant_connection':
        if (message.connected) this.#gone.delete(message.id);
        else this.#gone.add(message.id);
        return this.#people();
    }
  }

  /** @param {Message} message */
  #room(message) {
    switch (message.news) {
      case 'knocking': return this.#changeCall({ stage: { kind: 'knocking' } });
      case 'lobby': return this.#changeCall({ lobby: message.knocking });
      case 'state': return this.#changeCall({ host: message.host ?? null, locked: message.locked });
      case 'muted':
        if (!this.#now().call.media.microphone) return;
        this.#changeCall({ notice: 'muted' });
        return void this.#turn({ microphone: false });
    }
  }

  /** @param {number | undefined} about @param {Message} [error] */
  #answered(about, error) {
    const one = about === undefined ? undefined : this.#waiting.get(about);
    if (!one || about === undefined) return false;
    this.#waiting.delete(about);
    if (error) one.refuse({ code: error.code, message: error.message ?? '' });
    else one.done();
    return true;
  }

  /** Says something that is answered by `done` or an error. @param {Message} message @returns {Promise<void>} */
  #ask(message) {
    const about = this.#session?.send(message) ?? 0;
    if (message.type === 'room' || !about) return Promise.resolve();
    return new Promise((done, refuse) => this.#waiting.set(about, { done, refuse }));
  }

  /** @param {{ room: string, invite: string | null, media: Media }} wish */
  async #join({ room, invite, media }) {
    const { settings } = this.#now();
    this.#changeCall({ ...noCall(), stage: { kind: 'joining' }, room, media, unsent: this.#call?.unsent ?? [] });
    // The name is part of the hello.
    if (this.#session?.name !== settings.name || this.#session.state === 'closed') this.#connect();
    await this.#media.want(media);
    if (this.#now().call.stage.kind !== 'joining') return;
    const { open, wanted } = this.#media;
    this.#changeCall({ media: wanted });
    // Who comes back after an end comes by the same invite.
    const own = room === this.invitation.room ? this.invitation.invite : null;
    this.#call?.join(room, open, invite ?? own ?? undefined);
  }

  /** The page goes away: the seat is free at once, the devices are closed. */
  #depart() {
    if (this.#call?.wish) this.#leave();
    this.#session?.close();
    this.#media.want({ camera: false, microphone: false });
  }

  #leave() {
    if (this.#call?.wish) this.#call.leave();
    else this.#ended('left');
  }

  /** What is off is said at once, what is on when it is. @param {Partial<Media>} change */
  async #turn(change) {
    const media = { ...this.#now().call.media, ...change }, done = this.#media.want(media);
    this.#settle();
    await done;
    this.#settle();
  }

  /** The person sees what is wanted and has not failed, the others what is really open. */
  #settle() {
    const { open, wanted } = this.#media, told = this.#call?.wish?.media;
    this.#changeCall({ media: wanted });
    if (told && (open.camera !== told.camera || open.microphone !== told.microphone)) this.#call?.setMedia(open);
  }

  /** @param {Peer} peer */
  #peer(peer) {
    const { tracks } = this.#media, { id } = peer.participant;
    const stream = new MediaStream(), all = /** @type {const} */ ([['audio', tracks.microphone], ['video', tracks.camera]]);
    for (const [kind, track] of all) {
      // An offer has a line for each kind, also for what is off; an answer takes what is there.
      if (peer.offers) peer.pc.addTransceiver(track ?? kind, { direction: 'sendrecv', streams: [stream] });
      else if (track) peer.pc.addTrack(track, stream);
    }
    peer.addEventListener('track', event => {
      const { track } = /** @type {CustomEvent<RTCTrackEvent>} */ (event).detail;
      if (track.kind === 'audio') {
        this.#sound.play(id, track);
        this.#loudness.listen(id, track);
      }
      this.#shown.forEach(shown => this.#show(shown));
    });
    peer.addEventListener('state', () => this.#people());
    this.#people();
    this.#measure();
  }

  /** One's own track of a kind is another, or none. @param {'camera' | 'microphone'} kind */
  #track(kind) {
    const track = this.#media.tracks[kind], name = kind === 'camera' ? 'video' : 'audio';
    if (kind === 'microphone') this.#loudness.listen('own', track);
    for (const peer of this.#call?.peers.values() ?? []) {
      const { pc } = peer;
      const lines = pc.getTransceivers().filter(line => line.receiver.track.kind === name);
      const sending = lines.find(line => line.direction === 'sendrecv' || line.direction === 'sendonly') ?? lines.find(line => line.sender.track);
      if (sending) sending.sender.replaceTrack(track).then(() => peer.fit(), error => console.warn('replaceTrack', String(error)));
      else if (track) pc.addTrack(track, new MediaStream());
    }
    this.#shown.forEach(shown => this.#show(shown));
  }

  /** @param {Shown} shown */
  #show(shown) {
    const { picture, video } = shown;
    const peer = picture.kind === 'own' ? null : this.#call?.peers.get(picture.id);
    const track = (picture.kind === 'own' ? this.#media.tracks.camera : peer?.pc.getReceivers().find(receiver => receiver.track.kind === 'video')?.track) ?? null;
    if (shown.track === track) return;
    shown.track = track;
    shown.stop.abort();
    shown.stop = new AbortController();
    video.srcObject = track ? new MediaStream([track]) : null;
    video.classList.remove('drawn');
    if (!track) return;
    // Without a picture, also when none comes any more, the initials are seen.
    const { signal } = shown.stop, judge = () => video.classList.toggle('drawn', track.readyState === 'live' && !track.muted && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA);
    for (const event of ['mute', 'unmute', 'ended']) track.addEventListener(event, judge, { signal });
    for (const event of ['loadeddata', 'playing', 'resize']) video.addEventListener(event, judge, { signal });
    judge();
    video.play().catch(() => {});
  }

  /** How large everybody is seen; who has the camera off is out of sight anyway, and should be there at once when it is on. */
  #measure() {
    for (const { participant: { id, media } } of this.#call?.peers.values() ?? []) {
      const sizes = [...this.#shown].filter(({ picture, seen }) => picture.kind === 'camera' && picture.id === id && seen && !document.hidden)
        .map(({ video }) => video.getBoundingClientRect());
      if (!sizes.length && !media.camera) continue;
      /** @param {'width' | 'height'} side */
      const most = side => Math.round(Math.max(0, ...sizes.map(size => size[side])) * devicePixelRatio);
      this.#sights.show(id, { max_width: most('width'), max_height: most('height') });
    }
  }

  #people() {
    const participants = [...this.#call?.peers.values() ?? []].map(({ participant, pc }) => ({
      ...participant, connected: !this.#gone.has(participant.id),
      link: linkOf(pc.connectionState),
    }));
    this.#changeCall({ participants });
    this.#shown.forEach(shown => this.#show(shown));
  }

  /** @param {Message} message */
  #chat({ from, text, at }) {
    const { call, settings } = this.#now();
    const name = from === call.you ? settings.name : this.#call?.peers.get(from)?.participant.name ?? call.chat.findLast(line => line.from === from)?.name ?? '?';
    this.#changeCall({ chat: [...call.chat, { from, name, text, at }].slice(-CHAT_KEPT) });
  }

  /** @param {string} code */
  #ended(code) {
    if (FOR_GOOD.includes(code)) this.invitation.trouble = code;
    this.#sound.stopAll();
    for (const one of this.#now().call.participants) this.#loudness.listen(one.id, null);
    this.#media.want({ camera: false, microphone: false });
    this.#changeCall({ stage: { kind: 'ended', code }, participants: [], lobby: [], you: null, media: { camera: false, microphone: false } });
  }

  #now() {
    if (!this.state) throw new Error('not started');
    return this.state;
  }

  /** @param {Partial<CallState>} change */
  #changeCall(change) {
    this.#change({ call: { ...this.#now().call, ...change } });
  }

  /** One telling for all changes of a turn. @param {Partial<AppState>} change */
  #change(change) {
    if (!this.state) return;
    this.state = { ...this.state, ...change, devices: this.#media.devices, problems: this.#media.problems };
    if (this.#changing) return;
    this.#changing = true;
    queueMicrotask(() => {
      this.#changing = false;
      const { state } = this;
      if (!state) return;
      for (const listener of this.#listeners) {
        // What one part of the page cannot do must not keep the others as they are.
        try { listener(state); } catch (error) { reportError(error); }
      }
    });
  }
}

/** @returns {CallState} */
const noCall = () => ({ stage: { kind: 'idle' }, room: '', you: null, media: { microphone: false, camera: false }, participants: [], chat: [], notice: null, lobby: [], locked: false, host: null, unsent: [] });

/** @param {RTCPeerConnectionState} state @returns {import('../shared/model.d.ts').Link} */
const linkOf = state => state === 'connected' ? 'connected' : state === 'disconnected' || state === 'failed' ? 'mending' : 'connecting';

/** @param {CallState} call */
const inCall = ({ stage }) => ['joining', 'knocking', 'joined', 'reconnecting'].includes(stage.kind);
