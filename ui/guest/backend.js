// The backend of the guest page: the state and the commands of the app, with the browser's protocol client
// (shared/protocol.js, shared/call.js) and the browser's media. The door's backend (door/backend.js) extends it.

import { BoardSession } from '../shared/board-session.js';
import { Call } from '../shared/call.js';
import { comparisonCode } from '../shared/comparison.js';
import { withKnown } from '../shared/known.js';
import { Session } from '../shared/protocol.js';
import { asked } from '../shared/data-saver.js';
import { DisplayedSizes } from '../shared/displayed-sizes.js';
import { t } from '../shared/strings.js';
import { isTableRoom } from '../shared/tables.js';
import { webAddress } from '../shared/web-links.js';
import { collectStats } from './stats.js';
import { deviceKey, loadSettings, saveSettings } from './storage.js';
import { CallSound } from './call-sound.js';
import { saveText } from './download.js';
import { GuestFiles, chooseFiles } from './files.js';
import { FEATURE, Forwarding, canForward } from './forwarding.js';
import { LocalMedia } from './local-media.js';
import { OwnShare } from './own-share.js';
import { Pictures } from './pictures.js';
import { WakeLock } from './wake-lock.js';

/** @typedef {import('../shared/backend.js').Backend} Backend */
/** @typedef {import('../shared/backend.js').Levels} Levels */
/** @typedef {import('../shared/call.js').Person} Person */
/** @typedef {import('../shared/peer.js').Peer} Peer */
/** @typedef {import('../shared/model.d.ts').AppState} AppState */
/** @typedef {import('../shared/model.d.ts').CallView} CallView */
/** @typedef {import('../shared/model.d.ts').MediaState} MediaState */
/** @typedef {import('../shared/model.d.ts').Picture} Picture */
/** @typedef {import('../shared/model.d.ts').Settings} Settings */
/** @typedef {import('../shared/protocol.js').DeviceKey} DeviceKey */
/** @typedef {import('../shared/protocol.js').Message} Message */
/** @typedef {import('./invitation.js').Invitation} Invitation */

/** Chat lines kept. A further line removes the oldest. */
const MAX_CHAT_LINES = 500;
/** Of a shared screen among the pictures that the forwarder sends. Cameras have 0. */
const SCREEN_PRIORITY = 2;
/** Error codes after which the same link cannot be used again. */
const FINAL_CODES = ['removed', 'not_member', 'invite_invalid', 'invite_expired', 'invite_used', 'no_such_table'];

/** @implements {Backend} */
export class GuestBackend {
  shell = /** @type {'guest' | 'door'} */ ('guest');
  /** @type {AppState | null} */
  state = null;
  /** @type {Set<(state: AppState) => void>} */
  #listeners = new Set();
  /** @type {Set<(levels: Levels) => void>} */
  #levelListeners = new Set();
  board = new BoardSession();
  #media = new LocalMedia();
  #ownShare = new OwnShare();
  #wakeLock = new WakeLock();
  #files = new GuestFiles(transfers => this.update({ transfers }));
  /** Files that were dropped on the page. @type {File[]} */
  #dropped = [];
  #sound = new CallSound(() => this.#media.audio, levels => this.#levelListeners.forEach(listener => listener(levels)));
  #pictures = new Pictures(picture => this.#trackOf(picture), () => this.#measureVideos());
  /** @type {DeviceKey | null} */
  #key = null;
  /** @type {Session | null} */
  #session = null;
  /** @type {Call | null} */
  #call = null;
  /** @type {Forwarding | null} */
  #forwarding = null;
  /** What this browser can do beyond version 1 of the protocol. @type {string[]} */
  #features = [];
  #updatePending = false;
  #displayedSizes = new DisplayedSizes((id, size) => this.#call?.sendResolution(id, size));
  /** Ids of participants who have lost their connection to the server. @type {Set<string>} */
  #disconnected = new Set();

