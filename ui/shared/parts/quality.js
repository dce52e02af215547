// How good the way to somebody is, from two answers of `stats`: bars, the reason in plain words, and the true delay.

import { t } from '../strings.js';

/** @typedef {import('../model.d.ts').Participant} Participant */
/** @typedef {import('../model.d.ts').PersonStats} PersonStats */
/** @typedef {import('../model.d.ts').Stats} Stats */
/** @typedef {{ bars: number, words: string, delay: number | null }} Quality  bars 0 to 4 */

/** Below this an upload shows in the picture, bit/s. */
const SLOW = 500_000, VERY_SLOW = 200_000;
/** Share of lost packets that is seen, and that hurts. */
const LOSSY = 0.03, VERY_LOSSY = 0.1;
/** Round trips that are felt, ms. */
const FAR = 250, VERY_FAR = 500;
/** Share of invented sound that is heard. */
const GAPPY = 0.08;
const QUEUE = 250;
/** Bars at most of somebody whom the server has lost: they may be gone. */
const UNCERTAIN = 2;

/**
 * @param {Participant} participant @param {Stats | null} now @param {Stats | null} before
 * @returns {Quality}
 */
export function quality(participant, now, before) {
  if (participant.link === 'connecting') return { bars: 0, words: t.connectingTheirs, delay: null };
  if (participant.link === 'mending') return { bars: 0, words: t.mending(participant.name), delay: null };
  const figures = now?.people.find(one => one.id === participant.id), old = before?.people.find(one => one.id === participant.id);
  const delay = delayOf(figures);
  const [bars, words] = judge(figures, old, now);
  if (participant.connected) return { bars, words, delay };
  return { bars: Math.min(bars, UNCERTAIN), words: t.serverLostThem(participant.name), delay };
}

/** @param {PersonStats | undefined} figures @param {PersonStats | undefined} old @param {Stats | null} now @returns {[number, string]} */
function judge(figures, old, now) {
  const path = figures?.path;
  if (!path || !now) return [4, t.good];
  /** @type {[number, string][]} */
  const reasons = [];
  if (path.loss > LOSSY) reasons.push([path.loss > VERY_LOSSY ? 1 : 2, t.yourLoss(Math.round(path.loss * 100))]);
  if (path.estimate > 0 && path.estimate < SLOW && now.video_out.encoded > 0) reasons.push([path.estimate < VERY_SLOW ? 1 : 2, t.slowUpload((path.estimate / 1e6).toFixed(1))]);
  if (path.queue_ms > QUEUE) reasons.push([2, t.queued]);
  if (path.rtt_ms !== null && path.rtt_ms > FAR) reasons.push([path.rtt_ms > VERY_FAR ? 2 : 3, t.longWay(Math.round(path.rtt_ms))]);
  const invented = share(figures, old);
  if (invented > GAPPY) reasons.push([2, t.theirGaps]);
  reasons.sort((a, b) => a[0] - b[0]);
  return reasons[0] ?? [4, t.good];
}

/** Share of the sound of late that was invented. @param {PersonStats} figures @param {PersonStats | undefined} old */
function share({ audio_in }, old) {
  if (!audio_in || !old?.audio_in) return 0;
  const samples = audio_in.samples - old.audio_in.samples;
  return samples > 0 ? (audio_in.concealed - old.audio_in.concealed) / samples : 0;
}

/** From their lens to this window, as far as it can be known here, ms. @param {PersonStats | undefined} figures */
function delayOf(figures) {
  if (!figures?.path || figures.path.rtt_ms === null) return null;
  return Math.round(figures.path.rtt_ms / 2 + figures.video_in.jitter_ms + figures.video_in.decode_ms);
}
