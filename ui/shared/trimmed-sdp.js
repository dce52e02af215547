// Shortens an offer to the forwarder, which has many lines: browsers repeat in each what the forwarder does not use, and
// servers refuse long descriptions (PROTOCOL.md, "Limits"). No DOM.

/** Header extensions that the forwarder uses (RFC 8285). */
const EXTENSIONS = [
  'urn:ietf:params:rtp-hdrext:ssrc-audio-level', 'urn:ietf:params:rtp-hdrext:sdes:mid', 'urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id', 'urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id',
  'urn:3gpp:video-orientation', 'http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time', 'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
];

/** The offer without other header extensions, and without feedback for formats that a line does not have. @param {string} sdp */
export function trimmed(sdp) {
  /** @type {string[]} */
  let formats = [];
  return sdp.split('\r\n').filter(line => {
    if (line.startsWith('m=')) formats = line.split(' ').slice(3);
    const [, extension] = line.match(/^a=extmap:\S+ (\S+)/) ?? [], [, format] = line.match(/^a=rtcp-fb:(\d+) /) ?? [];
    return (extension === undefined || EXTENSIONS.includes(extension)) && (format === undefined || formats.includes(format));
  }).join('\r\n');
}
