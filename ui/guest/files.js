// Files in a call, on the guest's page (PROTOCOL.md, Files). Transfers go on after a break of the connection, but not after
// the page is closed.

import { FileRate } from './file-rate.js';
import { Sha256 } from './sha256.js';

/** @typedef {import('../shared/model.d.ts').TransferView} TransferView */
/** @typedef {import('../shared/model.d.ts').TransferChoice} TransferChoice */
/** @typedef {import('../shared/model.d.ts').TransferReason} TransferReason */
/** @typedef {{ key: string, name: string }} Person */
/** @typedef {{ write: (data: Uint8Array) => Promise<void>, keep: () => Promise<void>, discard: () => Promise<void> }} Store  where a received file goes */
/** @typedef {{ channel: RTCDataChannel, person: Person, rate: FileRate }} Link */
/**
 * @typedef {object} Transfer
 * @property {TransferView} view
 * @property {File | null} file  the file that is sent
 * @property {Sha256} hash  of what is before `position`
 * @property {number} position  the next byte to send, or the bytes received
 * @property {Store | null} store
 * @property {Promise<void>} work  reads or writes, one after the other
 * @property {boolean} busy  whether the file is being read
 * @property {number} epoch  work of earlier epochs is out of date
 * @property {{ time: number, arrived: number } | null} unacknowledged
 * @property {number} acknowledgedAt
 */

const HEADER = 29, MAX_CHUNK = 16_384, MAX_DATA = MAX_CHUNK - HEADER, MAX_TEXT = 4096, MAX_OFFERS = 16, MAX_ROWS = 100, ACK_MS = 30, TICK_MS = 20;
/** When an offer that is not answered is made again, each time after the last: some libraries lose what arrives while they open the channel. */
const OFFER_AGAIN_MS = [500, 2000, 8000];
/** Largest file that is kept in memory, where the browser cannot write to a file. */
export const MAX_IN_MEMORY = 500_000_000;
const OVER = ['done', 'declined', 'failed'];
/** Bytes that may wait to be written. When there are more, acknowledgements wait, so the sender slows down. */
const MAX_UNWRITTEN = 8_388_608;

/** Transfers of this page. Calls `changed` with all rows. */
export class GuestFiles {
  /** By the person's key. @type {Map<string, Link>} */
  #links = new Map();
  /** @type {Transfer[]} */
  #transfers = [];
  #unwritten = 0;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  #shown = 0;

  /** @param {(rows: TransferView[]) => void} changed @param {{ store?: (name: string, size: number) => Promise<Store> }} [options] */
  constructor(changed, { store = openStore } = {}) {
    this.changed = changed;
    this.openStore = store;
  }

  /** Uses a connection. The channel must be made before the first description. @param {RTCPeerConnection} pc @param {Person} person */
  attach(pc, person) {
    const channel = pc.createDataChannel('files', { negotiated: true, id: 0 });
    channel.binaryType = 'arraybuffer';
    this.use(channel, person);
  }

