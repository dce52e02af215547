// A frame packet from Rust: a header of 24 bytes, little-endian, then the tightly packed I420 planes.
//   u32 magic "LRF1" · u16 stream · u16 flags · u16 width · u16 height · u32 sequence · u64 capture time in µs

/** "LRF1" in the order of the bytes. */
const MAGIC = 0x3146524c;
/** Size of the header in bytes. */
export const HEADER = 24;
/** Flag: full range (0 to 255) instead of limited range (16 to 235). */
export const FULL_RANGE = 1;
/** Flag: BT.709 instead of BT.601. */
export const BT709 = 2;
/** Larger pictures are rejected. */
const MAX_SIDE = 8192;

/** @typedef {{ stream: number, flags: number, width: number, height: number, sequence: number, time: number, planes: Uint8Array }} Frame  time: capture time in µs */

/**
 * Parses a packet.
 * @param {ArrayBuffer} bytes
 * @returns {Frame | null} null if the packet is malformed
 */
export function parse(bytes) {
  if (bytes.byteLength < HEADER) return null;
  const view = new DataView(bytes);
  if (view.getUint32(0, true) !== MAGIC) return null;
  const width = view.getUint16(8, true), height = view.getUint16(10, true);
  if (!width || !height || width > MAX_SIDE || height > MAX_SIDE) return null;
  const planes = new Uint8Array(bytes, HEADER);
  if (planes.byteLength !== pictureBytes(width, height)) return null;
  return { stream: view.getUint16(4, true), flags: view.getUint16(6, true), width, height,
    sequence: view.getUint32(12, true), time: Number(view.getBigUint64(16, true)), planes };
}

/** Returns the size of an I420 picture in bytes. The chroma planes of odd sizes are rounded up. @param {number} width @param {number} height */
export function pictureBytes(width, height) {
  return width * height + 2 * chromaBytes(width, height);
}

/** Returns the size of one chroma plane in bytes. @param {number} width @param {number} height */
export const chromaBytes = (width, height) => ((width + 1) >> 1) * ((height + 1) >> 1);
