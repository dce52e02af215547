// What a call may use of a connection that is paid for by volume, in this client: small pictures, and whole sound. The Rust
// client's `engine::data_saver` has the same limits. This module does not use the DOM.

/** @typedef {import('./displayed-sizes.js').Size} Size */

/** The largest camera that others are asked for. @type {Size} */
const SIZE = { max_width: 320, max_height: 180 };
/** The highest bitrate of the own camera, bit/s, and its frame rate. */
const CAMERA_BITRATE = 120_000, CAMERA_FPS = 15;

/** The size to ask for, or to send, of a camera that is displayed at `size`. @param {Size} size @param {boolean} saves */
export function limited(size, saves) {
  return saves ? { max_width: Math.min(size.max_width, SIZE.max_width), max_height: Math.min(size.max_height, SIZE.max_height) } : size;
}

/** Limits the own camera's encoding, or removes the limits. @param {RTCRtpEncodingParameters} encoding @param {boolean} saves */
export function limitEncoding(encoding, saves) {
  if (saves) Object.assign(encoding, { maxBitrate: CAMERA_BITRATE, maxFramerate: CAMERA_FPS });
  else {
    delete encoding.maxBitrate;
    delete encoding.maxFramerate;
  }
}
