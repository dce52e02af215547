// The connection to the forwarder with a fake browser, in virtual time: node --test forwarder.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Clock, flushed, pageModule } from './fakes.mjs';

const made = [], transforms = [];

class FakeTransceiver {
  mid = null;
  sender = { parameters: { encodings: [{}, {}, {}] }, transform: null, replaced: [],
    async replaceTrack(track) { this.replaced.push(track); }, getParameters() { return structuredClone(this.parameters); }, async setParameters(one) { this.parameters = one; } };
  receiver = { transform: null };
  constructor(kind, options) { Object.assign(this, { kind, options }); }
  setCodecPreferences(codecs) { this.codecs = codecs.map(one => one.mimeType); }
}
globalThis.RTCPeerConnection = class {
  connectionState = 'new';
  localDescription = null;
  remoteDescription = null;
  transceivers = [];
  constructor(configuration) {
    this.configuration = configuration;
    made.push(this);
  }
  addTransceiver(kind, options) {
    const one = new FakeTransceiver(kind, options);
    this.transceivers.push(one);
    return one;
  }
  async setLocalDescription() { this.localDescription = { sdp: `v=0\r\no=${made.length}\r\n` }; }
  async setRemoteDescription(description) {
    if (description.sdp === 'bad') throw new Error('bad');
    this.remoteDescription = description;
  }
  close() { this.connectionState = 'closed'; }
  become(state) {
    this.connectionState = state;
    this.onconnectionstatechange();
  }
};
globalThis.MediaStream = class {};
globalThis.RTCRtpScriptTransform = class { constructor(worker, options) { transforms.push(options); } };
globalThis.RTCRtpReceiver = { getCapabilities: kind => ({ codecs: (kind === 'audio' ? ['audio/opus', 'audio/PCMU'] : ['video/VP8', 'video/rtx', 'video/H264']).map(mimeType => ({ mimeType })) }) };

const { Forwarder } = await pageModule('guest/forwarder.js');
const { trimmed } = await pageModule('shared/trimmed-sdp.js');

/** A forwarder's connection, its clock, and what it has sent. */
async function start() {
  made.length = transforms.length = 0;
  const clock = new Clock(), sent = [], events = [];
  const forwarder = new Forwarder({ worker: null, iceServers: [], tracks: { audio: 'mic', camera: null, screen: null }, clock, send: message => sent.push(message) });
  forwarder.addEventListener('connected', () => events.push('connected'));
  await flushed();
  return { clock, sent, events, forwarder };
}

test('one offer has lines for the own voice, camera and screen, and for those of others', async () => {
  const { sent } = await start(), [pc] = made, { transceivers } = pc;
  assert.deepEqual(sent.map(({ type, to }) => [type, to]), [['offer', 'server']]);
  assert.deepEqual(transceivers.slice(0, 3).map(one => [one.kind, one.options.direction]), [['mic', 'sendonly'], ['video', 'sendonly'], ['video', 'sendonly']]);
  assert.deepEqual(transceivers[1].options.sendEncodings.map(one => [one.rid, one.scaleResolutionDownBy]), [['q', 4], ['h', 2], ['f', 1]], 'the smallest first');
  assert.ok(transceivers.slice(3).every(one => one.options.direction === 'recvonly'));
  assert.equal(transceivers.filter(one => one.kind === 'audio').length, 8);
  assert.deepEqual(transceivers[1].codecs, ['video/VP8', 'video/rtx']);
  assert.equal(transforms.length, transceivers.length, 'each line is encrypted or decrypted');
  assert.deepEqual(transforms.slice(0, 3), [{ stream: 'audio' }, { stream: 'camera' }, { stream: 'screen' }]);
  assert.equal(new Set(transforms.slice(3).map(one => one.line)).size, transceivers.length - 3);
});

