// The window's side of the app: what changes of the state comes over a channel, commands are `invoke`, pictures come over a
// socket of this machine. All truth is in Rust.

import { FrameSource } from './frame-source.js';

/** @typedef {import('../shared/backend.js').Backend} Backend */
/** @typedef {import('../shared/backend.js').Levels} Levels */
/** @typedef {import('../shared/model.d.ts').AppState} AppState */
/** @typedef {import('../shared/model.d.ts').Picture} Picture */
/**
 * @typedef {object} Internals  what Tauri puts into the page
 * @property {(command: string, args?: object, options?: object) => Promise<any>} invoke
 * @property {(callback: (message: any) => void, once?: boolean) => number} transformCallback
 */

/** How often the server of the settings is asked for by itself, at the start. */
const GREETING_MS = 300;

/** @implements {Backend} */
export class AppBackend {
  /** @type {'app'} */
  shell = 'app';
  /** @type {AppState | null} */
  state = null;
  /** @type {Set<(state: AppState) => void>} */
  #listeners = new Set();
  /** @type {Set<(levels: Levels) => void>} */
  #levels = new Set();
  #internals = /** @type {{ __TAURI_INTERNALS__: Internals }} */ (/** @type {unknown} */ (globalThis)).__TAURI_INTERNALS__;
  #frames = new FrameSource({
    invoke: (command, args) => this.#internals.invoke(command, args),
    levels: levels => this.#levels.forEach(listener => listener(levels)),
  });

  start() {
    this.#internals.invoke('subscribe', { channel: this.#channel((update, last) => this.#update(update, last)) }).catch(error => console.error('subscribe', error));
    setTimeout(() => this.#greet(), GREETING_MS);
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
    this.#levels.add(listener);
    return () => this.#levels.delete(listener);
  }

  /**
   * @param {Partial<AppState>} update  the parts that changed, at first all of them; the other parts stay the same objects
   * @param {boolean} last  whether no later update is there yet: states that are overtaken are not drawn
   */
  #update(update, last) {
    const state = /** @type {AppState} */ ({ ...this.state, ...update });
    this.state = state;
    if (!last) return;
    this.#frames.use(state.frames);
    for (const listener of this.#listeners) {
      try {
        listener(state);
      } catch (error) {
        console.error('a part of the window', error); // the others are told all the same
      }
    }
  }

  /** The board is what the window opens with: the session to the chosen server is asked for once. */
  #greet() {
    const { state } = this;
    if (!state) return void setTimeout(() => this.#greet(), GREETING_MS);
    const server = state.settings.server === null ? undefined : state.settings.servers[state.settings.server];
    if (state.session.kind !== 'closed' || state.session.problem || !server || !state.settings.name) return;
    this.call('connect', { server: server.url, fingerprint: server.fingerprint }).catch(error => console.warn('connect', error));
  }

  /**
   * A Tauri channel as `@tauri-apps/api` makes it: messages are numbered and may come in another order.
   * @param {(message: any, last: boolean) => void} received
   */
  #channel(received) {
    let next = 0;
    /** @type {Map<number, any>} */
    const early = new Map();
    const id = this.#internals.transformCallback(({ index, message, end }) => {
      if (end) return;
      if (index === undefined) return received(message, true);
      early.set(index, message);
      for (; early.has(next); next++) {
        const one = early.get(next);
        early.delete(next);
        received(one, !early.has(next + 1));
      }
    });
    return { toJSON: () => `__CHANNEL__:${id}`, ['__TAURI_TO_IPC_KEY__']: () => `__CHANNEL__:${id}` };
  }
}
