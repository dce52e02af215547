// The interface between the screens and their backend, which is the app's window (app/backend.js) or the guest page
// (guest/backend.js) or the community's door in a browser (door/backend.js).

/** @typedef {import('./model.d.ts').AppState} AppState */
/** @typedef {import('./model.d.ts').Picture} Picture */
/** @typedef {{ code: string, message: string }} CommandError  `call` rejects with this; `message` is English text for logs */
/**
 * @typedef {object} Levels  what is heard of whom, by participant id; `own` is the own microphone
 * @property {Record<string, number>} levels  audio levels in dBFS
 * @property {string[]} speaking  who speaks
 * @property {string | null} active  the participant who speaks, or spoke last
 */

/**
 * @typedef {object} Backend
 * @property {'app' | 'guest' | 'door'} shell
 * @property {AppState | null} state  the newest state; null before the first
 * @property {(listener: (state: AppState) => void) => () => void} subscribe
 *   calls the listener with the current state, if any, and with each later one; returns a function that unsubscribes
 * @property {(name: string, args?: object) => Promise<any>} call
 *   runs a command: `join {room, server?, fingerprint?, invite?, media}`, `leave`, `set_microphone {on}`, `set_camera {on}`, `set_hand {raised}`, `react {reaction}`, `screens` (a list of ScreenChoice; guests choose in the browser), `share {id, name}`, `stop_share`,
 *   `send_chat {text}`, `small_window {on}` (a small window above others; a guest's shows one picture, and a second call closes it), `open_web {url}` (in the system's browser; `webcal:` in its calendar app), `send_files {to}` (lets the person choose files), `send_dropped {to}`, `dismiss_dropped`, `transfer {id, choice}`, `show_transfer {id}`, `compare {id, key}` (the numbers of the code with a participant), `mark_compared {id, key}`, `preview {media}`, `select_devices {choice}`, `refresh_devices`, `test_sound`, `check_sound {on}` (records, plays and judges the own microphone; only the app), `save_settings {settings}`,
 *   `open_link {link}`, `dismiss_link`, `dismiss_notice`, `host_here`, `stop_hosting`, `connect {server, fingerprint?}`, `stats`,
 *   `export_log`, `check_connection {server?, fingerprint?, language}` (a ConnectionReport), `check_others` (their reports appear in the state), `copy {text}`; of the board: `lay_table {draft}`, `take_seat {table, wait}`, `leave_seat {table}`, `delete_table {table}`, `cancel_date {table}` (of a weekly table, only this date), `move_table {table, starts_ms, minutes}`,
 *   `eat_now {with}`, `stop_waiting`, `set_presence {presence}`, `about_me` (an AboutMe), `save_about_me` (the file's name), `forget_me`, `make_invite {room, uses, hours}`, `dismiss_reminders {last}`, `save_calendar {table}`, `ics {table}`, `calendar_address {token}` (a CalendarAddress; `token` is the one that the settings have, or null), `revoke_calendar`, `set_avatar {avatar}` (an OwnAvatar), `photo {id}` (a JPEG, base64url);
 *   of the community's order: `report {participant | person, text}`, `block {participant | person}`, `unblock {person}`, `acts_seen`; of its stewards: `order_book` (an OrderBook), `close_report {report}`, `close_table {table, reason}`, `suspend {person, hours, reason}` (0 hours: until it is lifted), `lift {person}`;
 *   of the person's account: `account_devices` (AccountDevices), `remove_device {key}`, `account_sign_in` (in the app: opens the browser, and ends when the person has come back);
 *   of the door: `sign_in {name, secret}`, `sign_out`, `app_link {room}`;
 *   of a room: `admit {id}`, `refuse {id}`, `lock {locked}`, `mute {id}`, `lower_hand {id}`, `spotlight {id}` (null: nobody), `hand_over {id}`, `remove {id}`. Rejects with a CommandError.
 * @property {(host: HTMLElement, picture: Picture) => () => void} attach
 *   displays a picture as the only child of an element, until the returned function is called
 * @property {(listener: (levels: Levels) => void) => () => void} levels
 *   calls the listener with the audio levels, at most ten times a second; returns a function that unsubscribes
 */

/** @type {Backend} */
export let backend;

/** Sets the backend. Called once, before the first screen exists. @param {Backend} provided */
export function provide(provided) {
  backend = provided;
}

/** Returns the newest state. @returns {AppState} @throws {Error} before the first state */
export function state() {
  if (!backend.state) throw new Error('no state yet');
  return backend.state;
}
