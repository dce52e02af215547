// Draws I420 frames on a canvas: as a VideoFrame or with conversion tables, whichever is faster in this webview, or with
// WebGL if VideoFrame does not support I420.

import { BT709, FULL_RANGE, chromaBytes } from './packet.js';
import { toRgba } from './rgba.js';

/** @typedef {import('./packet.js').Frame} Frame */
/** @typedef {{ method: string, draw: (frame: Frame) => void, end: () => void }} Painter */

/** Returns a painter for a canvas. @param {HTMLCanvasElement} canvas @returns {Painter} */
export function painter(canvas) {
  return fastestPainter(canvas) ?? webGlPainter(canvas) ?? tablePainter(canvas);
}

/** @param {HTMLCanvasElement} canvas @param {Frame} frame */
function fit(canvas, { width, height }) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

/** Frames measured with each method, over all canvases, before one is chosen. A webview's clock may have a resolution of 1 ms. */
const SAMPLES = 40;
/**
 * WebKitGTK converts each VideoFrame in a GStreamer pipeline, which keeps threads and buffers of its own. It is not
 * measured there: it takes 0.8 ms at 424x240 and 1.0 ms at 640x360, and the tables take 0.25 ms and 0.5 ms.
 */
const IS_WEBKITGTK = /Linux.*AppleWebKit/.test(navigator.userAgent) && !/Chrom/.test(navigator.userAgent);
/** The faster method, which all canvases use; null while measuring. @type {'VideoFrame' | 'RGBA' | null} */
let fastest = IS_WEBKITGTK ? 'RGBA' : null;
const timings = { VideoFrame: { times: 0, ms: 0 }, RGBA: { times: 0, ms: 0 } };

/**
 * Measures both methods and then uses the faster one. With a GPU a VideoFrame costs almost nothing; without one it costs
 * more than the tables. Both draw the same picture on the same kind of canvas.
 * @param {HTMLCanvasElement} canvas @returns {Painter | null}
 */
export function fastestPainter(canvas) {
  if (fastest === 'RGBA') return tablePainter(canvas);
  const asVideoFrame = videoFramePainter(canvas), withTables = asVideoFrame && tablePainter(canvas);
  if (!asVideoFrame || !withTables) return null;
  let count = 0;
  return {
    get method() { return fastest ?? 'measuring'; },
    draw(frame) {
      const method = fastest ?? (count++ % 2 ? 'RGBA' : 'VideoFrame'), start = fastest ? 0 : performance.now();
      (method === 'RGBA' ? withTables : asVideoFrame).draw(frame);
      if (!fastest) recordTiming(method, performance.now() - start);
    },
    end() {},
  };
}

/** @param {'VideoFrame' | 'RGBA'} method @param {number} ms */
function recordTiming(method, ms) {
  timings[method].times++;
  timings[method].ms += ms;
  if (timings.VideoFrame.times < SAMPLES || timings.RGBA.times < SAMPLES) return;
  fastest = timings.RGBA.ms / timings.RGBA.times < timings.VideoFrame.ms / timings.VideoFrame.times ? 'RGBA' : 'VideoFrame';
}

let videoFrames = typeof VideoFrame === 'function';

/** Draws with VideoFrame. @param {HTMLCanvasElement} canvas @returns {Painter | null} null if the engine does not support I420 */
export function videoFramePainter(canvas) {
  if (!videoFrames) return null;
  try {
    // Some engines have the constructor but do not support I420. A canvas with a 2D context could not use WebGL later.
    new VideoFrame(new Uint8Array(6), { format: 'I420', codedWidth: 2, codedHeight: 2, timestamp: 0 }).close();
  } catch {
    videoFrames = false;
    return null;
  }
  const context = canvas.getContext('2d', { alpha: false, desynchronized: true });
  if (!context) return null;
  return {
    method: 'VideoFrame',
    draw(frame) {
      fit(canvas, frame);
      const picture = new VideoFrame(frame.planes, {
        format: 'I420', codedWidth: frame.width, codedHeight: frame.height, timestamp: frame.time, colorSpace: colours(frame.flags),
      });
      context.drawImage(picture, 0, 0);
      picture.close();
    },
    end() {},
  };
}

