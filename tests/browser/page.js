// One end of a call in a browser, driven by drive.mjs: window.start(options) for a call over a server, window.meet(options)
// for a connection whose signals the test forwards; window.report(), window.addShare().
import { Session, newDeviceKey } from '/shared/protocol.js';
import { Call } from '/shared/call.js';

/** Prefers one codec: it is the only one listed, with its retransmission and FEC formats. */
function prefer(transceiver, codec) {
  if (codec === 'auto') return;
  const all = RTCRtpReceiver.getCapabilities('video').codecs;
  const wanted = all.filter(c => c.mimeType.toLowerCase() === `video/${codec}`);
  if (!wanted.length) throw new Error(`this browser has no ${codec}`);
  const repair = all.filter(c => /rtx|red|ulpfec/i.test(c.mimeType));
  transceiver.setCodecPreferences([...wanted, ...repair]);
}

/**
 * Those of our codecs that this browser both sends and receives. An offer is tried too: Firefox can list a codec whose
 * plugin it has not downloaded yet, and then rejects the media section.
 */
window.codecs = async () => {
  const named = end => end.getCapabilities('video').codecs.map(c => c.mimeType.toLowerCase().slice('video/'.length));
  const taken = named(RTCRtpReceiver), sent = named(RTCRtpSender), ready = [];
  for (const codec of ['vp8', 'vp9', 'h264'].filter(one => taken.includes(one) && sent.includes(one))) {
    if (await answers(codec)) ready.push(codec);
  }
  return ready;
};

/** Whether this browser accepts a media section with only this codec from another of its connections. */
async function answers(codec) {
  const [one, other] = [new RTCPeerConnection(), new RTCPeerConnection()];
  try {
    prefer(one.addTransceiver('video'), codec);
    await one.setLocalDescription();
    await other.setRemoteDescription(one.localDescription);
    prefer(other.getTransceivers()[0], codec);
    await other.setLocalDescription();
    const { sdp } = other.localDescription;
    return !/^m=video 0 /m.test(sdp) && new RegExp(`^a=rtpmap:\\d+ ${codec}/90000`, 'im').test(sdp);
  } catch (error) {
    console.warn(codec, String(error));
    return false;
  } finally {
    one.close();
    other.close();
  }
}

/**
 * A moving picture and a tone that the page generates, without device or permission. Where generated sound is silent
 * (Firefox on a machine without any sound device), the tone comes from the browser's fake microphone.
 */
async function ownTracks(frequency, microphone) {
  const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
  const context = canvas.getContext('2d', { alpha: false });
  let n = 0;
  setInterval(() => {
    for (let x = 0; x < 16; x++) for (let y = 0; y < 9; y++) {
      context.fillStyle = `hsl(${(x * 20 + y * 40 + n * 3) % 360} 70% 50%)`;
      context.fillRect(x * 40, y * 40, 40, 40);
    }
    n++;
  }, 33);
  const audio = new AudioContext({ sampleRate: 48000 });
  const oscillator = new OscillatorNode(audio, { frequency }), gain = new GainNode(audio, { gain: 0.3 });
  const destination = audio.createMediaStreamDestination();
  oscillator.connect(gain).connect(destination);
  oscillator.start();
  audio.resume();
  const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const sound = microphone ? await navigator.mediaDevices.getUserMedia({ audio: plain }) : destination.stream;
  return { audio, stream: new MediaStream([...canvas.captureStream(30).getVideoTracks(), ...sound.getAudioTracks()]) };
}

let own, call, peer, analyser;

/** Options that announce less about the streams than browsers do by default. */
const announcements = {
  /** Two layers, identified by `rid`: their SSRCs are not announced. @param {RTCPeerConnection} pc */
  layers: (pc, track, stream) => pc.addTransceiver(track, { streams: [stream], sendEncodings: [{ rid: 'a' }, { rid: 'b' }] }),
  /** No `a=ssrc` in outgoing descriptions. @param {RTCPeerConnection} pc */
  unannounced: (pc, track, stream) => {
    pc.addTrack(track, stream);
    const original = Object.getOwnPropertyDescriptor(RTCPeerConnection.prototype, 'localDescription').get;
    Object.defineProperty(pc, 'localDescription', { get() {
      const { type, sdp } = original.call(this) ?? {};
      return sdp && { type, sdp: sdp.replace(/^a=ssrc.*\r\n/gm, '') };
    } });
  },
};

