// Pictures for the window: which are shown, how large and whether they can be seen goes to Rust; what comes back is
// drawn, and only then is the next asked for. Over the loopback socket, or where that is closed to us by commands.

import { parse } from '../shared/frames/packet.js';
import { painter } from '../shared/frames/painter.js';

/** @typedef {import('../shared/model.d.ts').Picture} Picture */
/** @typedef {import('../shared/model.d.ts').FrameAccess} FrameAccess */
/** @typedef {import('../shared/frames/painter.js').Painter} Painter */
/** @typedef {{ stream: number, picture: Picture, canvas: HTMLCanvasElement, painter: Painter, seen: boolean, pulling: boolean, drawn: number }} Shown */
/**
 * @typedef {object} Ways
 * @property {(command: string, args: object) => Promise<any>} invoke
 * @property {(levels: Record<string, number>) => void} levels
 */

/** So often the socket is tried before commands are used instead, and the pause between. */
const TRIES = 3, PAUSE_MS = 400;
/** Longest wait for it to open: a firewall that drops says nothing. On the loopback it takes a millisecond. */
const OPEN_MS = 1000;
/** Pause of the fallback when there was no picture. */
const IDLE_MS = 30;
/** How often levels are asked for then. */
const LEVELS_MS = 120;
/** Numbers of streams go round in 16 bits. */
const STREAMS = 0xffff;

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
  #told = '';
  #telling = false;
  #asking = false;

  /** @param {Ways} ways */
  constructor(ways) {
    this.ways = ways;
    this.sizes = new ResizeObserver(() => this.#tell());
    this.sight = new IntersectionObserver(entries => {
      for (const { target, isIntersecting } of entries) {
        for (const one of this.#shown.values()) if (one.canvas === target) one.seen = isIntersecting;
      }
      this.#tell();
    });
    document.addEventListener('visibilitychange', () => this.#tell());
  }

  /** Where pictures come from now; null: by commands. @param {FrameAccess | null} access */
  use(access) {
    if (access?.url === this.#access?.url && access?.token === this.#access?.token) return;
    this.#access = access;
    this.#failures = 0;
    this.#socket?.close();
    this.#socket = null;
    this.#open = false;
    this.#connect();
  }

  /** @param {HTMLElement} host @param {Picture} picture */
  attach(host, picture) {
    while (this.#shown.has(this.#next)) this.#next = this.#next % STREAMS + 1;
    const stream = this.#next, canvas = document.createElement('canvas');
    this.#next = this.#next % STREAMS + 1;
    canvas.setAttribute('aria-hidden', 'true');
    host.replaceChildren(canvas);
    this.#shown.set(stream, { stream, picture, canvas, painter: painter(canvas), seen: true, pulling: false, drawn: 0 });
    this.sizes.observe(canvas);
    this.sight.observe(canvas);
    this.#tell();
    return () => this.#detach(stream);
  }

  /** @param {number} stream */
  #detach(stream) {
    const one = this.#shown.get(stream);
    if (!one) return;
    this.#shown.delete(stream);
    this.sizes.unobserve(one.canvas);
    this.sight.unobserve(one.canvas);
    one.painter.end();
    one.canvas.remove();
    this.#tell();
  }

  #connect() {
    const access = this.#access;
    if (!access || this.#failures >= TRIES) return this.#pullAll();
    const socket = this.#socket = new WebSocket(access.url);
    socket.binaryType = 'arraybuffer';
    setTimeout(() => socket.readyState === WebSocket.CONNECTING && socket.close(), OPEN_MS);
    socket.onopen = () => {
      if (this.#socket !== socket) return;
      this.#open = true;
      this.#failures = 0;
      socket.send(JSON.stringify({ token: access.token }));
      this.#told = '';
      this.#tell();
    };
    socket.onmessage = ({ data }) => this.#socket === socket && this.#hear(data);
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      this.#open = false;
      this.#failures++;
      this.#told = ''; // whoever is asked next does not know it
      setTimeout(() => this.#socket === null && this.#access === access && this.#connect(), PAUSE_MS);
    };
  }

  /** @param {ArrayBuffer | string} data */
  #hear(data) {
    if (typeof data === 'string') {
      const { levels } = JSON.parse(data);
      if (levels) this.ways.levels(levels);
      return;
    }
    const stream = this.#draw(data);
    if (stream !== null) this.#socket?.send(JSON.stringify({ credit: stream }));
  }

  /** Draws a packet; answers its stream once that is done. @param {ArrayBuffer} bytes */
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
    // Drawn is done with: thirty pictures a second would else lie about until they are collected.
    /** @type {{ transfer?: (bytes: number) => ArrayBuffer }} */ (bytes).transfer?.(0);
    return frame.stream;
  }

  /** Says what is shown, once for all changes of a moment. */
  #tell() {
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(() => requestIdle(() => {
      this.#telling = false;
      const tiles = [...this.#shown.values()].map(one => tile(one));
      const told = JSON.stringify(tiles);
      if (told === this.#told) return;
      if (this.#open) this.#socket?.send(JSON.stringify({ tiles }));
      else if (this.#falling()) this.ways.invoke('tiles', { tiles }).catch(error => console.warn('tiles', error));
      else return;
      this.#told = told;
      this.#pullAll();
    }));
  }

  /** Whether commands are the way. */
  #falling() {
    return this.#access === null || this.#failures >= TRIES;
  }

  #pullAll() {
    if (!this.#falling()) return;
    if (!this.#told && this.#shown.size) this.#tell();
    for (const one of this.#shown.values()) if (!one.pulling) this.#pull(one);
    if (!this.#asking && this.#shown.size) this.#askLevels();
  }

  /** Without the socket nobody tells how loud it is. One question at a time, and none where nothing is shown. */
  async #askLevels() {
    this.#asking = true;
    while (this.#shown.size && this.#falling()) {
      const levels = document.hidden ? null : await this.ways.invoke('levels', {}).catch(() => null);
      if (levels) this.ways.levels(levels);
      await new Promise(resolve => setTimeout(resolve, LEVELS_MS));
    }
    this.#asking = false;
  }

  /** @param {Shown} one */
  async #pull(one) {
    one.pulling = true;
    while (this.#shown.get(one.stream) === one && this.#falling()) {
      /** @type {ArrayBuffer | Uint8Array | number[] | null} */
      const answer = document.hidden || !one.seen ? null : await this.ways.invoke('next_frame', { stream: one.stream }).catch(() => null);
      const bytes = answer instanceof ArrayBuffer ? answer : answer && 'length' in answer && answer.length ? Uint8Array.from(answer).buffer : null;
      if (!bytes?.byteLength || this.#draw(bytes) === null) await new Promise(resolve => setTimeout(resolve, IDLE_MS));
    }
    one.pulling = false;
  }
}

/** @param {Shown} one */
function tile({ stream, picture, canvas, seen }) {
  const { width, height } = canvas.getBoundingClientRect();
  return { stream, picture, width: Math.round(width * devicePixelRatio), height: Math.round(height * devicePixelRatio), visible: seen && !document.hidden && width > 0 };
}

/** After layout, so that sizes are right. @param {() => void} work */
const requestIdle = work => document.hidden ? setTimeout(work) : requestAnimationFrame(work);
