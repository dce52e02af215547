// What a browser keeps of a guest: the settings, and a device key whose secret half cannot leave it.

import { newDeviceKey, deviceKeyOf } from '../shared/protocol.js';

/** @typedef {import('../shared/model.d.ts').Settings} Settings */

const SETTINGS = 'lunchroom.settings', DATABASE = 'lunchroom', STORE = 'keys', KEY = 'device';

/** @returns {Settings} */
export function loadSettings() {
  /** @type {Settings} */
  const usual = { name: '', language: null, theme: 'system', servers: [], server: null, noise: 'normal', music: false, camera_on: true, microphone_on: true,
    devices: { camera: null, microphone: null, speaker: null }, text_percent: 100, notifications: false };
  try {
    const kept = JSON.parse(localStorage.getItem(SETTINGS) ?? '{}');
    return { ...usual, ...(kept && typeof kept === 'object' ? kept : {}) };
  } catch {
    return usual;
  }
}

/** A browser that keeps nothing (private windows) asks again next time. @param {Settings} settings */
export function saveSettings(settings) {
  try {
    localStorage.setItem(SETTINGS, JSON.stringify(settings));
  } catch { /* as said */ }
}

/** The same person next time, where the browser can keep keys. */
export async function deviceKey() {
  try {
    const database = await asked(Object.assign(indexedDB.open(DATABASE, 1), { onupgradeneeded(/** @type {Event} */ event) { /** @type {IDBOpenDBRequest} */ (event.target).result.createObjectStore(STORE); } }));
    const kept = await asked(database.transaction(STORE).objectStore(STORE).get(KEY));
    if (kept) return await deviceKeyOf(kept);
    const key = await newDeviceKey();
    await asked(database.transaction(STORE, 'readwrite').objectStore(STORE).put(key.pair, KEY));
    return key;
  } catch {
    return newDeviceKey();
  }
}

/**
 * @template T
 * @param {IDBRequest<T>} request @returns {Promise<T>}
 */
const asked = request => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});
