// The pictures of the app's window. The page reports its tiles with their size and visibility to Rust, draws the frames
// that it receives, and grants credit for the next frame after each. It uses the loopback socket, or commands if that is
// blocked.

import { parse } from '../shared/frames/packet.js';
import { painter } from '../shared/frames/painter.js';

/** @typedef {import('../shared/model.d.ts').Picture} Picture */
/** @typedef {import('../shared/model.d.ts').FrameAccess} FrameAccess */
/** @typedef {import('../shared/frames/painter.js').Painter} Painter */
/** @typedef {{ stream: number, picture: Picture, canvas: HTMLCanvasElement, painter: Painter, inViewport: boolean, pulling: boolean, drawn: number }} Shown */
/**
 * @typedef {object} FrameSourceOptions
 * @property {(command: string, args: object) => Promise<any>} invoke runs a command
 * @property {(levels: import('../shared/backend.js').Levels) => void} levels receives the audio levels
 */

/** Failures of the socket before commands are used instead, and the pause between attempts. */
const MAX_FAILURES = 3, PAUSE_MS = 400;
/** Timeout of opening the socket, because a firewall may drop packets silently. Opening a loopback socket takes about 1 ms. */
const OPEN_TIMEOUT_MS = 1000;
/** Pause between commands while there is no new picture. */
const IDLE_MS = 30;
/** Interval of the command `levels`. */
const LEVELS_MS = 120;
/** Largest stream number: 16 bits. */
const MAX_STREAM = 0xffff;

export class FrameSource {
  /** @type {Map<number, Shown>} */
  #shown = new Map();
  #next = 1;
  /** @type {FrameAccess | null} */
  #access = null;
  /** @type {WebSocket | null} */
  #socket = null;
  #open = false;
  #failures = 0;
  /** The last reported tiles, as JSON; empty: none. */
  #reported = '';
  #reportPending = false;
  #pollingLevels = false;

