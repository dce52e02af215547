// The voices of a call, over direct connections and through the forwarder, each heard once, and how loud they are.

import { AudioLevels } from './audio-levels.js';
import { RemoteAudio } from './remote-audio.js';

/** @typedef {import('../shared/call.js').Call} Call */
/** @typedef {import('./forwarding.js').Forwarding} Forwarding */

export class CallSound {
  #remote = new RemoteAudio();
  #levels;
  /** What is played, by a name that is unique in the page. @type {Set<string>} */
  #played = new Set();
  /** Whose levels are measured. @type {Set<string>} */
  #measured = new Set();

  /** @param {() => AudioContext} audio @param {(levels: import('../shared/backend.js').Levels) => void} report receives the levels */
  constructor(audio, report) {
    this.#levels = new AudioLevels(audio, report);
  }

  /** Selects the loudspeaker. @param {string | null} id null: the browser's default */
  set speaker(id) {
    this.#remote.speaker = id;
  }

  /** Measures the own microphone. @param {MediaStreamTrack | null} track */
  setOwn(track) {
    this.#levels.setTrack('own', track);
  }

  /** Whether somebody's voice arrives over a direct connection. @param {Call} call @param {string} id */
  static receivesDirectly(call, id) {
    const track = direct(call, id)?.track;
    return track !== undefined && !track.muted;
  }

  /** Plays what there is now. @param {Call} call @param {Forwarding} forwarding */
  update(call, forwarding) {
    const people = [...call.people.values()].filter(one => !one.distrust).map(one => one.participant.id), silent = [], playing = new Map();
    for (const id of people) {
      const receiver = direct(call, id), line = forwarding.lineOf(id, 'audio'), receivesDirectly = CallSound.receivesDirectly(call, id);
      const usesDirect = call.forwarded ? !line : receivesDirectly || !line;
      if (!call.forwarded && receivesDirectly) silent.push(id);
      const source = usesDirect ? receiver : line?.transceiver.receiver;
      // Before anything arrives there, it is played too: an element needs a while until it sounds.
      if (receiver && (usesDirect || !call.forwarded)) playing.set(id, receiver.track);
      this.#measure(id, source);
    }
    for (const { name, transceiver } of forwarding.voices) playing.set(name, transceiver.receiver.track);
    forwarding.setSilent(silent);
    this.#play(playing);
    for (const id of this.#measured) if (!people.includes(id)) this.#measure(id, undefined);
  }

  /** Plays nothing. */
  stop() {
    this.#play(new Map());
    for (const id of this.#measured) this.#measure(id, undefined);
  }

  /** @param {Map<string, MediaStreamTrack>} tracks */
  #play(tracks) {
    for (const name of this.#played) if (!tracks.has(name)) this.#remote.stop(name);
    for (const [name, track] of tracks) this.#remote.play(name, track);
    this.#played = new Set(tracks.keys());
  }

  /** @param {string} id @param {RTCRtpReceiver | undefined} receiver */
  #measure(id, receiver) {
    if (receiver || this.#measured.has(id)) this.#levels.setTrack(id, receiver?.track ?? null, receiver);
    if (receiver) this.#measured.add(id);
    else this.#measured.delete(id);
  }
}

/** What receives somebody's voice directly, if the connection has a line for it. @param {Call} call @param {string} id @returns {RTCRtpReceiver | undefined} */
const direct = (call, id) => call.peers.get(id)?.voice?.receiver;
