// Reminders as notifications of the system, while nobody looks at the page. Browsers on phones have none for pages; there
// the reminders are on the page only.

import { language, t } from '../shared/strings.js';

/** @typedef {import('../shared/model.d.ts').CallView} CallView */
/** @typedef {import('../shared/model.d.ts').Reminder} Reminder */

export class Notifier {
  /** Number of the newest reminder that was handled. */
  #last = -1;

  /** Asks the person for permission. @returns {Promise<boolean>} whether notifications may be shown */
  async allow() {
    return typeof Notification === 'function' && await Notification.requestPermission() === 'granted';
  }

  /**
   * Shows reminders that are new.
   * @param {Reminder[]} reminders @param {boolean} wanted whether the settings want notifications
   * @param {CallView} call somebody at a table needs no reminder of it
   */
  show(reminders, wanted, call) {
    const fresh = reminders.filter(one => one.number > this.#last);
    this.#last = Math.max(this.#last, ...fresh.map(one => one.number));
    if (!wanted || document.hasFocus() || typeof Notification !== 'function' || Notification.permission !== 'granted') return;
    for (const one of fresh) if (one.room !== call.room || call.stage.kind === 'idle' || call.stage.kind === 'ended') notify(one);
  }
}

/** @param {Reminder} reminder */
function notify({ kind, topic, table }) {
  try {
    const shown = new Notification(topic || t.table, { body: t.reminders[kind](topic || t.yourTable), tag: `lunchroom-${table || kind}`, lang: language });
    shown.onclick = () => {
      window.focus();
      shown.close();
    };
  } catch { /* Chromium on Android has the interface, but refuses to construct it */ }
}