window.start = async ({ url, room, name, codec = 'auto', policy, frequency = 440, microphone = false, silence }) => {
  own = await ownTracks(frequency, microphone);
  const session = new Session({ url, name, key: await newDeviceKey() });
  call = new Call(session, { policy });
  call.addEventListener('peer', ({ detail }) => {
    peer = detail;
    for (const track of own.stream.getTracks()) {
      if (silence && track.kind === 'video') announcements[silence](peer.pc, track, own.stream);
      else peer.pc.addTrack(track, own.stream);
    }
    for (const transceiver of peer.pc.getTransceivers()) if (transceiver.sender.track?.kind === 'video') prefer(transceiver, codec);
    peer.addEventListener('track', ({ detail: { track } }) => {
      if (track.kind === 'video') document.getElementById('remote').srcObject = new MediaStream([track]);
      else listen(track);
    });
  });
  const joined = new Promise((resolve, reject) => {
    call.addEventListener('joined', resolve, { once: true });
    call.addEventListener('ended', event => reject(new Error(event.detail)), { once: true });
  });
  call.join(room, { microphone: true, camera: true });
  await joined;
};

/**
 * Sends a message between two connections of this page that use only a server's relay, over one transport. Returns what
 * arrived, and the transport between each connection and the relay.
 */
window.relayed = async ({ url, transport }) => {
  const session = new Session({ url, name: 'browser', key: await newDeviceKey() });
  const { detail } = await new Promise(resolve => session.addEventListener('welcome', resolve, { once: true }));
  const named = detail.ice_servers.map(server => ({ ...server, urls: server.urls.filter(u => u.endsWith(`transport=${transport}`)) }));
  const iceServers = named.filter(server => server.urls.length);
  const [one, other] = [0, 1].map(() => new RTCPeerConnection({ iceServers, iceTransportPolicy: 'relay' }));
  const channel = one.createDataChannel('lunch');
  const arrived = new Promise(resolve => other.addEventListener('datachannel', event => {
    event.channel.addEventListener('message', ({ data }) => resolve(data), { once: true });
  }));
  channel.addEventListener('open', () => channel.send('soup'));
  await one.setLocalDescription();
  await gathered(one);
  await other.setRemoteDescription(one.localDescription);
  await other.setLocalDescription();
  await gathered(other);
  await one.setRemoteDescription(other.localDescription);
  const message = await arrived;
  const protocols = [];
  for (const end of [one, other]) {
    for (const stat of (await end.getStats()).values()) if (stat.type === 'local-candidate') protocols.push(stat.relayProtocol);
  }
  return { message, protocols };
};

/** Waits for every candidate. @param {RTCPeerConnection} pc */
const gathered = pc => new Promise(resolve => {
  const check = () => { if (pc.iceGatheringState === 'complete') resolve(undefined); };
  pc.addEventListener('icegatheringstatechange', check);
  check();
});

function listen(track) {
  const stream = new MediaStream([track]);
  // A browser decodes received audio only while it is played.
  Object.assign(new Audio(), { srcObject: stream, muted: true }).play();
  analyser = new AnalyserNode(own.audio, { fftSize: 8192 });
  own.audio.createMediaStreamSource(stream).connect(analyser);
  // Some browsers process only nodes that are connected to the destination.
  analyser.connect(new GainNode(own.audio, { gain: 0 })).connect(own.audio.destination);
}

/** Returns the strongest frequency of the received audio, in Hz, and its level in dB. */
function strongestFrequency() {
  if (!analyser) return null;
  const bins = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(bins);
  let best = 0;
  bins.forEach((level, n) => { if (level > bins[best]) best = n; });
  return { hz: best * own.audio.sampleRate / analyser.fftSize, db: bins[best] };
}

/** Messages of this side that the test has not forwarded yet. */
let outbox = [];

