// The backend of the app's window. Changes of the state arrive over a Tauri channel, commands are sent with `invoke`, and
// pictures arrive over a loopback socket. Rust owns the state.

import { FrameSource } from './frame-source.js';

/** @typedef {import('../shared/backend.js').Backend} Backend */
/** @typedef {import('../shared/backend.js').Levels} Levels */
/** @typedef {import('../shared/model.d.ts').AppState} AppState */
/** @typedef {import('../shared/model.d.ts').AppUpdate} AppUpdate */
/** @typedef {import('../shared/model.d.ts').Picture} Picture */
/**
 * @typedef {object} Internals  Tauri's interface in the page
 * @property {(command: string, args?: object, options?: object) => Promise<any>} invoke
 * @property {(callback: (message: any) => void, once?: boolean) => number} transformCallback
 */

/** Delay before the automatic connection at the start, and between checks for the first state. */
const AUTOCONNECT_MS = 300;

/** @implements {Backend} */
export class AppBackend {
  /** @type {'app'} */
  shell = 'app';
  /** @type {AppState | null} */
  state = null;
  /** @type {Set<(state: AppState) => void>} */
  #listeners = new Set();
  /** @type {Set<(levels: Levels) => void>} */
  #levelListeners = new Set();
  #internals = /** @type {{ __TAURI_INTERNALS__: Internals }} */ (/** @type {unknown} */ (globalThis)).__TAURI_INTERNALS__;
  #frames = new FrameSource({
    invoke: (command, args) => this.#internals.invoke(command, args),
    levels: levels => this.#levelListeners.forEach(listener => listener(levels)),
  });

  start() {
    this.#internals.invoke('subscribe', { channel: this.#channel((update, last) => this.#update(update, last)) }).catch(error => console.error('subscribe', error));
    setTimeout(() => this.#autoconnect(), AUTOCONNECT_MS);
  }

  /** @param {(state: AppState) => void} listener */
  subscribe(listener) {
    this.#listeners.add(listener);
    if (this.state) listener(this.state);
    return () => this.#listeners.delete(listener);
  }

  /** @param {string} name @param {object} [args] */
  call(name, args = {}) {
    return this.#internals.invoke(name, args);
  }

  /** @param {HTMLElement} host @param {Picture} picture */
  attach(host, picture) {
    return this.#frames.attach(host, picture);
  }

  /** @param {(levels: Levels) => void} listener */
  levels(listener) {
    this.#levelListeners.add(listener);
    return () => this.#levelListeners.delete(listener);
  }

  /**
   * @param {AppUpdate} update  the fields that changed, at first all of them; the other fields keep their objects
   * @param {boolean} last  whether this is the newest update; older states are not drawn
   */
  #update({ chat: change, ...update }, last) {
    const old = this.state?.chat ?? [], chat = change ? [...old.slice(old.length - change.keep), ...change.lines] : old;
    const state = /** @type {AppState} */ ({ ...this.state, ...update, chat });
    this.state = state;
    if (!last) return;
    this.#frames.use(state.frames);
    for (const listener of this.#listeners) {
      try {
        listener(state);
      } catch (error) {
        console.error('state listener', error); // an error in one component must not stop the others
      }
    }
  }

  /** Connects to the server of the settings once, because the window opens with its board. */
  #autoconnect() {
    const { state } = this;
    if (!state) return void setTimeout(() => this.#autoconnect(), AUTOCONNECT_MS);
    const server = state.settings.server === null ? undefined : state.settings.servers[state.settings.server];
    if (state.session.kind !== 'closed' || state.session.problem || !server || !state.settings.name) return;
    this.call('connect', { server: server.url, fingerprint: server.fingerprint }).catch(error => console.warn('connect', error));
  }

  /**
   * Creates a Tauri channel, like `@tauri-apps/api`. Its messages are numbered and may arrive out of order.
   * @param {(message: any, last: boolean) => void} received
   */
  #channel(received) {
    let next = 0;
    /** @type {Map<number, any>} */
    const waiting = new Map();
    const id = this.#internals.transformCallback(({ index, message, end }) => {
      if (end) return;
      if (index === undefined) return received(message, true);
      waiting.set(index, message);
      for (; waiting.has(next); next++) {
        const one = waiting.get(next);
        waiting.delete(next);
        received(one, !waiting.has(next + 1));
      }
    });
    return { toJSON: () => `__CHANNEL__:${id}`, ['__TAURI_TO_IPC_KEY__']: () => `__CHANNEL__:${id}` };
  }
}