  /** @param {RTCDataChannel} channel @param {Person} person */
  use(channel, person) {
    const link = { channel, person, rate: new FileRate(performance.now()) };
    channel.onopen = () => this.#connected(link);
    channel.onclose = () => this.#disconnected(link);
    channel.onmessage = ({ data }) => {
      if (this.#links.get(person.key) !== link) return;
      if (typeof data === 'string') this.#text(link, data);
      else this.#chunk(link, new Uint8Array(data));
      this.#show();
    };
    if (channel.readyState === 'open') this.#connected(link);
  }

  /** Whether a transfer with somebody goes on as long as there is a connection, or can at once. @param {string} key */
  needsConnection(key) {
    return this.#transfers.some(({ view }) => view.key === key && ['offered', 'preparing', 'moving', 'checking'].includes(view.state));
  }

  /** Offers files to people. @param {Iterable<File>} files @param {Person[]} people @param {{ forwarded?: boolean }} [room] @throws {{ code: string, message: string }} */
  offer(files, people, { forwarded = false } = {}) {
    const receivers = people.filter(one => this.#links.has(one.key));
    if (forwarded && receivers.length < people.length) throw { code: 'file_large_room', message: '' };
    if (!receivers.length) throw { code: 'file_nobody', message: '' };
    for (const file of files) for (const person of receivers) {
      if (!this.#makeRoom()) throw { code: 'file_too_many', message: '' };
      const id = [...crypto.getRandomValues(new Uint8Array(16))].map(byte => byte.toString(16).padStart(2, '0')).join('');
      const transfer = this.#add(id, true, person, file.name, file.size);
      transfer.file = file;
      this.#offerTo(transfer);
    }
    this.#show();
  }

  /** @param {string} id @param {TransferChoice} choice */
  async act(id, choice) {
    const transfer = this.#transfers.find(one => one.view.id === id);
    if (!transfer) return;
    const { view } = transfer;
    if (choice === 'remove') {
      if (OVER.includes(view.state)) this.#transfers = this.#transfers.filter(one => one !== transfer);
    } else if (choice === 'accept' && view.state === 'offered' && !view.outgoing) await this.#accept(transfer);
    else if (choice === 'decline' && view.state === 'offered' && !view.outgoing) {
      view.state = 'declined';
      this.#send(transfer, { type: 'decline' });
    } else if (choice === 'pause' && ['moving', 'preparing', 'paused_there', 'waiting'].includes(view.state)) {
      view.state = 'paused';
      this.#send(transfer, { type: 'pause' });
    } else if (choice === 'resume' && view.state === 'paused') {
      view.state = this.#links.has(view.key) ? 'moving' : 'waiting';
      if (view.state === 'moving') view.outgoing ? this.#send(transfer, { type: 'resume' }) : this.#continue(transfer);
    } else if (choice === 'cancel' && !OVER.includes(view.state)) this.#fail(transfer, 'cancelled');
    this.#show();
  }

  /** @param {Link} link */
  #connected(link) {
    this.#links.set(link.person.key, link);
    for (const transfer of this.#transfers) {
      if (transfer.view.key === link.person.key && transfer.view.outgoing && !OVER.includes(transfer.view.state)) this.#offerTo(transfer);
    }
    this.#show();
  }

  /** @param {Link} link */
  #disconnected(link) {
    if (this.#links.get(link.person.key) !== link) return;
    this.#links.delete(link.person.key);
    for (const { view } of this.#transfers) {
      const waits = view.outgoing || view.state !== 'offered';
      if (view.key === link.person.key && waits && !OVER.includes(view.state) && view.state !== 'paused') view.state = 'waiting';
    }
    this.#show();
  }

  /** @param {string} id @param {boolean} outgoing @param {Person} person @param {string} name @param {number} size @returns {Transfer} */
  #add(id, outgoing, person, name, size) {
    /** @type {TransferView} */
    const view = { id, outgoing, key: person.key, person: person.name, name, size, moved: 0, state: outgoing ? 'waiting' : 'offered', reason: null };
    const transfer = { view, file: null, hash: new Sha256(), position: 0, store: null, work: Promise.resolve(), busy: false, epoch: 0, unacknowledged: null, acknowledgedAt: 0 };
    this.#transfers.push(transfer);
    return transfer;
  }

  #makeRoom() {
    const over = this.#transfers.findIndex(one => OVER.includes(one.view.state));
    if (this.#transfers.length >= MAX_ROWS && over >= 0) this.#transfers.splice(over, 1);
    return this.#transfers.length < MAX_ROWS;
  }

  /** @param {Transfer} transfer */
  #offerTo(transfer) {
    const { view, file } = transfer;
    transfer.epoch++;
    if (view.state !== 'paused') view.state = view.moved ? 'preparing' : 'offered';
    const { epoch } = transfer, offer = (times = 0) => {
      if (transfer.epoch !== epoch || OVER.includes(view.state)) return; // answered, or offered on another connection
      this.#send(transfer, { type: 'offer', name: view.name, size: view.size, mime: (file?.type ?? '').slice(0, 128) });
      if (times < OFFER_AGAIN_MS.length) setTimeout(() => offer(times + 1), OFFER_AGAIN_MS[times]);
    };
    offer();
  }

