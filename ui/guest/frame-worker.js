// The worker that encrypts and decrypts the frames of a call (W3C WebRTC Encoded Transform). The page posts keys and what the
// lines carry (forwarding.js).

import { CallFrames } from '../shared/call-frames.js';

/** @typedef {import('../shared/sframe.js').Stream} Stream */
/** @typedef {import('../shared/sframe.js').Kind} Kind */
/** @typedef {{ stream: Stream } | { line: string, kind: Kind } | { isTrial: true }} Options  of a transform that sends, receives or is tried */
/** @typedef {{ data: ArrayBuffer, type?: string, getMetadata: () => { contributingSources?: number[] } }} EncodedFrame */
/** @typedef {{ readable: ReadableStream<EncodedFrame>, writable: WritableStream<EncodedFrame>, options: Options, sendKeyFrameRequest?: () => Promise<void> }} Transformer */

const frames = new CallFrames(news => postMessage(news));

addEventListener('message', ({ data }) => {
  switch (data.do) {
    case 'use': return frames.use(data.key);
    case 'accept': return frames.accept(data.sender, data.key);
    case 'remove': return frames.remove(data.sender);
    case 'slots': return frames.setSlots(data.slots);
    case 'silent': return frames.setSilent(data.senders);
  }
});

addEventListener('rtctransform', event => {
  const { transformer } = /** @type {{ transformer: Transformer }} */ (/** @type {unknown} */ (event)), { options } = transformer;
  if ('isTrial' in options) return postMessage({ news: 'able' });
  const transform = 'stream' in options ? sealing(options.stream) : opening(options.line, options.kind, transformer);
  // The streams end with their connection.
  transformer.readable.pipeThrough(new TransformStream({ transform })).pipeTo(transformer.writable).catch(() => {});
});

// Transforms that were made before a listener existed would have been lost.
postMessage({ news: 'ready' });

/** @typedef {TransformStreamDefaultController<EncodedFrame>} Controller */

/** @param {Stream} stream */
const sealing = stream => async (/** @type {EncodedFrame} */ frame, /** @type {Controller} */ controller) => {
  const sealed = await frames.seal(stream, new Uint8Array(frame.data));
  if (!sealed) return;
  frame.data = /** @type {ArrayBuffer} */ (sealed.buffer);
  controller.enqueue(frame);
};

/** @param {string} line @param {Kind} kind @param {Transformer} transformer */
function opening(line, kind, transformer) {
  let isIncomplete = false;
  return async (/** @type {EncodedFrame} */ frame, /** @type {Controller} */ controller) => {
    const sealed = new Uint8Array(frame.data), csrcs = frame.getMetadata().contributingSources ?? [];
    const opened = await frames.open(line, kind, csrcs, sealed);
    if (!opened) {
      isIncomplete = true;
      return;
    }
    // The decoder would wait for seconds for a keyframe after those that were dropped, for example for want of a key.
    if (isIncomplete && kind === 'picture' && frame.type !== 'key') transformer.sendKeyFrameRequest?.().catch(() => {});
    isIncomplete = false;
    frame.data = /** @type {ArrayBuffer} */ (opened.buffer);
    controller.enqueue(frame);
  };
}
