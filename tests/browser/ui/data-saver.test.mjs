// What data saver does to calls in a browser: node --test data-saver.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageModule } from './fakes.mjs';

const { asked, limitEncoding, sent } = await pageModule('shared/data-saver.js');
const { isQuiet, quietUntil } = await pageModule('shared/quiet.js');

test('cameras are asked for and sent small, and a hidden one stays hidden', () => {
  for (const [width, height, toAsk, toSend] of [[1280, 720, [240, 135], [320, 180]], [200, 400, [200, 135], [200, 180]], [0, 0, [0, 0], [0, 0]], [Infinity, Infinity, [240, 135], [320, 180]]]) {
    const size = { max_width: width, max_height: height };
    assert.deepEqual([asked(size, true), sent(size, true)].map(one => Object.values(one)), [toAsk, toSend]);
    assert.deepEqual([asked(size, false), sent(size, false)], [size, size]);
  }
});

test('the own camera is limited, and is what it was when data saver is off again', () => {
  const encoding = { active: true, scaleResolutionDownBy: 2 };
  limitEncoding(encoding, true);
  assert.deepEqual(encoding, { active: true, scaleResolutionDownBy: 2, maxBitrate: 120_000, maxFramerate: 15 });
  limitEncoding(encoding, false);
  assert.deepEqual(encoding, { active: true, scaleResolutionDownBy: 2 });
});

test('do not disturb ends by itself', () => {
  const now = new Date(2026, 10, 30, 23, 30).getTime();
  for (const [choice, end] of [['hour', new Date(2026, 11, 1, 0, 30)], ['tomorrow', new Date(2026, 11, 1)]]) {
    const quiet_until_ms = quietUntil(choice, now);
    assert.equal(quiet_until_ms, end.getTime(), choice);
    assert.equal(isQuiet({ quiet_until_ms }, quiet_until_ms - 1), true);
    assert.equal(isQuiet({ quiet_until_ms }, quiet_until_ms), false);
  }
  assert.equal(quietUntil('off', now), null);
  assert.equal(isQuiet({ quiet_until_ms: null }, now), false);
});