/** @param {number} flags @returns {VideoColorSpaceInit} */
function colours(flags) {
  return { matrix: flags & BT709 ? 'bt709' : 'smpte170m', primaries: 'bt709', transfer: 'bt709', fullRange: (flags & FULL_RANGE) !== 0 };
}

const VERTEX = `attribute vec2 at; varying vec2 where;
void main() { where = vec2(at.x, 1.0 - at.y); gl_Position = vec4(at * 2.0 - 1.0, 0.0, 1.0); }`;
const FRAGMENT = `precision mediump float; varying vec2 where; uniform sampler2D y, u, v; uniform vec2 range; uniform vec4 mix;
void main() {
  float luma = (texture2D(y, where).r - range.x) * range.y;
  vec2 colour = (vec2(texture2D(u, where).r, texture2D(v, where).r) - 0.5) * (range.x > 0.0 ? 1.138393 : 1.0);
  gl_FragColor = vec4(luma + mix.x * colour.y, luma - mix.y * colour.x - mix.z * colour.y, luma + mix.w * colour.x, 1.0);
}`;

/** Draws with WebGL. @param {HTMLCanvasElement} canvas @returns {Painter | null} null without WebGL */
export function webGlPainter(canvas) {
  const gl = canvas.getContext('webgl', { alpha: false, antialias: false, depth: false });
  if (!gl) return null;
  const program = gl.createProgram();
  for (const [kind, source] of /** @type {[number, string][]} */ ([[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]])) {
    const shader = gl.createShader(kind);
    if (!shader || !program) return null;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  if (!program) return null;
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) return null;
  gl.useProgram(program);
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([0, 0, 1, 0, 0, 1, 1, 1]), gl.STATIC_DRAW);
  const at = gl.getAttribLocation(program, 'at');
  gl.enableVertexAttribArray(at);
  gl.vertexAttribPointer(at, 2, gl.FLOAT, false, 0, 0);
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  ['y', 'u', 'v'].forEach((name, n) => {
    gl.activeTexture(gl.TEXTURE0 + n);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
    for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, filter, gl.LINEAR);
    gl.uniform1i(gl.getUniformLocation(program, name), n);
  });
  const range = gl.getUniformLocation(program, 'range'), mix = gl.getUniformLocation(program, 'mix');
  return {
    method: 'WebGL',
    draw(frame) {
      fit(canvas, frame);
      const { width, height, planes, flags } = frame;
      const [half, low] = [(width + 1) >> 1, (height + 1) >> 1];
      gl.viewport(0, 0, width, height);
      gl.uniform2fv(range, flags & FULL_RANGE ? [0, 1] : [16 / 255, 255 / 219]);
      gl.uniform4fv(mix, flags & BT709 ? [1.5748, 0.1873, 0.4681, 1.8556] : [1.402, 0.3441, 0.7141, 1.772]);
      const area = width * height, quarter = chromaBytes(width, height);
      plane(0, width, height, planes.subarray(0, area));
      plane(1, half, low, planes.subarray(area, area + quarter));
      plane(2, half, low, planes.subarray(area + quarter));
      gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    },
    end() {
      gl.getExtension('WEBGL_lose_context')?.loseContext();
    },
  };

  /** @param {number} n @param {number} width @param {number} height @param {Uint8Array} bytes */
  function plane(n, width, height, bytes) {
    if (!gl) return;
    gl.activeTexture(gl.TEXTURE0 + n);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.LUMINANCE, width, height, 0, gl.LUMINANCE, gl.UNSIGNED_BYTE, bytes);
  }
}

/** Draws with the conversion tables. @param {HTMLCanvasElement} canvas @returns {Painter} */
export function tablePainter(canvas) {
  const context = canvas.getContext('2d', { alpha: false });
  /** @type {ImageData | null} */
  let image = null;
  let pixels = new Uint32Array();
  return {
    method: 'RGBA',
    draw(frame) {
      if (!context) return;
      fit(canvas, frame);
      if (image?.width !== frame.width || image.height !== frame.height) {
        image = new ImageData(frame.width, frame.height);
        pixels = new Uint32Array(image.data.buffer);
      }
      toRgba(frame, pixels);
      context.putImageData(image, 0, 0);
    },
    end() {},
  };
}