/** A call without a server: `exchange` takes the messages of the other end and returns those of this one. */
window.meet = async ({ polite }) => {
  own = await ownTracks(440);
  const session = new ForwardedSession(), other = { id: 'ours', name: 'ours', key: '', media: { microphone: true, camera: true } };
  call = new Call(session, { signer: unsigned });
  call.addEventListener('peer', ({ detail }) => {
    peer = detail;
    peer.addEventListener('track', ({ detail: { track } }) => {
      if (track.kind === 'video') show(track);
    });
    for (const track of own.stream.getTracks()) peer.pc.addTrack(track, own.stream);
  });
  session.receive({ type: 'joined', room: 'by-hand', you: 'browser', participants: polite ? [other] : [] });
  if (!polite) session.receive({ type: 'participant_joined', participant: other });
};
window.said = () => outbox;
window.exchange = messages => {
  messages.forEach(message => call.session.receive({ ...message, from: 'ours' }));
  return outbox.splice(0);
};

/** The two ends here have no keys: nothing is signed. */
const unsigned = { begin: () => '', knows: () => true, sign: async () => undefined, verify: async (_room, _from, sdp) => sdp };

/** A session whose messages the test forwards. */
class ForwardedSession extends EventTarget {
  state = 'open';
  clock = { now: () => performance.now(), after: (ms, run) => { const timer = setTimeout(run, ms); return () => clearTimeout(timer); } };
  send(message) { return outbox.push(message); }
  receive(message) { this.dispatchEvent(new CustomEvent('message', { detail: message })); }
  close() {}
}

/** Shows a video track, because browsers decode only displayed video. */
function show(track) {
  const video = Object.assign(document.createElement('video'), { srcObject: new MediaStream([track]), autoplay: true, muted: true });
  document.body.append(video);
  video.play().catch(() => {});
}

/** Adds a second video track, which causes a renegotiation. */
window.addShare = () => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 180 });
  const context = canvas.getContext('2d');
  setInterval(() => { context.fillStyle = `hsl(${performance.now() / 20 % 360} 80% 50%)`; context.fillRect(0, 0, 320, 180); }, 66);
  peer.pc.addTrack(canvas.captureStream(15).getVideoTracks()[0], own.stream);
};

/** Restarts ICE. */
window.restartIce = () => peer.pc.restartIce();

/** Summarises getStats, with codecs by name. */
window.report = async () => {
  if (!peer) return null;
  const stats = await peer.pc.getStats(), out = { state: peer.pc.connectionState, signaling: peer.pc.signalingState, inbound: [], outbound: [], tone: strongestFrequency(), context: own.audio.state, ufrags: ufrags(), mdns: /^a=candidate:.* [0-9a-f-]+\.local /m.test(peer.pc.localDescription?.sdp ?? '') };
  stats.forEach(s => {
    const codec = s.codecId && stats.get(s.codecId)?.mimeType;
    if (s.type === 'inbound-rtp') out.inbound.push({ kind: s.kind, mid: s.mid, codec, framesDecoded: s.framesDecoded, width: s.frameWidth, height: s.frameHeight, pli: s.pliCount, nack: s.nackCount, lost: s.packetsLost, bytes: s.bytesReceived, concealed: s.concealedSamples, samples: s.totalSamplesReceived, energy: s.totalAudioEnergy });
    if (s.type === 'outbound-rtp') out.outbound.push({ kind: s.kind, mid: s.mid, codec, framesEncoded: s.framesEncoded, pli: s.pliCount, width: s.frameWidth });
    const pair = s.type === 'transport' ? stats.get(s.selectedCandidatePairId) : s.type === 'candidate-pair' && s.selected ? s : null;
    if (pair) {
      const local = stats.get(pair.localCandidateId), remote = stats.get(pair.remoteCandidateId);
      out.pair = `${local?.candidateType}-${remote?.candidateType}`;
      out.localAddress = local?.address ?? local?.ip ?? null;
    }
  });
  return out;
};

/** The ICE user name fragments of both ends. */
const ufrags = () => [peer.pc.currentLocalDescription, peer.pc.currentRemoteDescription].map(one => one?.sdp.match(/^a=ice-ufrag:(\S+)/m)?.[1] ?? null);

window.leave = () => { call?.leave(); call?.session.close(); };
document.title = 'ready';