  /** @param {Invitation} invitation */
  constructor(invitation) {
    this.invitation = invitation;
    this.#media.addEventListener('tracks', event => this.#replaceTrack(/** @type {CustomEvent} */ (event).detail));
    this.#media.addEventListener('lost', () => this.#syncMedia());
    this.#media.addEventListener('changed', () => this.update({}));
    this.#ownShare.addEventListener('changed', () => this.#updateOwnShare());
    document.addEventListener('visibilitychange', () => {
      this.#measureVideos();
      if (!document.hidden) this.#session?.probe(); // a phone cuts the connections of pages that it hides
    });
    addEventListener('dragover', event => event.preventDefault());
    addEventListener('drop', event => this.#takeDropped(event));
    addEventListener('online', () => this.#session?.probe());
    addEventListener('pagehide', () => this.unload());
    // The browser restored the page from its cache. Start a new session, without a seat.
    addEventListener('pageshow', ({ persisted }) => { if (persisted) this.connect(); });
  }

  async start() {
    const settings = loadSettings();
    this.#media.choice = settings.devices;
    this.#media.setProcessing(settings);
    this.state = {
      session: { kind: 'closed', problem: null }, call: noCall(), reconnecting_since_ms: null, interrupted_since_ms: {}, chat: [], transfers: [], dropped: [], notice: null, devices: [], choice: settings.devices, listening: false, same_room: [], sound_check: { kind: 'idle' }, share: null, sharing: [], problems: [], settings, you: { key: '' }, link: null, hosting: null, board: null, reminders: [], frames: null, abilities: { tray: false, autostart: false, global_keys: false }, version: 'web',
    };
    this.update({});
    try {
      this.#key = await deviceKey();
      if (await canForward()) this.#features = [FEATURE];
      this.update({ you: { key: this.#key.publicKey } });
      await this.begin();
    } catch {
      this.update({ session: { kind: 'closed', problem: { code: 'browser_lacks', message: '', device: null } } });
    }
    await this.#media.refresh();
  }

  /** Begins as soon as there is a key. */
  async begin() {
    this.connect();
  }

  /** What a session needs beyond the name and the key. @returns {{ member?: CryptoKey }} */
  credentials() {
    return {};
  }

  /** @param {(state: AppState) => void} listener */
  subscribe(listener) {
    this.#listeners.add(listener);
    if (this.state) listener(this.state);
    return () => this.#listeners.delete(listener);
  }

  /** @param {(levels: Levels) => void} listener */
  levels(listener) {
    this.#levelListeners.add(listener);
    return () => this.#levelListeners.delete(listener);
  }

  /** @param {HTMLElement} host @param {Picture} picture */
  attach(host, picture) {
    return this.#pictures.attach(host, picture);
  }

  /** @param {string} name @param {any} [args] @returns {Promise<any>} */
  async call(name, args = {}) {
    const state = this.current();
    switch (name) {
      case 'join': return this.#join(args);
      case 'leave': return this.#leave();
      case 'set_microphone': return this.#setMedia({ microphone: args.on });
      case 'set_camera': return this.#setMedia({ camera: args.on });
      case 'share': return this.#ownShare.start();
      case 'stop_share': return this.#ownShare.stop();
      case 'react': return void this.#call?.react(args.reaction);
      case 'set_hand': return void this.#call?.setHand(args.raised);
      case 'send_chat': return void this.#call?.sendChat(args.text);
      case 'small_window': return this.#pictures.showSmall();
      case 'open_web': return void window.open(webAddress(args.url) ?? 'about:blank', '_blank', 'noopener,noreferrer');
      case 'send_files': return this.#offerFiles(await chooseFiles(), args.to);
      case 'send_dropped': return this.#offerFiles(this.#dropped, args.to);
      case 'dismiss_dropped': return this.#setDropped([]);
      case 'transfer': return this.#files.act(args.id, args.choice);
      case 'drop_line': return void this.#call?.dropLine(args.number);
      case 'preview': if (!inCall(state.call)) await this.#media.open(args.media); return;
      case 'select_devices':
        saveSettings({ ...state.settings, devices: args.choice });
        this.update({ choice: args.choice, settings: { ...state.settings, devices: args.choice } });
        this.#sound.speaker = args.choice.speaker;
        await this.#media.select(args.choice);
        return this.#syncMedia();
      case 'refresh_devices': return this.#media.refresh();
      case 'test_sound': return this.#media.playTestSound();
      case 'save_settings': return this.#saveSettings(args.settings);
      case 'compare': return comparisonCode(this.#key?.publicKey ?? '', this.#participant(args).key);
      case 'mark_compared': return this.#markCompared(this.#participant(args));
      case 'dismiss_notice': return this.update({ notice: null });
      case 'dismiss_link': return;
      case 'stats': return collectStats(this.#call, this.#forwarding);
      case 'copy': return navigator.clipboard.writeText(args.text).catch(() => { throw { code: 'clipboard', message: '' }; });
      case 'make_invite': return location.href;
      case 'connect': return this.connect();
      case 'lock': return this.#tellRoom({ type: 'room', do: 'lock', locked: args.locked });
      case 'admit':
      case 'refuse':
      case 'mute':
      case 'lower_hand':
      case 'spotlight':
      case 'hand_over':
      case 'remove': return this.#tellRoom({ type: 'room', do: name, id: args.id });
      case 'take_seat': return this.board.request({ type: 'board', do: 'take', table: args.table, wait: args.wait ?? false });
      case 'about_me': return this.#aboutMe();
      case 'save_about_me': return saveText('lunchroom-about-me.json', 'application/json', JSON.stringify(await this.#aboutMe(), null, 2));
      case 'photo': return (await this.board.request({ type: 'board', do: 'photo', id: args.id }))?.jpeg;
      case 'forget_me': return this.board.request({ type: 'board', do: 'forget_me' });
      case 'report': return this.board.request({ type: 'board', do: 'report', ...args });
      case 'block': return this.board.request({ type: 'board', do: 'block', ...args });
      case 'acts_seen': return this.board.request({ type: 'board', do: 'seen' });
      case 'leave_seat': return this.board.request({ type: 'board', do: 'leave', table: args.table });
      default: throw { code: 'not_here', message: name };
    }
  }

  /** Starts a new session with the current name, and closes the previous one. */
  connect() {
    const state = this.current(), key = this.#key;
    if (!key) return;
    this.#session?.close();
    const name = state.settings.name || t.guest;
    const session = this.#session = new Session({ url: this.invitation.server, name, key, client: `lunchroom-web`, features: this.#features, ...this.credentials() });
    this.#forwarding?.end();
    const call = this.#call = new Call(session), forwarding = this.#forwarding = this.#forwardingOf(call);
    this.board.begin(session, key.publicKey);
    this.update({ session: { kind: 'connecting', server: this.invitation.server, problem: null } });
    const on = (/** @type {EventTarget} */ target, /** @type {string} */ event, /** @type {(detail: any) => void} */ run) =>
      target.addEventListener(event, happened => this.#session === session && run(/** @type {CustomEvent} */ (happened).detail));
    const opened = () => {
      this.update({ session: { kind: 'open', server: this.invitation.server } });
      const { call: now } = this.current();
      if (now.stage.kind === 'reconnecting' && call.you) this.#updateCall({ stage: { kind: 'joined' } });
    };
    on(session, 'welcome', message => {
      this.board.be(message.account?.person ?? key.publicKey);
      opened();
      this.welcomed(session, message);
    });
    on(session, 'lost', () => this.board.lost());
    on(session, 'resumed', opened);
    on(session, 'disconnected', ({ code, message }) => {
      this.update({ session: { kind: 'connecting', server: this.invitation.server, problem: { code, message, device: null } } });
      if (this.current().call.stage.kind === 'joined') this.#updateCall({ stage: { kind: 'reconnecting' } });
    });
    on(session, 'ended', error => this.ended(session, error));
    on(session, 'message', message => this.#handleMessage(message));
    on(call, 'joined', message => {
      this.#disconnected.clear();
      this.#displayedSizes.clear();
      this.#updateCall({ stage: { kind: 'joined' }, you: message.you, room: message.room });
    });
    on(call, 'peer', peer => this.#addPeer(peer));
    for (const event of ['came', 'gone', 'distrusted', 'closed', 'media', 'path']) on(call, event, () => this.#updateParticipants());
    on(call, 'closed', peer => this.#displayedSizes.remove(peer.participant.id));
    on(forwarding, 'changed', () => this.#updateParticipants());
    on(call, 'hand', () => {
      this.#updateCall({ hand: call.hand });
      this.#updateParticipants();
    });
    on(call, 'reaction', () => {
      this.#updateCall({ reaction: call.reactions.of('own') });
      this.#updateParticipants();
    });
    on(call, 'chat', message => this.#addChatLine(message));
    on(call, 'unsent', () => this.#updateCall({ unsent: call.unsent }));
    on(call, 'rejected', message => {
      if (!this.board.refused(message) && !forwarding.refused(message) && call.you) this.update({ notice: message.code });
    });
    on(call, 'ended', code => this.#handleEnd(code));
  }

  /** @param {Call} call */
  #forwardingOf(call) {
    return new Forwarding(call, {
      tracks: () => ({ audio: this.#media.tracks.microphone, camera: this.#media.tracks.camera, screen: this.#ownShare.track }),
      savesData: () => this.current().settings.data_saver,
      receivesDirectly: id => CallSound.receivesDirectly(call, id),
      displaysDirectly: (id, kind) => this.#pictures.displays(kind === 'camera' ? 'camera' : 'share', id, this.#directTrack(id, kind)),
      sendsFiles: key => this.#files.needsConnection(key),
    });
  }

  /** The session has ended for good. @param {Session} _session @param {{ code?: string, message?: string } | undefined} error */
  ended(_session, error) {
    this.update({ session: { kind: 'closed', problem: { code: error?.code ?? 'internal', message: error?.message ?? '', device: null } } });
  }

  /** Shows no call any more, not even that it has ended. */
  forgetCall() { this.update({ call: noCall() }); }

  /** Subscribes to the table of the link, so that an invalid link is reported before the device check. @param {Session} session @param {Message} _welcome */
  async welcomed(session, _welcome) {
    const { room, invite } = this.invitation;
    try {
      await this.board.request({ type: 'board', do: 'subscribe', room, ...(invite ? { invite } : {}) });
      if (FINAL_CODES.includes(this.invitation.trouble ?? '') && this.invitation.trouble !== 'removed') this.#setTrouble(null);
    } catch (error) {
      const { code } = /** @type {{ code: string }} */ (error);
      if (this.#session === session && FINAL_CODES.includes(code)) this.#setTrouble(code);
    }
  }

  /** @param {string | null} code why the link cannot be used; null: it can */
  #setTrouble(code) {
    this.invitation.trouble = code;
    this.update({});
  }

  /** Updates the board, and reports a link whose table no longer exists. */
  updateBoard() {
    const { state: board } = this.board, { room, trouble } = this.invitation, exists = board?.tables.some(table => table.room === room);
    if (board?.order.suspension) this.invitation.trouble = 'suspended';
    else if (board && isTableRoom(room) && !exists) this.invitation.trouble ??= 'no_such_table';
    else if (exists && trouble === 'no_such_table') this.invitation.trouble = null;
    this.update({ board });
  }

  /** @param {Message} message */
  #handleMessage(message) {
    switch (message.type) {
      case 'board':
      case 'account':
        if (this.board.handle(message, Date.now())) this.updateBoard();
        break;
      case 'room': return this.#handleRoom(message);
      case 'participant_connection':
        if (message.connected) this.#disconnected.delete(message.id);
        else this.#disconnected.add(message.id);
        return this.#updateParticipants();
    }
  }

  /** @param {Message} message */
  #handleRoom(message) {
    switch (message.news) {
      case 'knocking': return this.#updateCall({ stage: { kind: 'knocking' } });
      case 'lobby': return this.#updateCall({ lobby: message.knocking });
      case 'state': return this.#updateCall({ host: message.host ?? null, locked: message.locked, spotlight: message.spotlight ?? null });
      case 'muted':
        if (!this.current().call.media.microphone) return;
        this.update({ notice: 'muted' });
        return void this.#setMedia({ microphone: false });
    }
  }

  /** @param {Settings} settings */
  #saveSettings(settings) {
    saveSettings(settings);
    this.update({ settings });
    this.#media.setProcessing(settings);
    this.#call?.setDataSaver(settings.data_saver);
    this.#forwarding?.setDataSaver(settings.data_saver);
    this.#measureVideos();
  }

  /** Everything that the server has stored about this person. @returns {Promise<import('../shared/model.d.ts').AboutMe>} */
  async #aboutMe() {
    const { type: _type, news: _news, ...about } = /** @type {Message} */ (await this.board.request({ type: 'board', do: 'about_me' }));
    return /** @type {any} */ (about);
  }

  /** Sends a message to the room, which has no answer. @param {Message} message */
  #tellRoom(message) {
    this.#session?.send(message);
  }

  /** @param {{ room: string, invite: string | null, media: MediaState }} request */
  async #join({ room, invite, media }) {
    const { settings } = this.current();
    this.update({ chat: [], notice: null });
    this.#updateCall({ ...noCall(), stage: { kind: 'joining' }, room, media, unsent: this.#call?.unsent ?? [] });
    // The hello includes the name, so a changed name needs a new session.
    if (this.#session?.name !== settings.name || this.#session.state === 'closed') this.connect();
    await this.#media.open(media);
    if (this.current().call.stage.kind !== 'joining') return;
    this.#updateCall({ media: this.#media.requested });
    // A guest who joins again uses the link's invite again.
    if (this.#call) this.#call.options.policy = settings.relay_only ? 'relay' : 'all';
    this.#call?.setDataSaver(settings.data_saver);
    const own = room === this.invitation.room ? this.invitation.invite : null;
    this.#call?.join(room, this.#announced(), invite ?? own ?? undefined);
  }

  /** The page is closing: frees the seat immediately and closes the devices. */
  unload() {
    if (this.#call?.joinRequest) this.#leave();
    this.#session?.close();
    this.#media.open({ camera: false, microphone: false });
  }

  #leave() {
    if (this.#call?.joinRequest) this.#call.leave();
    else this.#handleEnd('left');
  }

  /** Switches devices. A device is reported as off immediately, and as on when it is open. @param {Partial<MediaState>} change */
  async #setMedia(change) {
    const media = { ...this.current().call.media, ...change }, opened = this.#media.open(media);
    this.#syncMedia();
    await opened;
    this.#syncMedia();
  }

  /** Shows the person which devices are requested and have not failed, and the others what is live. */
  #syncMedia() {
    const announced = this.#announced(), before = this.#call?.joinRequest?.media;
    this.#updateCall({ media: this.#media.requested });
    if (before && (announced.camera !== before.camera || announced.microphone !== before.microphone || announced.screen !== before.screen)) this.#call?.setMedia(announced);
  }

  /** What the others are told about the own devices and the own screen. @returns {MediaState} */
  #announced() {
    return { ...this.#media.live, ...(this.#ownShare.track ? { screen: true } : {}) };
  }

  /** Shares the own screen, or no longer. Outside of a call nothing is shared. */
  #updateOwnShare() {
    const { track } = this.#ownShare;
    if (track && !inCall(this.current().call)) return this.#ownShare.stop();
    this.#call?.setShare(track);
    this.#forwarding?.replaceTrack('screen', track);
    this.#syncMedia();
    this.update({ share: track && { id: '', name: '', state: 'live' } });
  }

  /** @param {File[]} files @param {string[]} to */
  #offerFiles(files, to) {
    const people = this.current().call.participants.filter(one => to.includes(one.id));
    this.#setDropped([]);
    if (files.length) this.#files.offer(files, people, { forwarded: this.#call?.forwarded });
  }

  /** @param {File[]} files */
  #setDropped(files) {
    this.#dropped = files;
    this.update({ dropped: files.map(file => file.name) });
  }

  /** @param {DragEvent} event */
  #takeDropped(event) {
    event.preventDefault(); // otherwise the browser would leave the page for the file
    if (inCall(this.current().call)) this.#setDropped([...event.dataTransfer?.files ?? []]);
  }

  /** @param {Peer} peer */
  #addPeer(peer) {
    if (peer.distrust) return this.#updateParticipants();
    const { tracks } = this.#media;
    this.#files.attach(peer.pc, peer.participant);
    const stream = new MediaStream(), all = /** @type {const} */ ([['audio', tracks.microphone], ['video', tracks.camera]]);
    for (const [kind, track] of all) {
      // An offer has a media section for each kind, even if the device is off. An answer uses the sections of the offer.
      if (peer.offers) peer.pc.addTransceiver(track ?? kind, { direction: 'sendrecv', streams: [stream] });
      else if (track) peer.pc.addTrack(track, stream);
    }
    peer.addEventListener('track', event => {
      const { track } = /** @type {CustomEvent<RTCTrackEvent>} */ (event).detail;
      track.addEventListener('unmute', () => this.#updateReceived());
      this.#updateReceived();
    });
    peer.addEventListener('state', () => this.#updateParticipants());
    peer.addEventListener('negotiated', () => this.#updateParticipants());
    this.#updateParticipants();
    this.#measureVideos();
  }

  /** Sends the current own track of a kind, or none. @param {'camera' | 'microphone'} kind */
  #replaceTrack(kind) {
    const track = this.#media.tracks[kind], name = kind === 'camera' ? 'video' : 'audio';
    if (kind === 'microphone') this.#sound.setOwn(track);
    this.#forwarding?.replaceTrack(kind === 'camera' ? 'camera' : 'audio', track);
    for (const peer of this.#call?.peers.values() ?? []) {
      const { pc } = peer;
      const transceivers = name === 'video' ? [peer.camera].filter(one => one !== undefined) : pc.getTransceivers().filter(one => one.receiver.track.kind === name);
      const sending = transceivers.find(one => one.direction === 'sendrecv' || one.direction === 'sendonly') ?? transceivers.find(one => one.sender.track);
      if (sending) sending.sender.replaceTrack(track).then(() => peer.applyResolution(), error => console.warn('replaceTrack', String(error)));
      else if (track) pc.addTrack(track, new MediaStream());
    }
    this.#pictures.update();
  }

  /** Plays and shows what there is now. */
  #updateReceived() {
    if (this.#call && this.#forwarding) this.#sound.update(this.#call, this.#forwarding);
    this.#pictures.update();
  }

  /** What a picture shows: what comes the way that the room's media goes now, or else what still comes the other way. @param {Picture} picture @returns {MediaStreamTrack | null} */
  #trackOf(picture) {
    if (picture.kind === 'own') return this.#media.tracks.camera;
    const kind = picture.kind === 'share' ? 'screen' : 'camera', direct = this.#directTrack(picture.id, kind);
    const forwarded = this.#forwarding?.lineOf(picture.id, kind)?.transceiver.receiver.track ?? null;
    return this.#call?.forwarded || !direct || direct.muted ? forwarded ?? direct : direct;
  }

  /** What a direct connection receives of somebody. @param {string} id @param {'camera' | 'screen'} kind @returns {MediaStreamTrack | null} */
  #directTrack(id, kind) {
    const peer = this.#call?.peers.get(id);
    return (kind === 'screen' ? peer?.screen : peer?.camera?.receiver.track) ?? null;
  }

  /** Measures the displayed cameras. A camera that is off keeps its last size, so that it starts at full size when switched on. */
  #measureVideos() {
    const people = [...this.#call?.people.values() ?? []].map(one => one.participant), saves = this.state?.settings.data_saver ?? false;
    for (const { id, media } of people) {
      const sizes = this.#pictures.sizes('camera', id);
      if (this.#call?.forwarded || !sizes.length && !media.camera) continue;
      /** @param {'width' | 'height'} side */
      const most = side => Math.round(Math.max(0, ...sizes.map(size => size[side])));
      this.#displayedSizes.update(id, asked({ max_width: most('width'), max_height: most('height') }, saves));
    }
    this.#forwarding?.display(people.flatMap(one => this.#displayed(one, saves)));
  }

  /** The pictures of somebody that the forwarder is to send. @param {import('../shared/model.d.ts').Participant} participant @param {boolean} saves @returns {import('./forwarding.js').Displayed[]} */
  #displayed({ id, media }, saves) {
    const height = (/** @type {'camera' | 'share'} */ kind) => Math.round(Math.max(0, ...this.#pictures.sizes(kind, id).map(size => size.height)));
    const camera = media.camera ? asked({ max_width: Infinity, max_height: height('camera') }, saves).max_height : 0, screen = media.screen ? height('share') : 0;
    return [...(screen ? [{ id, kind: /** @type {const} */ ('screen'), height: screen, priority: SCREEN_PRIORITY }] : []), ...(camera ? [{ id, kind: /** @type {const} */ ('camera'), height: camera }] : [])];
  }

  #updateParticipants() {
    const call = this.#call, forwarding = this.#forwarding, people = [...call?.people.values() ?? []];
    const participants = people.map(({ participant: { nonce: _, ...participant }, distrust }) => ({
      ...participant, distrust, lacks_key: forwarding?.lacksKey(participant.id) ?? false, connected: !this.#disconnected.has(participant.id),
      link: this.#linkTo(participant.id), repair: null, report: null, reaction: call?.reactions.of(participant.id) ?? null,
    }));
    const shares = (/** @type {Person} */ { participant: { id, media } }) => call?.peers.get(id)?.screen || media.screen && forwarding?.isActive;
    this.update({ sharing: people.filter(shares).map(one => one.participant.id) });
    this.#updateCall({ participants });
    this.#updateReceived();
    this.#measureVideos();
  }

  /** The better of the ways to somebody. @param {string} id @returns {import('../shared/model.d.ts').LinkState} */
  #linkTo(id) {
    const direct = this.#call?.peers.get(id)?.pc.connectionState, all = [...(direct ? [direct] : []), ...(this.#forwarding?.isActive ? [this.#forwarding.state] : [])].map(linkOf);
    return all.find(link => link === 'connected') ?? all.find(link => link === 'connecting') ?? all[0] ?? 'connecting';
  }

  /** @param {Message} message */
  #addChatLine({ from, text, at }) {
    const { call, chat, settings } = this.current();
    const name = from === call.you ? settings.name : this.#call?.people.get(from)?.participant.name ?? chat.findLast(line => line.from === from)?.name ?? '?';
    this.update({ chat: [...chat, { from, name, text, at }].slice(-MAX_CHAT_LINES) });
  }

  /** @param {string} code */
  #handleEnd(code) {
    if (FINAL_CODES.includes(code)) this.invitation.trouble = code;
    this.#sound.stop();
    this.#media.open({ camera: false, microphone: false });
    this.#ownShare.stop();
    this.update({ sharing: [] });
    this.#updateCall({ stage: { kind: 'ended', code }, participants: [], lobby: [], you: null, hand: null, reaction: null, media: { camera: false, microphone: false } });
  }

  /** The participant with this id. A server could give the id to another key meanwhile. @param {{ id: string, key: string }} which */
  #participant({ id, key }) {
    const one = this.current().call.participants.find(one => one.id === id && one.key === key);
    if (!one) throw { code: 'no_such_participant', message: '' };
    return one;
  }

  /** Whoever was compared is known from now on, in this browser. @param {{ key: string, name: string }} participant */
  #markCompared({ key, name }) {
    const { settings } = this.current(), known = withKnown(settings.known, { server: this.invitation.server, key, name });
    saveSettings({ ...settings, known });
    this.update({ settings: { ...settings, known } });
  }

  /** @returns {AppState} */
  current() {
    if (!this.state) throw new Error('not started');
    return this.state;
  }

  /** @param {Partial<CallView>} change */
  #updateCall(change) {
    if (change.stage) this.#wakeLock.wanted = change.stage.kind === 'joined' || change.stage.kind === 'reconnecting';
    const { stage } = change, since = stage && { reconnecting_since_ms: stage.kind === 'reconnecting' ? Date.now() : null };
    this.update({ call: { ...this.current().call, ...change }, ...since });
  }

  /** Why the call connects to nobody. @returns {import('../shared/model.d.ts').Problem[]} */
  #callProblems() {
    const lacks = this.state?.call.stage.kind === 'joined' && this.#call?.lacksRelay && !this.#call.forwarded;
    return lacks ? [{ code: 'peer_no_relay', message: 'the server has no relay', device: null }] : [];
  }

  /** Changes the state. The listeners are called once per microtask. @param {Partial<AppState>} change */
  update(change) {
    if (!this.state) return;
    this.state = { ...this.state, ...change, devices: this.#media.devices, problems: [...this.#media.problems, ...this.#callProblems()] };
    if (this.#updatePending) return;
    this.#updatePending = true;
    queueMicrotask(() => {
      this.#updatePending = false;
      const { state } = this;
      if (!state) return;
      for (const listener of this.#listeners) {
        // An error in one component must not stop the others.
        try { listener(state); } catch (error) { reportError(error); }
      }
    });
  }
}

/** @returns {CallView} */
const noCall = () => ({ stage: { kind: 'idle' }, room: '', you: null, media: { microphone: false, camera: false }, hand: null, reaction: null, participants: [], lobby: [], locked: false, spotlight: null, host: null, unsent: [] });

/** @param {RTCPeerConnectionState} state @returns {import('../shared/model.d.ts').LinkState} */
const linkOf = state => state === 'connected' ? 'connected' : state === 'disconnected' || state === 'failed' ? 'interrupted' : 'connecting';

/** @param {CallView} call */
const inCall = ({ stage }) => ['joining', 'knocking', 'joined', 'reconnecting'].includes(stage.kind);
