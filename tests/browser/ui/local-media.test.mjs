// What a page asks the browser for when it opens a microphone: node --test local-media.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageModule } from './fakes.mjs';

const opened = [];
let live = 0;
Object.defineProperty(globalThis, 'navigator', { configurable: true, value: { mediaDevices: {
  addEventListener() {},
  enumerateDevices: async () => [],
  async getUserMedia({ audio }) {
    opened.push(audio);
    live += 1;
    const track = Object.assign(new EventTarget(), { readyState: 'live', stop() { live -= 1; this.readyState = 'ended'; } });
    return { getTracks: () => [track] };
  },
} } });
const { LocalMedia } = await pageModule('guest/local-media.js');

test('the chosen noise suppression reaches an open microphone, and music is sent as it is', async () => {
  const media = new LocalMedia();
  await media.setProcessing({ noise: 'off', music: false });
  assert.deepEqual(opened, [], 'a choice opens nothing');
  await media.open({ camera: false, microphone: true });
  await media.setProcessing({ noise: 'normal', music: false });
  await media.setProcessing({ noise: 'strong', music: false });
  await media.setProcessing({ noise: 'strong', music: true });
  assert.deepEqual(opened.map(one => [one.echoCancellation, one.noiseSuppression, one.autoGainControl]), [[true, false, true], [true, true, true], [true, false, false]]);
  assert.equal(live, 1, 'each microphone but the last is closed');
});
