// Converts the browser's getStats into the app's statistics.

/** @typedef {import('../shared/model.d.ts').Stats} Stats */
/** @typedef {import('../shared/model.d.ts').PersonStats} PersonStats */
/** @typedef {import('../shared/call.js').Peer} Peer */

/** Collects the statistics of all connections. @param {Iterable<Peer>} peers @returns {Promise<Stats>} */
export async function collectStats(peers) {
  const reports = await Promise.all([...peers].map(async peer => /** @type {const} */ ([peer.participant.id, await peer.pc.getStats()])));
  return { at_ms: Date.now(), video_out: videoOut(reports.map(([, report]) => report)), people: reports.map(([id, report]) => personStats(id, report)) };
}

/** Finds the first entry of a type and media kind. @param {RTCStatsReport} report @param {string} type @param {string} [kind] @returns {any} */
function findStats(report, type, kind) {
  /** @type {any} */
  let found;
  report.forEach(stats => { if (!found && stats.type === type && (kind === undefined || stats.kind === kind)) found = stats; });
  return found;
}

/** @param {RTCStatsReport[]} reports */
function videoOut(reports) {
  const all = reports.map(report => findStats(report, 'outbound-rtp', 'video')).filter(Boolean), first = all[0];
  const encoded = all.reduce((sum, stats) => sum + (stats.framesEncoded ?? 0), 0), seconds = all.reduce((sum, stats) => sum + (stats.totalEncodeTime ?? 0), 0);
  return { encoded, keyframes: all.reduce((sum, stats) => sum + (stats.keyFramesEncoded ?? 0), 0), encode_ms: encoded ? seconds / encoded * 1000 : 0,
    target: first?.targetBitrate ?? 0, width: first?.frameWidth ?? 0, height: first?.frameHeight ?? 0 };
}

/** @param {string} id @param {RTCStatsReport} report @returns {PersonStats} */
function personStats(id, report) {
  const video = findStats(report, 'inbound-rtp', 'video') ?? {}, audio = findStats(report, 'inbound-rtp', 'audio'), out = findStats(report, 'outbound-rtp', 'video');
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
      video_codec: codec(out), received_codec: codec(findStats(report, 'inbound-rtp', 'video')), estimate: pair.availableOutgoingBitrate ?? 0, loss: receiverReport?.fractionLost ?? 0, queue_ms: 0,
      nacked: video.nackCount ?? 0, recovered: video.retransmittedPacketsReceived ?? 0,
    } : null,
    video_in: { decoded: video.framesDecoded ?? 0, decode_ms: video.framesDecoded ? (video.totalDecodeTime ?? 0) / video.framesDecoded * 1000 : 0,
      jitter_ms: emitted ? (video.jitterBufferDelay ?? 0) / emitted * 1000 : 0, freezes: video.freezeCount ?? 0, width: video.frameWidth ?? 0, height: video.frameHeight ?? 0, latency_ms: null, latency_uncertainty_ms: null },
    audio_in: audio ? { samples: audio.totalSamplesReceived ?? 0, concealed: audio.concealedSamples ?? 0, jitter_ms: audio.jitterBufferEmittedCount ? audio.jitterBufferDelay / audio.jitterBufferEmittedCount * 1000 : 0 } : null,
  };
}
