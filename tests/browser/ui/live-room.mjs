// A real server that forwards rooms, and guests in browsers whose voices are tones, so that a test knows who is audible.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import path from 'node:path';
import { here, pause, press, ui } from './window.mjs';

const require = createRequire(path.join(process.env.MODULES ?? path.join(here, '..'), 'package.json'));
const program = process.env.SERVER ?? path.resolve(here, '../../../target/debug/lunchroom-server');
export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium', FIREFOX = process.env.FIREFOX ?? '/usr/bin/firefox-esr';

/** Whether the server's program was built. */
export const hasServer = existsSync(program);
export const hasFirefox = existsSync(FIREFOX);

/** Longest wait for anything. The machine may be busy with other tests. */
const PATIENCE_MS = 60_000;
/** The tones of the guests by the first letters of their names, Hz. */
const FIREFOX_TONE = 2000, TONES = [500, 800, 1100, 1400, FIREFOX_TONE];

/** Starts a server on which rooms are forwarded from so many people on. */
export async function startServer(from) {
  const data = await mkdtemp(path.join(tmpdir(), 'lunchroom-server-')), pages = path.join(data, 'ui');
  await cp(ui, pages, { recursive: true });
  await writeFile(path.join(pages, METER), METER_SOURCE);
  const server = spawn(program, ['--listen', '127.0.0.1:0', '--no-turn', '--data-dir', data, '--ui-dir', pages, '--forward-listen', '0.0.0.0:0', '--forward-from', String(from), '--log', 'warn'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const url = await new Promise((resolve, reject) => {
    createInterface({ input: server.stdout }).on('line', line => { if (/ws:\/\//.test(line)) resolve(line.match(/ws:\/\/\S+/)[0]); });
    server.once('exit', code => reject(new Error(`the server ended with ${code}`)));
    server.once('error', reject);
  });
  return {
    origin: url.replace(/^ws/, 'http').replace(/\/$/, ''),
    async stop() {
      server.kill();
      await rm(data, { recursive: true, force: true }).catch(() => {});
    },
  };
}

const chromium = profile => ({ executablePath: CHROMIUM, headless: true, pipe: true, userDataDir: profile,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
    '--autoplay-policy=no-user-gesture-required', '--disable-background-timer-throttling', '--disable-renderer-backgrounding', '--disable-backgrounding-occluded-windows', '--lang=en'] });
const firefox = profile => ({ browser: 'firefox', executablePath: FIREFOX, headless: true, userDataDir: profile,
  extraPrefsFirefox: { 'media.autoplay.default': 0, 'media.autoplay.blocking_policy': 0, 'media.navigator.permission.disabled': true, 'media.navigator.streams.fake': true, 'media.navigator.audio.fake_frequency': FIREFOX_TONE,
    'intl.accept_languages': 'en', 'app.update.enabled': false, 'media.gmp-manager.updateEnabled': false } });

/** Starts a browser for guests. @param {'chromium' | 'firefox'} kind */
export async function startBrowser(kind = 'chromium') {
  const profile = await mkdtemp(path.join(tmpdir(), 'lunchroom-live-'));
  const browser = await require('puppeteer-core').launch((kind === 'firefox' ? firefox : chromium)(profile));
  return {
    /** Joins a room as another guest. @param {{ origin: string }} server @param {{ name: string, setup?: () => void }} options `setup` runs in the page before its scripts */
    async join(server, { name, setup }) {
      const tone = kind === 'firefox' ? FIREFOX_TONE : TONES[name.charCodeAt(0) - 65];
      const page = await (await browser.createBrowserContext()).newPage(), complaints = [];
      page.on('pageerror', error => complaints.push(String(error)));
      page.on('console', message => { if (process.env.VERBOSE) console.log(name, message.text()); if (/violates|Refused/.test(message.text())) complaints.push(message.text()); });
      page.setDefaultTimeout(PATIENCE_MS);
      await page.setViewport({ width: 900, height: 640 });
      await page.evaluateOnNewDocument(wanted => localStorage.setItem('lunchroom.settings', JSON.stringify(wanted)), { name, language: 'en' });
      await page.evaluateOnNewDocument(instrument, kind === 'firefox' ? null : tone, TONES, METER);
      if (setup) await page.evaluateOnNewDocument(setup);
      await page.goto(`${server.origin}/r/soup`);
      await page.waitForSelector('#join-here');
      await press(page, ['#join-here', '#join']);
      await page.waitForSelector('lr-call');
      return new Guest(name, tone, page, complaints, kind !== 'firefox');
    },
    async close() {
      await Promise.race([browser.close().catch(() => {}), pause(3000)]);
      await rm(profile, { recursive: true, force: true }).catch(() => {});
    },
  };
}

class Guest {
  /** `plays`: whether the page plays and shows what it receives. Firefox plays and shows nothing without devices, but counts. */
  constructor(name, tone, page, complaints, plays) {
    Object.assign(this, { name, tone, page, complaints, plays });
  }

  /** What the page plays, shows and is connected to. */
  observe() {
    return this.page.evaluate(() => window.observe());
  }

  /** Waits until what the page observes is right. @param {string} what @param {(seen: any) => boolean} check */
  async until(what, check) {
    const end = Date.now() + PATIENCE_MS;
    for (let seen; ;) {
      seen = await this.observe();
      if (check(seen)) return seen;
      if (Date.now() > end) throw new Error(`${this.name}: not ${what}: ${JSON.stringify(seen)}`);
      await pause(100);
    }
  }

  /** Waits until these guests are audible and seen over so many connections. @param {Guest[]} others @param {number} connections */
  async receives(others, connections) {
    const before = await this.observe(), count = others.length;
    return this.until(`receiving ${others.map(one => one.name)} over ${connections} connections`, seen => seen.connections === connections && seen.voices >= count && seen.videos >= count
      && seen.decoded >= 5 * count
      && (!this.plays || others.every(({ name, tone }) => seen.audible[tone] > before.audible[tone] + 0.5 && (seen.pictures[name] ?? 0) > (before.pictures[name] ?? 0) + 5)));
  }

  /** Longest silence of each tone and longest freeze of each picture since the last call, in seconds. */
  gaps() {
    return this.page.evaluate(() => window.takeGaps());
  }

  /** The statistics that the page shows of somebody. @param {Guest} other */
  stats(other) {
    return this.page.evaluate(async name => {
      const { backend } = await import(new URL('../shared/backend.js', document.querySelector('script[type=module]').src));
      const id = backend.state.call.participants.find(one => one.name === name).id;
      return (await backend.call('stats')).people.find(one => one.id === id);
    }, other.name);
  }

  leave() {
    return this.page.close();
  }
}

/** The page's sound meter, which is served with the page. */
const METER = 'guest/meter.js';

/** Runs in the page on the thread of sound: how long each tone is audible and not audible. Silence counts once it has been reported. */
const METER_SOURCE = `registerProcessor('tones', class extends AudioWorkletProcessor {
  constructor({ processorOptions: { tones } }) {
    super();
    Object.assign(this, { tones, samples: [], silent: tones.map(() => 0), blocks: 0 });
    this.#reset();
  }
  #reset() { Object.assign(this, { audible: this.tones.map(() => 0), gaps: this.tones.map(() => 0) }); }
  process([[input]]) {
    const HOP = 480;
    this.samples.push(...input ?? new Float32Array(128));
    while (this.samples.length >= 2 * HOP) {
      this.tones.forEach((tone, at) => {
        const isAudible = this.#power(tone, 2 * HOP) > 1e-4;
        if (isAudible) this.audible[at] += HOP / 48_000;
        this.silent[at] = isAudible ? 0 : this.silent[at] + HOP / 48_000;
        this.gaps[at] = Math.max(this.gaps[at], this.silent[at]);
      });
      this.samples.splice(0, HOP);
    }
    if (++this.blocks % 40 === 0) {
      this.port.postMessage({ audible: this.audible, gaps: this.gaps });
      this.#reset();
    }
    return true;
  }
  #power(frequency, length) {
    const factor = 2 * Math.cos(2 * Math.PI * frequency / 48_000);
    let [one, two] = [0, 0];
    for (let n = 0; n < length; n++) [one, two] = [this.samples[n] + factor * one - two, one];
    return (one * one + two * two - factor * one * two) / (length / 2) ** 2;
  }
});`;

/** Runs in the page: a tone in place of the microphone (without one, the browser's fake one), and a record of connections, keys, tones and pictures. */
function instrument(tone, tones, METER) {
  const made = [];
  window.RTCPeerConnection = class extends RTCPeerConnection { constructor(...args) { super(...args); made.push(this); } };
  let context;
  const audio = () => context ??= new AudioContext({ sampleRate: 48_000 });
  const epochs = [], post = Worker.prototype.postMessage;
  Worker.prototype.postMessage = function (message, ...rest) {
    if (message.do === 'use' && message.key) epochs.push(message.key.epoch);
    return post.call(this, message, ...rest);
  };
  const open = MediaDevices.prototype.getUserMedia;
  MediaDevices.prototype.getUserMedia = function (constraints) {
    if (constraints.video) return open.call(this, { video: { width: 640, height: 360, frameRate: 15 } });
    if (tone === null) return open.call(this, constraints);
    const source = new OscillatorNode(audio(), { frequency: tone }), gain = new GainNode(audio(), { gain: 0.2 }), destination = audio().createMediaStreamDestination();
    source.connect(gain).connect(destination);
    source.start();
    audio().resume();
    return Promise.resolve(destination.stream);
  };
  MediaDevices.prototype.getDisplayMedia = async () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 1280, height: 720 }), context = canvas.getContext('2d');
    let n = 0;
    setInterval(() => {
      context.fillStyle = `hsl(${n++ * 7 % 360} 70% 50%)`;
      context.fillRect(0, 0, 1280, 720);
    }, 100);
    return canvas.captureStream(10);
  };
  // Everything that the page plays is mixed, and each tone is looked for every 10 ms, on the thread of sound.
  const audible = Object.fromEntries(tones.map(one => [one, 0])), gaps = { ...audible };
  let mix;
  const mixed = () => mix ??= (async () => {
    await audio().audioWorklet.addModule(document.querySelector('script[type=module]').src.replace('guest/main.js', METER));
    const meter = new AudioWorkletNode(audio(), 'tones', { numberOfInputs: 1, numberOfOutputs: 1, processorOptions: { tones }, channelCount: 1, channelCountMode: 'explicit' });
    meter.port.onmessage = ({ data }) => {
      for (const [at, one] of tones.entries()) {
        audible[one] += data.audible[at];
        gaps[one] = Math.max(gaps[one], data.gaps[at]);
      }
    };
    meter.connect(audio().destination);
    return meter;
  })();
  const property = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, 'srcObject'), sources = new WeakMap();
  Object.defineProperty(HTMLAudioElement.prototype, 'srcObject', {
    get() { return property.get.call(this); },
    set(stream) {
      property.set.call(this, stream);
      sources.get(this)?.disconnect();
      if (!stream) return;
      const source = audio().createMediaStreamSource(stream);
      sources.set(this, source);
      mixed().then(meter => sources.get(this) === source && source.connect(meter));
    },
  });
  // The longest time between two pictures of each person, in seconds. The own picture counts too.
  let freezes = {};
  const watched = new WeakSet(), shown = new Map();
  const watch = (video, name) => video.requestVideoFrameCallback(now => {
    if (shown.has(name)) freezes[name] = Math.max(freezes[name] ?? 0, (now - shown.get(name)) / 1000);
    shown.set(name, now);
    watch(video, name);
  });
  setInterval(() => {
    for (const tile of document.querySelectorAll('lr-tile')) {
      const video = tile.querySelector('video'), name = tile.getAttribute('aria-label')?.split(',')[0];
      if (video?.requestVideoFrameCallback && name && !watched.has(video)) {
        watched.add(video);
        watch(video, name);
      }
    }
  }, 50);
  window.takeGaps = () => {
    const taken = { voices: { ...gaps }, pictures: freezes };
    for (const one of tones) gaps[one] = 0;
    freezes = {};
    return taken;
  };
  window.observe = async () => {
    const live = made.filter(pc => pc.connectionState === 'connected');
    const pictures = Object.fromEntries([...document.querySelectorAll('lr-tile')].map(tile => [tile.getAttribute('aria-label')?.split(',')[0], tile.querySelector('video')?.getVideoPlaybackQuality().totalVideoFrames ?? 0]));
    const lines = (await Promise.all(live.map(async pc => [...(await pc.getStats()).values()]))).flat();
    const received = (kind, name) => lines.filter(line => line.type === 'inbound-rtp' && line.kind === kind).map(line => line[name] ?? 0);
    const decoded = received('video', 'framesDecoded'), energy = received('audio', 'totalAudioEnergy'), sum = all => all.reduce((before, one) => before + one, 0);
    const encodings = lines.filter(line => line.type === 'outbound-rtp' && line.kind === 'video' && line.framesSent).map(line => `${line.rid ?? ''} ${line.frameHeight}`);
    return { connections: live.length, epochs, states: made.map(pc => pc.connectionState), audible: { ...audible }, pictures, decoded: sum(decoded), energy: sum(energy), videos: decoded.filter(one => one > 5).length, voices: energy.filter(one => one > 0.01).length, encodings };
  };
}
