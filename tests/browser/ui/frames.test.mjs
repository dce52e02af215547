// Frames that are encrypted end to end, in the pages' modules: node --test frames.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Clock, pageModule } from './fakes.mjs';

const { MAX_FRAMES, MAX_FRAME_BYTES, MAX_KEYS, OLD_KEY_MS, Opener, RENEW_AFTER, REPLAY_WINDOW, Sealer } = await pageModule('shared/sframe.js');
const { CallFrames } = await pageModule('shared/call-frames.js');

const key = (epoch, byte) => ({ epoch, base: new Uint8Array(32).fill(byte) });
const text = words => new TextEncoder().encode(words);
const VOICE = text('voice');
/** A VP8 frame with this first bit. */
const picture = (isKey, length) => Uint8Array.from({ length }, (_, n) => n === 0 ? Number(!isKey) : n);
const opened = (opener, now, sealed) => opener.open(now, sealed).then(frame => Buffer.from(frame).toString('latin1'), error => error.code);
function openerOf(key, stream) {
  const opener = new Opener(stream);
  assert.ok(opener.accept(0, key));
  return opener;
}

test('only what the forwarder reads stays clear', async () => {
  for (const [stream, isKey, clear] of [['audio', true, 0], ['camera', true, 10], ['camera', false, 3], ['screen', true, 10]]) {
    const frame = picture(isKey, 80), sealed = await new Sealer(key(1, 7), stream).seal(frame);
    assert.deepEqual(sealed.subarray(0, clear), frame.subarray(0, clear));
    assert.equal(sealed.length, frame.length + 1 + 16);
    for (let at = clear; at + 4 <= frame.length; at++) assert.equal(Buffer.from(sealed).includes(frame.subarray(at, at + 4)), false, stream);
  }
});

test('a frame without key is counted and dropped', async () => {
  const [first, second] = [key(1, 7), key(2, 8)], opener = new Opener('audio'), voice = await new Sealer(second, 'audio').seal(VOICE);
  assert.equal(await opened(opener, 0, voice), 'no_key');
  opener.accept(0, first);
  assert.equal(opener.hasKeyOf(0, voice), false);
  assert.equal(await opened(opener, 0, voice), 'no_key');
  opener.accept(0, second);
  assert.equal(opener.hasKeyOf(0, voice), true);
  assert.equal(await opened(opener, 0, voice), 'voice');
  assert.deepEqual(opener.counts, { opened: 1, malformed: 0, no_key: 2, old: 0, forged: 0 });
});

test('frames of another sender and of another stream are refused', async () => {
  assert.equal(await opened(openerOf(key(1, 7), 'audio'), 0, await new Sealer(key(1, 8), 'audio').seal(VOICE)), 'forged');
  assert.equal(await opened(openerOf(key(1, 7), 'screen'), 0, await new Sealer(key(1, 7), 'camera').seal(picture(true, 60))), 'no_key');
});

test('a repeated frame is refused and a late one is not', async () => {
  const sealer = new Sealer(key(1, 7), 'audio'), opener = openerOf(key(1, 7), 'audio'), frames = [];
  for (let n = 0; n < REPLAY_WINDOW + 2; n++) frames.push(await sealer.seal(VOICE));
  assert.equal(await opened(opener, 0, frames[2]), 'voice');
  assert.equal(await opened(opener, 0, frames[2]), 'old');
  assert.equal(await opened(opener, 0, frames.at(-1)), 'voice');
  assert.equal(await opened(opener, 0, frames[1]), 'old', 'beyond the window');
  assert.equal(await opened(opener, 0, frames[3]), 'voice', 'late');
  assert.equal(await opened(opener, 0, frames[2]), 'old');
  const twice = await Promise.all([opened(opener, 0, frames[5]), opened(opener, 0, frames[5])]);
  assert.deepEqual(twice.sort(), ['old', 'voice'], 'at the same time');
});

test('every late frame within the window is decrypted once, whatever the order', async () => {
  const sealer = new Sealer(key(1, 7), 'audio'), opener = openerOf(key(1, 7), 'audio'), frames = [];
  for (let n = 0; n < 3 * REPLAY_WINDOW; n++) frames.push(await sealer.seal(VOICE));
  const order = frames.map((_, n) => n).sort((a, b) => Math.floor(a / 700) - Math.floor(b / 700) || b - a);
  for (const n of order) assert.equal(await opened(opener, 0, frames[n]), 'voice', `frame ${n}`);
  for (const n of order) assert.equal(await opened(opener, 0, frames[n]), 'old', `frame ${n}`);
});

test('a forged frame does not move the window', async () => {
  const sealer = new Sealer(key(1, 7), 'audio'), opener = openerOf(key(1, 7), 'audio'), first = await sealer.seal(VOICE);
  const last = await new Sealer(key(1, 7), 'audio', 2 * REPLAY_WINDOW).seal(VOICE);
  last[last.length - 1] ^= 1;
  assert.equal(await opened(opener, 0, last), 'forged');
  assert.equal(await opened(opener, 0, first), 'voice');
});

test('old keys are few and do not last', async () => {
  const keys = Array.from({ length: MAX_KEYS + 1 }, (_, n) => key(n + 1, n + 1)), opener = new Opener('audio');
  for (const one of keys) {
    assert.equal(opener.accept(0, one), true);
    assert.equal(opener.accept(0, one), false, 'once only');
  }
  assert.equal(opener.accept(0, keys[0]), false, 'an older one');
  const voices = await Promise.all(keys.map(one => new Sealer(one, 'audio').seal(VOICE)));
  assert.equal(await opened(opener, 0, voices[0]), 'no_key', 'too many');
  assert.equal(await opened(opener, 0, voices[1]), 'voice');
  assert.equal(await opened(opener, OLD_KEY_MS, voices[2]), 'no_key', 'too old');
  assert.equal(await opened(opener, OLD_KEY_MS + 86_400_000, voices.at(-1)), 'voice');
});

