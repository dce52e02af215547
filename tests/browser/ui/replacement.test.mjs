// Replacing connections in the pages' call code: node --test replacement.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageModule } from './fakes.mjs';

const { ReplacementLimits, isAnotherConnection } = await pageModule('shared/replacement.js');

const sdp = ({ session = '42', fingerprint = 'AA:BB', ufrag = 'abcd', first = '' } = {}) =>
  ['v=0', `o=- ${session} 2 IN IP4 127.0.0.1`, 's=-', ...first ? [first] : [], `a=fingerprint:sha-256 ${fingerprint}`, 'm=audio 9 UDP/TLS/RTP/SAVPF 111', `a=ice-ufrag:${ufrag}`, ''].join('\r\n');

test('another fingerprint is another connection', () => {
  assert.equal(isAnotherConnection(sdp(), sdp({ fingerprint: 'AA:BC' })), true);
  assert.equal(isAnotherConnection(sdp(), sdp()), false);
});

test('one common fingerprint identifies a connection', () => {
  const first = 'a=fingerprint:sha-1 11:22';
  assert.equal(isAnotherConnection(sdp({ first }), sdp()), false);
  assert.equal(isAnotherConnection(sdp({ first }), sdp({ first, fingerprint: 'CC:DD' })), false);
  assert.equal(isAnotherConnection(sdp({ first }), sdp({ fingerprint: 'CC:DD' })), true);
});

test('neither an ICE restart nor a new session number alone is another connection', () => {
  assert.equal(isAnotherConnection(sdp(), sdp({ ufrag: 'efgh' })), false);
  assert.equal(isAnotherConnection(sdp(), sdp({ session: '43' })), false);
  assert.equal(isAnotherConnection(sdp(), sdp({ session: '43', ufrag: 'efgh' })), true);
});

test('four replacements are accepted at once, and then one in ten seconds', () => {
  const limits = new ReplacementLimits();
  const accepted = at => Array.from({ length: 10 }, () => limits.accept(at)).filter(Boolean).length;
  assert.equal(accepted(1_000_000), 4);
  assert.equal(accepted(1_009_999), 0);
  assert.equal(accepted(1_010_000), 1);
  assert.equal(accepted(1_030_000), 2);
  assert.equal(accepted(9_000_000), 4);
});

test('the backoff grows to a minute, and a stable connection resets it', () => {
  const limits = new ReplacementLimits();
  assert.deepEqual(Array.from({ length: 8 }, () => limits.nextBackoff()), [1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]);
  limits.connected(0);
  limits.interrupted(29_999);
  assert.equal(limits.nextBackoff(), 60_000, 'a connection that breaks early does not reset it');
  limits.connected(100_000);
  limits.interrupted(130_000);
  assert.equal(limits.nextBackoff(), 1000);
});