test('a lost connection is replaced after pauses that grow', async () => {
  const { clock, sent, forwarder } = await start(), pauses = [];
  for (let n = 0; n < 4; n++) {
    await forwarder.answer('answer');
    made.at(-1).become('failed');
    const before = clock.now(), count = made.length;
    await clock.advance(60_000, () => made.length > count);
    pauses.push(clock.now() - before);
    await flushed();
  }
  assert.deepEqual(pauses, [1_000, 2_000, 4_000, 8_000]);
  assert.equal(sent.length, 5);
  assert.deepEqual(made.slice(0, -1).map(one => one.connectionState), Array(4).fill('closed'));
});

test('a short interruption changes nothing, and a long one replaces the connection', async () => {
  const { clock, events, forwarder } = await start(), [pc] = made;
  await forwarder.answer('answer');
  pc.become('connected');
  pc.become('disconnected');
  await clock.advance(2_000);
  pc.become('connected');
  await clock.advance(60_000);
  assert.equal(made.length, 1);
  pc.become('disconnected');
  await clock.advance(3_000 + 1_000);
  assert.equal(made.length, 2);
  assert.deepEqual(events, ['connected', 'connected']);
});

test('a connection that does not come about, and an answer that makes no sense, lead to another offer', async () => {
  const { clock, forwarder } = await start();
  await clock.advance(15_000 + 1_000);
  assert.equal(made.length, 2);
  await forwarder.answer('answer');
  assert.equal(made[1].remoteDescription, null, 'it answers the first offer');
  await forwarder.answer('bad');
  await clock.advance(2_000);
  assert.equal(made.length, 3);
});

test('a refused offer is made anew, and nothing is done after the end', async () => {
  const { clock, forwarder } = await start();
  assert.equal(forwarder.refused(7), false);
  assert.equal(forwarder.refused(1), true);
  await clock.advance(1_000);
  assert.equal(made.length, 2);
  await forwarder.answer('answer');
  assert.ok(made[1].remoteDescription, 'the refused offer has no answer');
  made[1].become('failed');
  forwarder.close();
  await clock.advance(120_000);
  assert.equal(made.length, 2);
});

test('tracks are replaced without negotiation, also for later connections', async () => {
  const { clock, sent, forwarder } = await start();
  forwarder.replaceTrack('camera', 'cam');
  forwarder.replaceTrack('audio', null);
  assert.deepEqual([made[0].transceivers[1].sender.replaced, made[0].transceivers[0].sender.replaced], [['cam'], [null]]);
  assert.equal(sent.length, 1);
  made[0].become('failed');
  await clock.advance(1_000);
  assert.deepEqual(made[1].transceivers.slice(0, 3).map(one => one.kind), ['audio', 'cam', 'video']);
});

test('only the smallest encoding is sent while little data is to be used', async () => {
  const { forwarder } = await start();
  forwarder.setDataSaver(true);
  await forwarder.answer('answer');
  const encodings = () => made[0].transceivers[1].sender.parameters.encodings.map(one => one.active);
  assert.deepEqual(encodings(), [true, false, false]);
  forwarder.setDataSaver(false);
  await flushed();
  assert.deepEqual(encodings(), [true, true, true]);
});

test('an offer is sent without what the forwarder does not use', () => {
  const sdp = ['v=0', 'm=video 9 UDP/TLS/RTP/SAVPF 120 124', 'a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid', 'a=extmap:6/recvonly http://www.webrtc.org/experiments/rtp-hdrext/playout-delay',
    'a=rtcp-fb:120 nack pli', 'a=rtcp-fb:99 nack', 'm=audio 9 UDP/TLS/RTP/SAVPF 99', 'a=rtcp-fb:99 transport-cc', ''].join('\r\n');
  assert.deepEqual(trimmed(sdp).split('\r\n'), ['v=0', 'm=video 9 UDP/TLS/RTP/SAVPF 120 124', 'a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid', 'a=rtcp-fb:120 nack pli', 'm=audio 9 UDP/TLS/RTP/SAVPF 99', 'a=rtcp-fb:99 transport-cc', '']);
});
