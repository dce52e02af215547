// What a call may use of a connection that is paid for by volume, in this client: small pictures, and whole sound. The Rust
// client's `engine::data_saver` has the same limits. This module does not use the DOM.

/** @typedef {import('./displayed-sizes.js').Size} Size */

/** The largest camera that is sent. @type {Size} */
const SENT = { max_width: 320, max_height: 180 };
/** What others are asked for. They send the next larger size that they encode, which is 320x180 of 1280x720 and 640x360. @type {Size} */
const ASKED = { max_width: 240, max_height: 135 };
/** The highest bitrate of the own camera, bit/s, and its frame rate. */
const CAMERA_BITRATE = 120_000, CAMERA_FPS = 15;

/** The size to ask for, of a camera that is displayed at `size`. @param {Size} size @param {boolean} saves */
export const asked = (size, saves) => saves ? within(size, ASKED) : size;

/** The size to send, of a camera that is displayed at `size`. @param {Size} size @param {boolean} saves */
export const sent = (size, saves) => saves ? within(size, SENT) : size;

/** @param {Size} size @param {Size} most @returns {Size} */
const within = (size, most) => ({ max_width: Math.min(size.max_width, most.max_width), max_height: Math.min(size.max_height, most.max_height) });

/** Limits the own camera's encoding, or removes the limits. @param {RTCRtpEncodingParameters} encoding @param {boolean} saves */
export function limitEncoding(encoding, saves) {
  if (saves) Object.assign(encoding, { maxBitrate: CAMERA_BITRATE, maxFramerate: CAMERA_FPS });
  else {
    delete encoding.maxBitrate;
    delete encoding.maxFramerate;
  }
}
