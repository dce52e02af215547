// The community's secret in the browser's storage, as a key from which it cannot be read, and forgetting a person.

import { forgetAll, readKept, writeKept } from '../guest/storage.js';

const MEMBER = 'member';

/** Returns the secret of the last visit; null: there is none, or the browser has no storage. @returns {Promise<CryptoKey | null>} */
export const loadMember = async () => /** @type {CryptoKey | null} */ (await readKept(MEMBER)) ?? null;

/** Keeps the secret. Browsers without storage (private windows) lose it with the page. @param {CryptoKey | null} member */
export const saveMember = member => writeKept(MEMBER, member);

/** Asks the browser not to evict the device key, to which the seats belong. Nothing waits for the answer: some browsers ask the person. */
export function keepStorage() {
  navigator.storage?.persist?.().catch(() => false);
}

/** Forgets the device key, the secret and the settings. */
export const forgetPerson = forgetAll;
