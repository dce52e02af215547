// The guest page in a room that a fake server forwards: keys, offers and what others are sent: node --test guest-keys.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BO, inCall, until, words } from './guest-server.mjs';
import { pause, press } from './window.mjs';

const CAN_FORWARD = { limits: { max_forwarded: 60 } };
const forwarded = server => Object.assign(server, CAN_FORWARD, { forwards: true });
const troubles = page => page.$$eval('lr-tile .why', all => all.map(one => one.textContent));

test('a guest announces the feature, and a frame key right after joining', async () => {
  const { server, end } = await inCall({ prepare: server => Object.assign(server, CAN_FORWARD) });
  await until('the frame key', () => server.of('frame_key').length > 0);
  assert.deepEqual(server.hellos[0].features, ['forwarding']);
  assert.match(server.of('frame_key')[0].key, /^[A-Za-z0-9_-]{43}$/);
  assert.match(server.of('frame_key')[0].signature, /^[A-Za-z0-9_-]{86}$/);
  assert.equal(server.of('sender_keys').length, 0, 'the room is direct');
  await end();
});

test('a guest announces no frame key where nothing is forwarded', async () => {
  const { server, end } = await inCall({});
  await until('a direct offer', () => server.of('offer').length > 0);
  await pause(300);
  assert.equal(server.of('frame_key').length, 0);
  await end();
});

for (const [what, setup] of [['transforms of frames', () => { delete window.RTCRtpScriptTransform; }], ['X25519', () => {
  const generate = SubtleCrypto.prototype.generateKey;
  SubtleCrypto.prototype.generateKey = function (algorithm, ...rest) {
    return algorithm.name === 'X25519' ? Promise.reject(new DOMException('', 'NotSupportedError')) : generate.call(this, algorithm, ...rest);
  };
}]]) {
  test(`a browser without ${what} does not announce the feature`, async () => {
    const { server, end } = await inCall({ setup, prepare: server => Object.assign(server, CAN_FORWARD) });
    await until('a direct offer', () => server.of('offer').length > 0);
    assert.equal(server.hellos[0].features, undefined);
    assert.equal(server.of('frame_key').length, 0);
    await end();
  });
}

test('in a forwarded room offers go to the server only, and errors about them are not shown', async () => {
  const { server, page, end } = await inCall({ devices: 'devices', prepare: forwarded });
  await until('an offer', () => server.of('offer').length > 0);
  const [offer] = server.of('offer');
  assert.deepEqual([offer.to, offer.signature], ['server', undefined]);
  assert.ok(offer.sdp.length < 49_152, String(offer.sdp.length));
  server.send({ type: 'error', code: 'rate_limited', message: '', about: offer.seq });
  await until('another offer', () => server.of('offer').length > 1);
  assert.ok(server.of('offer').every(one => one.to === 'server'));
  const notices = await page.$$eval('.notice', all => all.map(one => one.innerText));
  assert.equal(notices.some(one => one.includes(words.en.problems.rate_limited)), false);
  server.send({ type: 'forwarded', on: false });
  await until('a direct offer', () => server.of('offer').some(one => one.to === 'p1' && one.signature));
  await end();
});

for (const language of ['en', 'ko']) {
  test(`whoever sends no frame key is named in a forwarded room (${language})`, async () => {
    const t = words[language], { server, page, end } = await inCall({ language, prepare: forwarded });
    await until('the words', async () => (await troubles(page)).includes(t.problems.frame_key_missing));
    assert.equal(server.of('sender_keys').length, 0);
    await end();
  });

  test(`a frame key that somebody else signed is refused in words (${language})`, async () => {
    const t = words[language], { server, page, end } = await inCall({ language, prepare: forwarded });
    await until('the own key', () => server.of('frame_key').length > 0);
    server.send({ type: 'frame_key', from: 'p1', key: BO.nonce, signature: server.of('frame_key')[0].signature });
    await until('the words', async () => (await troubles(page)).includes(t.problems.statement_wrong));
    server.send({ type: 'sender_key', from: 'p1', epoch: 1, sealed: '', signature: '' });
    await pause(300);
    assert.equal(server.of('sender_keys').length, 0);
    await end();
  });
}

test('others are informed that a screen is shared, and that it is not any more', async () => {
  const setup = () => { MediaDevices.prototype.getDisplayMedia = async () => document.createElement('canvas').captureStream(5); };
  const { server, page, end } = await inCall({ setup });
  const screens = () => server.of('media').map(one => one.screen ?? false);
  await press(page, ['#call-share']);
  await until('the news', () => screens().at(-1) === true);
  await press(page, ['#call-share']);
  await until('the end', () => screens().at(-1) === false);
  assert.ok(server.of('join').every(one => one.media.screen === undefined));
  await end();
});
