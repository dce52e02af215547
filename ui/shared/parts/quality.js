// The quality of a connection, from two results of `stats`: bars, the reason as text, and the delay.

import { problem, t } from '../strings.js';

/** @typedef {import('../model.d.ts').ParticipantView} ParticipantView */
/** @typedef {import('../model.d.ts').PersonStats} PersonStats */
/** @typedef {import('../model.d.ts').Stats} Stats */
/** @typedef {{ bars: number, words: string, delay: string | null }} Quality  bars 0 to 4 */

/** An estimated bitrate below this is visible in the picture, bit/s. */
const LOW_BITRATE = 500_000, VERY_LOW_BITRATE = 200_000;
/** Packet loss above this is visible, share of packets. */
const HIGH_LOSS = 0.03, VERY_HIGH_LOSS = 0.1;
/** A round trip above this is noticeable, ms. */
const LONG_RTT_MS = 250, VERY_LONG_RTT_MS = 500;
/** Concealed audio above this is audible, share of samples. */
const HIGH_CONCEALMENT = 0.08;
/** Queueing delay above this is noticeable, ms. */
const LONG_QUEUE_MS = 250;
/** Most bars for a participant without a connection to the server, who may have left. */
const MAX_BARS_DISCONNECTED = 2;

/**
 * Rates a connection.
 * @param {ParticipantView} participant @param {Stats | null} now @param {Stats | null} before
 * @returns {Quality}
 */
export function quality(participant, now, before) {
  if (participant.distrust) return { bars: 0, words: problem(participant.distrust, ''), delay: null };
  if (participant.lacks_key) return { bars: 0, words: problem('frame_key_missing', ''), delay: null };
  if (participant.link === 'connecting') return { bars: 0, words: t.connectingTheirs, delay: null };
  if (participant.link === 'interrupted') return { bars: 0, words: t.reconnectingTo(participant.name), delay: null };
  const stats = now?.people.find(one => one.id === participant.id), old = before?.people.find(one => one.id === participant.id);
  const delay = delayOf(stats);
  const [bars, words] = rate(stats, old, now);
  if (participant.connected) return { bars, words, delay };
  return { bars: Math.min(bars, MAX_BARS_DISCONNECTED), words: t.serverLostThem(participant.name), delay };
}

/** @param {PersonStats | undefined} stats @param {PersonStats | undefined} old @param {Stats | null} now @returns {[number, string]} */
function rate(stats, old, now) {
  const path = stats?.path;
  if (!path || !now) return [4, t.good];
  /** @type {[number, string][]} */
  const reasons = [];
  if (path.loss > HIGH_LOSS) reasons.push([path.loss > VERY_HIGH_LOSS ? 1 : 2, t.yourLoss(Math.round(path.loss * 100))]);
  if (path.estimate > 0 && path.estimate < LOW_BITRATE && now.video_out.encoded > 0) reasons.push([path.estimate < VERY_LOW_BITRATE ? 1 : 2, t.slowUpload((path.estimate / 1e6).toFixed(1))]);
  if (path.queue_ms > LONG_QUEUE_MS) reasons.push([2, t.queued]);
  if (path.rtt_ms !== null && path.rtt_ms > LONG_RTT_MS) reasons.push([path.rtt_ms > VERY_LONG_RTT_MS ? 2 : 3, t.longRoundTrip(Math.round(path.rtt_ms))]);
  const concealed = concealment(stats, old);
  if (concealed > HIGH_CONCEALMENT) reasons.push([2, t.theirGaps]);
  reasons.sort((a, b) => a[0] - b[0]);
  return reasons[0] ?? [4, t.good];
}

/** Returns the share of concealed samples since the previous statistics. @param {PersonStats} stats @param {PersonStats | undefined} old */
function concealment({ audio_in }, old) {
  if (!audio_in || !old?.audio_in) return 0;
  const samples = audio_in.samples - old.audio_in.samples;
  return samples > 0 ? (audio_in.concealed - old.audio_in.concealed) / samples : 0;
}

/** The delay of their picture in words: from capture to display if their clock is known, or else what is known of it: half the round trip, the jitter buffer and decoding. @param {PersonStats | undefined} stats */
function delayOf(stats) {
  if (!stats) return null;
  const { latency_ms, latency_uncertainty_ms, jitter_ms, decode_ms } = stats.video_in;
  if (latency_ms !== null) return t.delayWithin(Math.round(latency_ms), Math.ceil(latency_uncertainty_ms ?? 0));
  if (!stats.path || stats.path.rtt_ms === null) return null;
  return t.delay(Math.round(stats.path.rtt_ms / 2 + jitter_ms + decode_ms));
}
