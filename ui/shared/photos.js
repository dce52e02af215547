// The photos of people, by their ids. Each is fetched once, a few at the same time.

import { backend } from './backend.js';
import { fromBase64Url } from './base64url.js';

/** Photos that are kept. When there are more, the one that was fetched first is dropped. */
const MAX_PHOTOS = 500;
/** Photos that are fetched at the same time. */
const AT_ONCE = 4;
/** Pause after the server has refused more for now. */
const RATE_MS = 2000;
/** For how long a photo is not asked for after it was not there. */
const PAUSE_MS = 60_000;

/** The addresses by id. @type {Map<string, Promise<string>>} */
const known = new Map();
/** Who waits for their turn. Bounded by the photos that are kept. @type {(() => void)[]} */
const queue = [];
let fetching = 0;
/** The own photo and its address. @type {{ jpeg: string, url: string } | null} */
let own = null;

/** The address of a photo. Rejects if it is not there. @param {string} id @returns {Promise<string>} */
export function photo(id) {
  const found = known.get(id);
  if (found) return found;
  const url = fetchPhoto(id);
  known.set(id, url);
  url.catch(() => setTimeout(() => known.delete(id), PAUSE_MS));
  if (known.size > MAX_PHOTOS) {
    const [[oldest, address]] = known;
    known.delete(oldest);
    address.then(src => URL.revokeObjectURL(src), () => {});
  }
  return url;
}

/** The address of the own photo. @param {string} jpeg base64url @returns {Promise<string>} */
export async function ownPhoto(jpeg) {
  if (own?.jpeg !== jpeg) {
    if (own) URL.revokeObjectURL(own.url);
    own = { jpeg, url: address(jpeg) };
  }
  return own.url;
}

/** @param {string} id */
async function fetchPhoto(id) {
  if (fetching >= AT_ONCE) await /** @type {Promise<void>} */ (new Promise(resolve => queue.push(resolve)));
  fetching += 1;
  try {
    for (;;) {
      try {
        return address(await backend.call('photo', { id }));
      } catch (error) {
        if (/** @type {{ code?: string }} */ (error).code !== 'rate_limited') throw error;
        await new Promise(resolve => setTimeout(resolve, RATE_MS));
      }
    }
  } finally {
    fetching -= 1;
    queue.shift()?.();
  }
}

/** @param {string} jpeg base64url */
const address = jpeg => URL.createObjectURL(new Blob([fromBase64Url(jpeg)], { type: 'image/jpeg' }));
