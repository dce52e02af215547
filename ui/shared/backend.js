// What a screen may ask of the shell it runs in. Screens never know whether that is the app's window (app/backend.js)
// or a browser page (guest/backend.js).

/** @typedef {import('./model.d.ts').AppState} AppState */
/** @typedef {import('./model.d.ts').Picture} Picture */
/** @typedef {{ code: string, message: string }} Refusal  what `call` throws */
/** @typedef {Record<string, number>} Levels  dBFS by participant, one's own as `own` */

/**
 * @typedef {object} Backend
 * @property {'app' | 'guest'} shell
 * @property {AppState | null} state  the newest state; null before the first
 * @property {(listener: (state: AppState) => void) => () => void} subscribe
 *   calls back at once with what is known and then with each newer state; returns how to stop
 * @property {(name: string, args?: object) => Promise<any>} call
 *   a command: `join {room, server?, fingerprint?, invite?, media}`, `leave`, `set_microphone {on}`, `set_camera {on}`,
 *   `send_chat {text}`, `preview {media}`, `select_devices {choice}`, `refresh_devices`, `test_sound`, `save_settings {settings}`,
 *   `open_link {link}`, `dismiss_link`, `dismiss_notice`, `host_here`, `stop_hosting`, `connect {server, fingerprint?}`, `stats`,
 *   `export_log`, `copy {text}`; of the board: `lay_table {draft}`, `take_seat {table, wait}`, `leave_seat {table}`, `delete_table {table}`,
 *   `eat_now {with}`, `stop_waiting`, `set_presence {presence}`, `forget_me`, `make_invite {room, uses, hours}`, `save_calendar {table}`, `ics {table}`;
 *   of a room: `admit {id}`, `refuse {id}`, `lock {locked}`, `mute {id}`, `remove {id}`. Throws a Refusal.
 * @property {(host: HTMLElement, picture: Picture) => () => void} attach
 *   shows a picture in an element, as its only child, until the returned function is called
 * @property {(listener: (levels: Levels) => void) => () => void} levels  how loud everybody is, at most ten times a second
 */

/** @type {Backend} */
export let backend;

/** Called once by the shell before any screen exists. @param {Backend} shell */
export function provide(shell) {
  backend = shell;
}

/** The newest state, for handlers that run after the first one has come. @returns {AppState} */
export function state() {
  if (!backend.state) throw new Error('no state yet');
  return backend.state;
}
