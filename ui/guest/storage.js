// The guest's settings and device key in the browser's storage. The private key cannot be exported.

import { newDeviceKey, deviceKeyOf } from '../shared/protocol.js';

/** @typedef {import('../shared/model.d.ts').Settings} Settings */

const SETTINGS = 'lunchroom.settings', DATABASE = 'lunchroom', STORE = 'keys', KEY = 'device';

/** Loads the settings. Missing fields have their defaults. @returns {Settings} */
export function loadSettings() {
  /** @type {Settings} */
  const defaults = { name: '', avatar: { color: null, glyph: null, photo: null }, language: null, theme: 'system', servers: [], server: null, noise: 'normal', music: false, listen_while_muted: false, volumes: {}, relay_only: false, camera_on: true, microphone_on: true,
    devices: { camera: null, microphone: null, speaker: null }, mirror_own: true, show_own: true, text_percent: 100, notifications: false, quiet_until_ms: null, data_saver: false, close_to_tray: false, autostart: false, mute_keys: null, talk_keys: null, known: [] };
  try {
    const stored = JSON.parse(localStorage.getItem(SETTINGS) ?? '{}');
    return { ...defaults, ...(stored && typeof stored === 'object' ? stored : {}) };
  } catch {
    return defaults;
  }
}

/** Saves the settings. Browsers without storage (private windows) lose them with the page. @param {Settings} settings */
export function saveSettings(settings) {
  try {
    localStorage.setItem(SETTINGS, JSON.stringify(settings));
  } catch { /* no storage */ }
}

/** Returns the stored device key, or generates and stores one. Without storage each visit has a new key. */
export async function deviceKey() {
  const stored = await readKept(KEY);
  if (stored) return deviceKeyOf(/** @type {CryptoKeyPair} */ (stored));
  const key = await newDeviceKey();
  await writeKept(KEY, key.pair);
  return key;
}

/** Reads what is kept under a name; null without storage. @param {string} name @returns {Promise<unknown>} */
export async function readKept(name) {
  try {
    return await completed((await keys('readonly')).get(name)) ?? null;
  } catch {
    return null;
  }
}

/** Keeps something that IndexedDB can store. Does nothing without storage. @param {string} name @param {unknown} value */
export async function writeKept(name, value) {
  try {
    await completed((await keys('readwrite')).put(value, name));
  } catch { /* no storage */ }
}

/** Forgets the keys and the settings. */
export async function forgetAll() {
  localStorage.removeItem(SETTINGS);
  try {
    await completed((await keys('readwrite')).clear());
  } catch { /* no storage */ }
}

/** @param {IDBTransactionMode} mode */
async function keys(mode) {
  const database = await completed(Object.assign(indexedDB.open(DATABASE, 1), { onupgradeneeded(/** @type {Event} */ event) { /** @type {IDBOpenDBRequest} */ (event.target).result.createObjectStore(STORE); } }));
  return database.transaction(STORE, mode).objectStore(STORE);
}

/**
 * Waits for a database request.
 * @template T
 * @param {IDBRequest<T>} request @returns {Promise<T>}
 */
const completed = request => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});