  /** @param {Transfer} transfer @param {object} message */
  #send({ view }, message) {
    const channel = this.#links.get(view.key)?.channel;
    if (channel?.readyState === 'open') channel.send(JSON.stringify({ id: view.id, ...message }));
  }

  /** @param {Link} link @param {string} text */
  #text(link, text) {
    const message = parse(text);
    if (!message) return;
    const transfer = this.#transfers.find(one => one.view.id === message.id && one.view.key === link.person.key);
    if (message.type === 'offer') return this.#offered(link, message, transfer);
    if (!transfer || OVER.includes(transfer.view.state)) return;
    const { view } = transfer;
    if (message.type === 'cancel') return this.#end(transfer, /** @type {TransferReason} */ (REASONS.includes(message.reason) ? message.reason : 'unknown'));
    if (message.type === 'pause' && view.state !== 'paused') view.state = 'paused_there';
    if (view.outgoing) this.#answered(link, transfer, message);
    else if (message.type === 'restart') this.#restart(transfer);
    else if (message.type === 'resume' && view.state === 'paused_there') view.state = 'moving';
    else if (message.type === 'done') this.#finish(transfer, message.sha256);
  }

  /** @param {Link} link @param {any} message @param {Transfer | undefined} known */
  #offered(link, { id, name, size }, known) {
    if (typeof name !== 'string' || !Number.isSafeInteger(size) || size < 0) return;
    if (known) {
      const { view } = known;
      if (view.outgoing || view.state === 'declined' || view.state === 'failed') this.#send(known, { type: 'cancel', reason: view.reason ?? 'protocol' });
      else if (view.state === 'done') this.#send(known, { type: 'stored' });
      else if (view.state === 'paused') this.#send(known, { type: 'pause' });
      // Made again before the answer.
      else if (view.state !== 'offered' && view.state !== 'preparing') this.#continue(known);
      return;
    }
    const open = this.#transfers.filter(one => one.view.key === link.person.key && !one.view.outgoing && !OVER.includes(one.view.state));
    if (open.length >= MAX_OFFERS || !this.#makeRoom()) return void link.channel.send(JSON.stringify({ type: 'cancel', id, reason: 'too_many' }));
    this.#add(id, false, link.person, safeName(name), size);
  }

  /** The person wants the file. @param {Transfer} transfer */
  async #accept(transfer) {
    const { view } = transfer;
    view.state = 'preparing';
    try {
      transfer.store = await this.openStore(view.name, view.size);
    } catch (error) {
      const { code } = /** @type {{ code?: string }} */ (error ?? {});
      if (code === 'file_too_large') this.#fail(transfer, 'too_large');
      else if (view.state === 'preparing') view.state = 'offered'; // the person closed the dialog
      return;
    }
    if (OVER.includes(view.state)) return void transfer.store.discard();
    this.#continue(transfer);
  }

  /** Asks for the rest. @param {Transfer} transfer */
  #continue(transfer) {
    if (!transfer.store) return;
    transfer.view.state = this.#links.has(transfer.view.key) ? 'moving' : 'waiting';
    this.#send(transfer, { type: 'accept', offset: transfer.position, sha256: transfer.hash.hex() });
  }

  /** The sender's file begins differently. A file that is open cannot be emptied everywhere, so this is an error. @param {Transfer} transfer */
  #restart(transfer) {
    if (transfer.position > 0) this.#fail(transfer, 'changed');
  }

  /** @param {Link} link @param {Uint8Array} bytes */
  #chunk(link, bytes) {
    if (bytes.length <= HEADER || bytes.length > MAX_CHUNK || bytes[0] !== 1) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const id = [...bytes.subarray(1, 17)].map(byte => byte.toString(16).padStart(2, '0')).join('');
    const transfer = this.#transfers.find(one => one.view.id === id && one.view.key === link.person.key);
    const offset = view.getUint32(17) * 2 ** 32 + view.getUint32(21);
    if (!transfer || transfer.view.outgoing || !transfer.store || !['moving', 'paused', 'paused_there'].includes(transfer.view.state) || offset > transfer.position) return;
    if (offset + bytes.length - HEADER > transfer.view.size) return this.#fail(transfer, 'too_much');
    const data = bytes.subarray(HEADER + transfer.position - offset);
    if (!data.length) return;
    transfer.hash.update(data);
    transfer.position += data.length;
    transfer.view.moved = transfer.position;
    transfer.unacknowledged = { time: view.getUint32(25), arrived: micros() };
    this.#write(transfer, data);
    this.#acknowledge(transfer);
    this.#run();
  }

  /** @param {Transfer} transfer @param {Uint8Array} data */
  #write(transfer, data) {
    this.#unwritten += data.length;
    transfer.work = transfer.work.then(() => transfer.store?.write(data)).catch(() => this.#fail(transfer, 'disk')).finally(() => { this.#unwritten -= data.length; });
  }

  /** @param {Transfer} transfer */
  #acknowledge(transfer) {
    const now = performance.now(), { unacknowledged, view } = transfer;
    const isLast = transfer.position === view.size;
    if (!unacknowledged || this.#unwritten > MAX_UNWRITTEN || !isLast && now - transfer.acknowledgedAt < ACK_MS) return;
    transfer.acknowledgedAt = now;
    transfer.unacknowledged = null;
    this.#send(transfer, { type: 'ack', received: transfer.position, ...unacknowledged });
  }

  /** @param {Transfer} transfer @param {unknown} sha256 */
  async #finish(transfer, sha256) {
    const { view } = transfer;
    if (!transfer.store || !['moving', 'paused', 'paused_there'].includes(view.state)) return;
    if (transfer.position !== view.size) return this.#fail(transfer, 'changed');
    if (transfer.hash.hex() !== sha256) return this.#fail(transfer, 'wrong_hash');
    view.state = 'checking';
    await transfer.work;
    if (OVER.includes(view.state)) return;
    try {
      await transfer.store.keep();
      view.state = 'done';
      this.#send(transfer, { type: 'stored' });
    } catch {
      this.#fail(transfer, 'disk');
    }
    this.#show();
  }

  /** The receiver answers. @param {Link} link @param {Transfer} transfer @param {any} message */
  #answered(link, transfer, message) {
    const { view } = transfer;
    switch (message.type) {
      case 'accept': return void this.#begin(transfer, message.offset, message.sha256);
      case 'decline': view.state = 'declined'; return;
      case 'stored':
        view.moved = view.size;
        view.state = 'done';
        return;
      case 'ack': {
        const received = Math.min(message.received, transfer.position), fresh = Math.max(0, received - view.moved);
        view.moved += fresh;
        link.rate.acked(performance.now(), fresh, message.time, message.arrived);
        this.#run();
      }
    }
  }

  /** Continues where the receiver's part ends, if it is the beginning of this file. @param {Transfer} transfer @param {number} offset @param {string} sha256 */
  async #begin(transfer, offset, sha256) {
    const { file, view } = transfer;
    if (!file || !Number.isSafeInteger(offset) || offset < 0 || offset > view.size) return this.#fail(transfer, 'protocol');
    const epoch = ++transfer.epoch, paused = view.state === 'paused';
    view.state = 'preparing';
    let hash = new Sha256();
    try {
      for (let at = 0; at < offset; at += 1_048_576) hash.update(new Uint8Array(await file.slice(at, Math.min(offset, at + 1_048_576)).arrayBuffer()));
    } catch {
      return this.#fail(transfer, 'changed');
    }
    if (transfer.epoch !== epoch || OVER.includes(view.state)) return;
    const same = hash.hex() === sha256;
    if (!same) {
      hash = new Sha256();
      this.#send(transfer, { type: 'restart' });
    }
    transfer.hash = hash;
    transfer.position = view.moved = same ? offset : 0;
    transfer.busy = false;
    view.state = paused ? 'paused' : 'moving';
    if (view.size === 0) this.#sent(transfer);
    this.#show();
    this.#run();
  }

  /** Everything has been sent. @param {Transfer} transfer */
  #sent(transfer) {
    transfer.view.state = 'checking';
    this.#send(transfer, { type: 'done', sha256: transfer.hash.hex() });
  }

  /** Sends what the rates allow, until nothing moves. */
  #run() {
    this.#timer ??= setInterval(() => {
      const now = performance.now();
      for (const link of this.#links.values()) {
        const own = this.#transfers.filter(one => one.view.key === link.person.key && one.view.outgoing);
        const inFlight = () => own.reduce((sum, one) => sum + (['moving', 'checking', 'paused', 'paused_there'].includes(one.view.state) ? one.position - one.view.moved : 0), 0);
        link.rate.tick(now, inFlight());
        own.filter(one => one.view.state === 'moving').forEach(one => this.#fill(link, one, inFlight));
      }
      this.#transfers.filter(one => one.unacknowledged).forEach(one => this.#acknowledge(one));
      this.#show(true);
      if (!this.#transfers.some(one => one.view.state === 'moving' || one.unacknowledged)) {
        clearInterval(this.#timer);
        this.#timer = undefined;
      }
    }, TICK_MS);
  }

  /** @param {Link} link @param {Transfer} transfer @param {() => number} inFlight */
  async #fill(link, transfer, inFlight) {
    const { file, view, epoch } = transfer;
    if (transfer.busy || !file) return;
    transfer.busy = true;
    const current = () => transfer.epoch === epoch && view.state === 'moving' && link.channel.readyState === 'open';
    try {
      while (current() && link.rate.maySend(performance.now(), inFlight()) && link.channel.bufferedAmount < 1_048_576) {
        const size = link.rate.chunk(MAX_DATA), offset = transfer.position;
        const data = new Uint8Array(await file.slice(offset, offset + size).arrayBuffer());
        if (!current()) break;
        if (!data.length) return this.#fail(transfer, 'changed');
        link.channel.send(chunk(view.id, offset, data));
        transfer.hash.update(data);
        transfer.position += data.length;
        link.rate.sent(data.length);
        if (transfer.position >= view.size) return this.#sent(transfer);
      }
    } catch {
      this.#fail(transfer, 'changed');
    } finally {
      if (transfer.epoch === epoch) transfer.busy = false;
    }
  }

  /** @param {Transfer} transfer @param {TransferReason} reason */
  #fail(transfer, reason) {
    if (OVER.includes(transfer.view.state)) return;
    this.#send(transfer, { type: 'cancel', reason });
    this.#end(transfer, reason);
  }

  /** @param {Transfer} transfer @param {TransferReason} reason */
  #end(transfer, reason) {
    transfer.view.state = 'failed';
    transfer.view.reason = reason;
    transfer.epoch++;
    transfer.unacknowledged = null;
    transfer.work = transfer.work.then(() => transfer.store?.discard()).catch(() => {});
    this.#show();
  }

  /** @param {boolean} [calm] at most a few times a second */
  #show(calm = false) {
    const now = performance.now();
    if (calm && now - this.#shown < 150) return;
    this.#shown = now;
    this.changed(this.#transfers.map(one => ({ ...one.view })));
  }
}