  /** @param {FrameSourceOptions} options */
  constructor(options) {
    this.options = options;
    this.resizes = new ResizeObserver(() => this.#report());
    this.intersections = new IntersectionObserver(entries => {
      for (const { target, isIntersecting } of entries) {
        for (const one of this.#shown.values()) if (one.canvas === target) one.inViewport = isIntersecting;
      }
      this.#report();
    });
    document.addEventListener('visibilitychange', () => this.#report());
  }

  /** Sets the socket; null: use commands. @param {FrameAccess | null} access */
  use(access) {
    if (access?.url === this.#access?.url && access?.token === this.#access?.token) return;
    this.#access = access;
    this.#failures = 0;
    this.#socket?.close();
    this.#socket = null;
    this.#open = false;
    this.#connect();
  }

  /** Displays a picture as the only child of an element; returns a function that removes it. @param {HTMLElement} host @param {Picture} picture */
  attach(host, picture) {
    while (this.#shown.has(this.#next)) this.#next = this.#next % MAX_STREAM + 1;
    const stream = this.#next, canvas = document.createElement('canvas');
    this.#next = this.#next % MAX_STREAM + 1;
    canvas.setAttribute('aria-hidden', 'true');
    host.replaceChildren(canvas);
    this.#shown.set(stream, { stream, picture, canvas, painter: painter(canvas), inViewport: true, pulling: false, drawn: 0 });
    this.resizes.observe(canvas);
    this.intersections.observe(canvas);
    this.#report();
    return () => this.#detach(stream);
  }

  /** @param {number} stream */
  #detach(stream) {
    const one = this.#shown.get(stream);
    if (!one) return;
    this.#shown.delete(stream);
    this.resizes.unobserve(one.canvas);
    this.intersections.unobserve(one.canvas);
    one.painter.end();
    one.canvas.remove();
    this.#report();
  }

  #connect() {
    const access = this.#access;
    if (!access || this.#failures >= MAX_FAILURES) return this.#pullAll();
    const socket = this.#socket = new WebSocket(access.url);
    socket.binaryType = 'arraybuffer';
    setTimeout(() => socket.readyState === WebSocket.CONNECTING && socket.close(), OPEN_TIMEOUT_MS);
    socket.onopen = () => {
      if (this.#socket !== socket) return;
      this.#open = true;
      this.#failures = 0;
      socket.send(JSON.stringify({ token: access.token }));
      this.#reported = '';
      this.#report();
    };
    socket.onmessage = ({ data }) => this.#socket === socket && this.#receive(data);
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      this.#open = false;
      this.#failures++;
      this.#reported = ''; // the next connection has not received the tiles
      setTimeout(() => this.#socket === null && this.#access === access && this.#connect(), PAUSE_MS);
    };
  }

  /** @param {ArrayBuffer | string} data */
  #receive(data) {
    if (typeof data === 'string') {
      const levels = JSON.parse(data);
      if (levels.levels) this.options.levels(levels);
      return;
    }
    const stream = this.#draw(data);
    if (stream !== null) this.#socket?.send(JSON.stringify({ credit: stream }));
  }

  /** Draws a packet. @param {ArrayBuffer} bytes @returns {number | null} its stream; null if it belongs to no tile */
  #draw(bytes) {
    const frame = parse(bytes);
    if (!frame) return null;
    const one = this.#shown.get(frame.stream);
    if (!one) return null;
    try {
      one.painter.draw(frame);
      if (!one.drawn++) one.canvas.classList.add('drawn');
    } catch (error) {
      console.warn('draw', String(error));
    }
    // Free the buffer now. Garbage collection is too slow for thirty pictures a second.
    /** @type {{ transfer?: (bytes: number) => ArrayBuffer }} */ (bytes).transfer?.(0);
    return frame.stream;
  }

  /** Reports the tiles, at most once per animation frame. */
  #report() {
    if (this.#reportPending) return;
    this.#reportPending = true;
    queueMicrotask(() => afterLayout(() => {
      this.#reportPending = false;
      const tiles = [...this.#shown.values()].map(one => tile(one));
      const report = JSON.stringify(tiles);
      if (report === this.#reported) return;
      if (this.#open) this.#socket?.send(JSON.stringify({ tiles }));
      else if (this.#usesCommands()) this.options.invoke('tiles', { tiles }).catch(error => console.warn('tiles', error));
      else return;
      this.#reported = report;
      this.#pullAll();
    }));
  }

  /** Whether commands are used instead of the socket. */
  #usesCommands() {
    return this.#access === null || this.#failures >= MAX_FAILURES;
  }

  #pullAll() {
    if (!this.#usesCommands()) return;
    if (!this.#reported && this.#shown.size) this.#report();
    for (const one of this.#shown.values()) if (!one.pulling) this.#pull(one);
    if (!this.#pollingLevels && this.#shown.size) this.#pollLevels();
  }

  /** Polls the audio levels, which the socket sends otherwise. One request at a time, and none while no picture is displayed. */
  async #pollLevels() {
    this.#pollingLevels = true;
    while (this.#shown.size && this.#usesCommands()) {
      const levels = document.hidden ? null : await this.options.invoke('levels', {}).catch(() => null);
      if (levels) this.options.levels(levels);
      await new Promise(resolve => setTimeout(resolve, LEVELS_MS));
    }
    this.#pollingLevels = false;
  }

  /** @param {Shown} one */
  async #pull(one) {
    one.pulling = true;
    while (this.#shown.get(one.stream) === one && this.#usesCommands()) {
      /** @type {ArrayBuffer | Uint8Array | number[] | null} */
      const answer = document.hidden || !one.inViewport ? null : await this.options.invoke('next_frame', { stream: one.stream }).catch(() => null);
      const bytes = answer instanceof ArrayBuffer ? answer : answer && 'length' in answer && answer.length ? Uint8Array.from(answer).buffer : null;
      if (!bytes?.byteLength || this.#draw(bytes) === null) await new Promise(resolve => setTimeout(resolve, IDLE_MS));
    }
    one.pulling = false;
  }
}

/** @param {Shown} one */
function tile({ stream, picture, canvas, inViewport }) {
  const { width, height } = canvas.getBoundingClientRect();
  return { stream, picture, width: Math.round(width * devicePixelRatio), height: Math.round(height * devicePixelRatio), visible: inViewport && !document.hidden && width > 0 };
}

/** Runs after the next layout, so that sizes are current. @param {() => void} work */
const afterLayout = work => document.hidden ? setTimeout(work) : requestAnimationFrame(work);
