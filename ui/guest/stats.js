// Converts the browser's getStats into the app's statistics.

/** @typedef {import('../shared/model.d.ts').Stats} Stats */
/** @typedef {import('../shared/model.d.ts').PersonStats} PersonStats */
/** @typedef {import('../shared/call.js').Call} Call */
/** @typedef {import('./forwarding.js').Forwarding} Forwarding */
/** @typedef {{ id: string, report: RTCStatsReport, mids: (string | null | undefined)[] | null }} Source  `mids`: of the lines that carry somebody; null: the whole connection */

/** Collects the statistics of everybody in a call. @param {Call | null} call @param {Forwarding | null} forwarding @returns {Promise<Stats>} */
export async function collectStats(call, forwarding) {
  const ids = [...call?.people.keys() ?? []], forwarded = await forwarding?.pc?.getStats();
  const sources = await Promise.all(ids.map(id => sourceOf(id, call, forwarding, forwarded)));
  const present = sources.filter(one => one !== null);
  return { at_ms: Date.now(), video_out: videoOut([...new Set(present.map(one => one.report))]), people: present.map(personStats) };
}

/** @param {string} id @param {Call | null} call @param {Forwarding | null} forwarding @param {RTCStatsReport | undefined} forwarded @returns {Promise<Source | null>} */
async function sourceOf(id, call, forwarding, forwarded) {
  const peer = call?.peers.get(id);
  if (peer && !(call?.forwarded && forwarding?.lineOf(id, 'camera'))) return { id, report: await peer.pc.getStats(), mids: null };
  if (!forwarding || !forwarded) return null;
  return { id, report: forwarded, mids: /** @type {const} */ (['camera', 'audio']).map(stream => forwarding.lineOf(id, stream)?.transceiver.mid).filter(mid => mid) };
}

/** Finds the first entry of a type and media kind. @param {RTCStatsReport} report @param {string} type @param {string} [kind] @param {Source['mids']} [mids] of which lines; null: of any @returns {any} */
function findStats(report, type, kind, mids = null) {
  /** @type {any} */
  let found;
  report.forEach(stats => { if (!found && stats.type === type && (kind === undefined || stats.kind === kind) && (mids === null || mids.includes(stats.mid))) found = stats; });
  return found;
}

/** @param {RTCStatsReport[]} reports */
function videoOut(reports) {
  const all = reports.map(report => findStats(report, 'outbound-rtp', 'video')).filter(Boolean), first = all[0];
  const encoded = all.reduce((sum, stats) => sum + (stats.framesEncoded ?? 0), 0), seconds = all.reduce((sum, stats) => sum + (stats.totalEncodeTime ?? 0), 0);
  return { encoded, keyframes: all.reduce((sum, stats) => sum + (stats.keyFramesEncoded ?? 0), 0), encode_ms: encoded ? seconds / encoded * 1000 : 0,
    target: first?.targetBitrate ?? 0, width: first?.frameWidth ?? 0, height: first?.frameHeight ?? 0 };
}

/** @param {Source} source @returns {PersonStats} */
function personStats({ id, report, mids }) {
  const video = findStats(report, 'inbound-rtp', 'video', mids) ?? {}, audio = findStats(report, 'inbound-rtp', 'audio', mids), out = findStats(report, 'outbound-rtp', 'video');
  const transport = findStats(report, 'transport');
  /** @type {any} */
  let pair = transport?.selectedCandidatePairId ? report.get(transport.selectedCandidatePairId) : undefined;
  if (!pair) report.forEach(stats => { if (stats.type === 'candidate-pair' && stats.nominated && stats.state === 'succeeded') pair = stats; });
  const local = pair && report.get(pair.localCandidateId), remote = pair && report.get(pair.remoteCandidateId);
  const receiverReport = findStats(report, 'remote-inbound-rtp', 'video') ?? findStats(report, 'remote-inbound-rtp', 'audio');
  const codec = (/** @type {any} */ stats) => stats?.codecId ? report.get(stats.codecId)?.mimeType ?? null : null;
  const emitted = video.jitterBufferEmittedCount || 0;
  return {
    id,
    path: pair ? {
      pair: local && remote ? `${local.candidateType}/${remote.candidateType}` : null, relayed: [local?.candidateType, remote?.candidateType].includes('relay'), relay: local?.relayProtocol ?? null,
      rtt_ms: pair.currentRoundTripTime === undefined ? null : pair.currentRoundTripTime * 1000, bytes_sent: pair.bytesSent ?? 0, bytes_received: pair.bytesReceived ?? 0,
      video_codec: codec(out), received_codec: codec(video), estimate: pair.availableOutgoingBitrate ?? 0, loss: receiverReport?.fractionLost ?? 0, queue_ms: 0,
      nacked: video.nackCount ?? 0, recovered: video.retransmittedPacketsReceived ?? 0,
    } : null,
    video_in: { decoded: video.framesDecoded ?? 0, decode_ms: video.framesDecoded ? (video.totalDecodeTime ?? 0) / video.framesDecoded * 1000 : 0,
      jitter_ms: emitted ? (video.jitterBufferDelay ?? 0) / emitted * 1000 : 0, freezes: video.freezeCount ?? 0, width: video.frameWidth ?? 0, height: video.frameHeight ?? 0, latency_ms: null, latency_uncertainty_ms: null },
    audio_in: audio ? { samples: audio.totalSamplesReceived ?? 0, concealed: audio.concealedSamples ?? 0, jitter_ms: audio.jitterBufferEmittedCount ? audio.jitterBufferDelay / audio.jitterBufferEmittedCount * 1000 : 0 } : null,
  };
}
