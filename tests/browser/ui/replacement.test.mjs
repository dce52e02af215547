// Replacing connections in the pages' call code: node --test replacement.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageModule } from './fakes.mjs';

const { ReplacementLimits, isAnotherConnection } = await pageModule('shared/replacement.js');

const sdp = ({ session = '42', print = 'AA:BB', ufrag = 'abcd', first = '' } = {}) =>
  ['v=0', `o=- ${session} 2 IN IP4 127.0.0.1`, 's=-', ...first ? [first] : [], `a=fingerprint:sha-256 ${print}`, 'm=audio 9 UDP/TLS/RTP/SAVPF 111', `a=ice-ufrag:${ufrag}`, ''].join('\r\n');

test('another fingerprint is another connection', () => {
  assert.equal(isAnotherConnection(sdp(), sdp({ print: 'AA:BC' })), true);
  assert.equal(isAnotherConnection(sdp(), sdp()), false);
});

test('one fingerprint of several is enough to know it by', () => {
  const first = 'a=fingerprint:sha-1 11:22';
  assert.equal(isAnotherConnection(sdp({ first }), sdp()), false);
  assert.equal(isAnotherConnection(sdp({ first }), sdp({ first, print: 'CC:DD' })), false);
  assert.equal(isAnotherConnection(sdp({ first }), sdp({ print: 'CC:DD' })), true);
});

test('an ICE restart is no other connection, and neither is another number of the session alone', () => {
  assert.equal(isAnotherConnection(sdp(), sdp({ ufrag: 'efgh' })), false);
  assert.equal(isAnotherConnection(sdp(), sdp({ session: '43' })), false);
  assert.equal(isAnotherConnection(sdp(), sdp({ session: '43', ufrag: 'efgh' })), true);
});

test('the other side gets four at once, and then one in ten seconds', () => {
  const limits = new ReplacementLimits();
  const granted = at => Array.from({ length: 10 }, () => limits.accept(at)).filter(Boolean).length;
  assert.equal(granted(1_000_000), 4);
  assert.equal(granted(1_009_999), 0);
  assert.equal(granted(1_010_000), 1);
  assert.equal(granted(1_030_000), 2);
  assert.equal(granted(9_000_000), 4);
});

test('the pause grows to a minute, and is short again once a connection has stood', () => {
  const limits = new ReplacementLimits();
  assert.deepEqual(Array.from({ length: 8 }, () => limits.nextBackoff()), [1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]);
  limits.connected(0);
  limits.interrupted(29_999);
  assert.equal(limits.nextBackoff(), 60_000, 'one that breaks as soon as it stands');
  limits.connected(100_000);
  limits.interrupted(130_000);
  assert.equal(limits.nextBackoff(), 1000);
});
