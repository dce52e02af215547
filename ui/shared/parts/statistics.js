// The statistics of the call.

import { h, keyed, text } from '../dom.js';
import { t } from '../strings.js';
import { state } from '../backend.js';

/** @typedef {import('../model.d.ts').Stats} Stats */
/** @typedef {import('../model.d.ts').PersonStats} PersonStats */
/** @typedef {{ key: string, title: string, rows: [string, string][] }} Block */

export class Statistics extends HTMLElement {
  /** Shows statistics, with rates since the previous ones. @param {Stats | null} now @param {Stats | null} before */
  show(now, before) {
    // Focusable, so that the keyboard can scroll it.
    this.tabIndex = 0;
    if (!now) return text(this, t.oneMoment);
    if (this.firstChild instanceof Text) this.replaceChildren();
    const seconds = before ? (now.at_ms - before.at_ms) / 1000 : 0;
    keyed(this, [own(now, before, seconds), ...now.people.map(person => block(person, before?.people.find(one => one.id === person.id), seconds))], one => one.key,
      one => h('section', {}, h('h3', { dir: 'auto', text: one.title }), h('dl', { class: 'statistics' })),
      (section, one) => keyed(/** @type {Element} */ (section.lastElementChild), one.rows, row => row[0],
        row => h('div', {}, h('dt', { text: row[0] }), h('dd')), (line, row) => text(/** @type {Node} */ (line.lastChild), row[1])));
  }
}
customElements.define('lr-statistics', Statistics);

/** @param {Stats} now @param {Stats | null} before @param {number} seconds @returns {Block} */
function own(now, before, seconds) {
  const { video_out: out } = now;
  return { key: 'own', title: t.youShort, rows: [
    [t.pictureSize, out.width ? `${out.width} × ${out.height}` : '–'],
    [t.encodedRate, rate(out.encoded, before?.video_out.encoded, seconds)],
    [t.encodeTime, `${out.encode_ms.toFixed(1)} ms`],
    [t.targetBitrate, bits(out.target)],
  ] };
}

/** @param {PersonStats} person @param {PersonStats | undefined} old @param {number} seconds @returns {Block} */
function block(person, old, seconds) {
  const { path, video_in: video, audio_in: audio } = person;
  const name = state().call.participants.find(one => one.id === person.id)?.name ?? person.id;
  /** @type {[string, string][]} */
  const rows = [];
  if (path) rows.push([t.path, `${path.pair ?? '–'}${path.relayed ? ` (${t.relayed}${path.relay ? `, ${path.relay.toUpperCase()}` : ''})` : ''}`], [t.roundTrip, path.rtt_ms === null ? '–' : `${path.rtt_ms.toFixed(0)} ms`],
    [t.codecs, `${path.video_codec ?? '–'} / ${path.received_codec ?? '–'}`],
    [t.sending, bits(perSecond(path.bytes_sent, old?.path?.bytes_sent, seconds) * 8)], [t.receiving, bits(perSecond(path.bytes_received, old?.path?.bytes_received, seconds) * 8)],
    [t.estimate, bits(path.estimate)], [t.loss, `${(path.loss * 100).toFixed(1)}%`], [t.retransmissions, `${path.recovered} / ${path.nacked}`]);
  rows.push([t.pictureSize, video.width ? `${video.width} × ${video.height}` : '–'], [t.decodedRate, rate(video.decoded, old?.video_in.decoded, seconds)],
    [t.videoJitterBuffer, `${video.jitter_ms.toFixed(0)} ms`], [t.decodeTime, `${video.decode_ms.toFixed(1)} ms`], [t.freezes, String(video.freezes)]);
  if (video.latency_ms !== null) rows.push([t.latency, `${video.latency_ms.toFixed(0)} ms (±${(video.latency_uncertainty_ms ?? 0).toFixed(0)} ms)`]);
  if (audio) rows.push([t.audioJitterBuffer, `${audio.jitter_ms.toFixed(0)} ms`], [t.concealedAudio, `${audio.samples ? (audio.concealed / audio.samples * 100).toFixed(1) : '0'}%`]);
  return { key: person.id, title: name, rows };
}

/** @param {number} now @param {number | undefined} before @param {number} seconds */
const perSecond = (now, before, seconds) => before === undefined || seconds <= 0 ? 0 : Math.max(0, now - before) / seconds;

/** @param {number} now @param {number | undefined} before @param {number} seconds */
const rate = (now, before, seconds) => seconds > 0 ? `${perSecond(now, before, seconds).toFixed(0)} fps` : '–';

/** @param {number} value */
const bits = value => value >= 1e6 ? `${(value / 1e6).toFixed(1)} Mbps` : `${(value / 1e3).toFixed(0)} kbps`;
