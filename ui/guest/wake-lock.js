// Keeps the display on during a call. Browsers allow it only while the page is visible, and end it when it is hidden.

export class WakeLock {
  #wanted = false;
  /** @type {Promise<WakeLockSentinel | null> | null} */
  #lock = null;

  constructor() {
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) this.#lock = null;
      else this.#follow();
    });
  }

  /** @param {boolean} on whether the display is to stay on from now on */
  set wanted(on) {
    if (on === this.#wanted) return;
    this.#wanted = on;
    this.#follow();
  }

  #follow() {
    if (this.#wanted && !document.hidden) this.#lock ??= request();
    else {
      this.#lock?.then(lock => lock?.release());
      this.#lock = null;
    }
  }
}

/** A browser may refuse, as on an empty battery. @returns {Promise<WakeLockSentinel | null>} */
const request = async () => navigator.wakeLock?.request('screen').catch(() => null) ?? null;