test('a key is used up after a number of frames', async () => {
  const sealer = new Sealer(key(1, 7), 'audio', MAX_FRAMES - 1), opener = openerOf(key(1, 7), 'audio');
  assert.equal(await opened(opener, 0, await sealer.seal(VOICE)), 'voice');
  await assert.rejects(sealer.seal(VOICE), { code: 'used_up' });
  const renewed = new Sealer(key(1, 7), 'audio', RENEW_AFTER - 1);
  assert.equal(renewed.wantsNewKey, false);
  await renewed.seal(VOICE);
  assert.equal(renewed.wantsNewKey, true);
});

test('frames that are too short or too long are refused', async () => {
  const sealer = new Sealer(key(1, 7), 'camera'), opener = openerOf(key(1, 7), 'camera');
  for (const frame of [[], picture(true, 9), picture(false, 2), new Uint8Array(MAX_FRAME_BYTES + 1)]) await assert.rejects(sealer.seal(Uint8Array.from(frame)), { code: 'malformed' });
  for (const frame of [[], picture(true, 10), picture(false, 12), new Uint8Array(MAX_FRAME_BYTES + 34)]) assert.equal(await opened(opener, 0, Uint8Array.from(frame)), 'malformed');
});

test('changed, shortened and lengthened frames are refused', async () => {
  for (const stream of ['audio', 'camera', 'screen']) {
    const whole = await new Sealer(key(70_000, 7), stream, 300).seal(picture(true, 40)), opener = openerOf(key(70_000, 7), stream);
    for (let at = 0; at < whole.length; at++) {
      const changed = Uint8Array.from(whole);
      changed[at] ^= 1 << at % 8;
      assert.notEqual(await opened(opener, 0, changed), Buffer.from(picture(true, 40)).toString('latin1'));
      assert.ok(['malformed', 'no_key', 'forged'].includes(await opened(opener, 0, whole.subarray(0, at))), `${stream} ${at}`);
    }
    assert.equal(opener.counts.opened, 0);
    assert.equal(await opened(opener, 0, Uint8Array.from([...whole, 0])), 'forged');
    assert.equal(await opened(opener, 0, whole), Buffer.from(picture(true, 40)).toString('latin1'));
  }
});

/** The frames of a sender and of a receiver, whose news are collected. */
function callOf() {
  const news = [], ada = new CallFrames(one => news.push(one), new Clock()), ben = new CallFrames(one => news.push(one), new Clock());
  return { ada, ben, news };
}
const words = frame => frame && Buffer.from(frame).toString('latin1');

test('nothing is sent before the first key and after the last', async () => {
  const { ada } = callOf();
  assert.equal(await ada.seal('audio', VOICE), null);
  ada.use(key(1, 7));
  assert.ok(await ada.seal('audio', VOICE));
  assert.equal(await ada.seal('camera', picture(true, 3)), null, 'not a frame of VP8');
  ada.use(null);
  assert.equal(await ada.seal('audio', VOICE), null);
  assert.equal(ada.sealed.audio, 1);
});

test('a frame is opened with its sender’s key, also before the server has named the sender', async () => {
  const { ada, ben, news } = callOf(), voices = [];
  ada.use(key(1, 7));
  for (let n = 0; n < 5; n++) voices.push(await ada.seal('audio', VOICE));
  assert.equal(await ben.open('a1', 'audio', [3], voices[0]), null, 'no key');
  ben.accept('p2', key(1, 9));
  ben.accept('p1', key(1, 7));
  assert.equal(words(await ben.open('a1', 'audio', [3], voices[1])), 'voice');
  assert.deepEqual(news, [{ news: 'author', line: 'a1', sender: 'p1', stream: 'audio' }]);
  ben.setSlots([{ line: 'a1', sender: 'p1', stream: 'audio', csrc: 3 }, { line: 'a2', sender: 'p2', stream: 'audio', csrc: 4 }]);
  assert.equal(words(await ben.open('a1', 'audio', [3], voices[2])), 'voice');
  assert.equal(await ben.open('a2', 'audio', [4], voices[3]), null, 'the server says that it is somebody else’s');
  assert.equal(await ben.open('a1', 'picture', [3], voices[3]), null, 'a voice among the pictures');
  assert.equal(news.length, 1);
  ben.setSilent(['p1']);
  assert.equal(await ben.open('a1', 'audio', [3], voices[3]), null);
  ben.setSilent([]);
  ben.remove('p1');
  assert.equal(await ben.open('a1', 'audio', [3], voices[4]), null);
});

test('the author of a line is reported at each change', async () => {
  const { ada, ben, news } = callOf();
  ada.use(key(1, 7));
  ben.accept('p1', key(1, 7));
  const carry = (stream, csrc = 3) => ben.setSlots([{ line: 'v1', sender: 'p1', stream, csrc }]);
  for (const stream of ['camera', 'camera', 'screen']) {
    carry(stream);
    await ben.open('v1', 'picture', [3], await ada.seal(stream, picture(true, 40)));
  }
  ben.setSlots([]);
  carry('screen');
  await ben.open('v1', 'picture', [3], await ada.seal('screen', picture(false, 40)));
  assert.deepEqual(news.map(one => one.stream), ['camera', 'screen', 'screen']);
});
