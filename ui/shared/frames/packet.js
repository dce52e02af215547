// One picture as it comes from Rust: 24 bytes of header, little-endian, then the planes of I420, tightly packed.
//   u32 magic "LRF1" · u16 stream · u16 flags · u16 width · u16 height · u32 sequence · u64 capture time in µs

/** "LRF1" as bytes in this order. */
const MAGIC = 0x3146524c;
export const HEADER = 24;
/** Flag: full range (0 to 255) and not the usual 16 to 235. */
export const FULL_RANGE = 1;
/** Flag: BT.709 and not BT.601. */
export const BT709 = 2;
/** Largest side that is believed. */
const LARGEST = 8192;

/** @typedef {{ stream: number, flags: number, width: number, height: number, sequence: number, time: number, planes: Uint8Array }} Frame */

/**
 * Reads a packet; null for anything that is not one.
 * @param {ArrayBuffer} bytes
 * @returns {Frame | null}
 */
export function parse(bytes) {
  if (bytes.byteLength < HEADER) return null;
  const view = new DataView(bytes);
  if (view.getUint32(0, true) !== MAGIC) return null;
  const width = view.getUint16(8, true), height = view.getUint16(10, true);
  if (!width || !height || width > LARGEST || height > LARGEST) return null;
  const planes = new Uint8Array(bytes, HEADER);
  if (planes.byteLength !== sizeOf(width, height)) return null;
  return { stream: view.getUint16(4, true), flags: view.getUint16(6, true), width, height,
    sequence: view.getUint32(12, true), time: Number(view.getBigUint64(16, true)), planes };
}

/** Bytes of an I420 picture; the colour planes of odd sizes are rounded up. @param {number} width @param {number} height */
export function sizeOf(width, height) {
  return width * height + 2 * chroma(width, height);
}

/** @param {number} width @param {number} height */
export const chroma = (width, height) => ((width + 1) >> 1) * ((height + 1) >> 1);