const REASONS = ['cancelled', 'too_many', 'too_large', 'too_much', 'wrong_hash', 'changed', 'disk_full', 'disk', 'protocol'];

const micros = () => Math.floor(performance.now() * 1000) >>> 0;

/** @param {string} id @param {number} offset @param {Uint8Array} data */
function chunk(id, offset, data) {
  const bytes = new Uint8Array(HEADER + data.length), view = new DataView(bytes.buffer);
  bytes[0] = 1;
  for (let n = 0; n < 16; n++) bytes[n + 1] = parseInt(id.slice(2 * n, 2 * n + 2), 16);
  view.setUint32(17, Math.floor(offset / 2 ** 32));
  view.setUint32(21, offset >>> 0);
  view.setUint32(25, micros());
  bytes.set(data, HEADER);
  return bytes;
}

/** @param {string} text */
function parse(text) {
  if (text.length > MAX_TEXT) return null;
  try {
    const message = JSON.parse(text);
    return message && /^[0-9a-f]{32}$/.test(message.id) ? message : null;
  } catch {
    return null;
  }
}

/** The last component of a path, without what could mislead. The browser makes the rest safe. @param {string} name */
export function safeName(name) {
  const last = name.split(/[/\\]/).at(-1) ?? '';
  const clean = last.replace(/[\p{Cc}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu, '').replace(/[<>:"|?*]/g, '_').replace(/^[. ]+|[. ]+$/g, '');
  return [...clean].slice(0, 100).join('') || 'file';
}

/** A file that the person chooses where the browser can write to one, otherwise memory and a download. @param {string} name @param {number} size @returns {Promise<Store>} */
async function openStore(name, size) {
  const { showSaveFilePicker } = /** @type {{ showSaveFilePicker?: (options: object) => Promise<any> }} */ (/** @type {unknown} */ (globalThis));
  if (showSaveFilePicker) {
    const writable = await (await showSaveFilePicker({ suggestedName: name })).createWritable();
    return { write: data => writable.write(data), keep: () => writable.close(), discard: () => writable.abort() };
  }
  if (size > MAX_IN_MEMORY) throw { code: 'file_too_large', message: '' };
  /** @type {BlobPart[]} */
  const parts = [];
  return {
    async write(data) { parts.push(/** @type {BlobPart} */ (data.slice())); },
    async keep() {
      const url = URL.createObjectURL(new Blob(parts, { type: 'application/octet-stream' })), link = document.createElement('a');
      link.href = url;
      link.download = name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
    },
    async discard() { parts.length = 0; },
  };
}

/** Lets the person choose files. Resolves to none if they close the dialog. @returns {Promise<File[]>} */
export function chooseFiles() {
  const input = document.createElement('input');
  input.type = 'file';
  input.multiple = true;
  return new Promise(resolve => {
    input.addEventListener('change', () => resolve([...input.files ?? []]));
    input.addEventListener('cancel', () => resolve([]));
    input.click();
  });
}
