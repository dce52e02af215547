// What is really on of one's own: wished for, and not failed.

/** @typedef {import('./model.d.ts').AppState} AppState */
/** @typedef {import('./model.d.ts').DeviceKind} DeviceKind */
/** @typedef {import('./model.d.ts').Media} Media */

/** In a call. @param {Pick<AppState, 'call' | 'problems'>} state @returns {Media} */
export const ownMedia = ({ call, problems }) => working(call.media, problems);

/** @param {Media} wished @param {AppState['problems']} problems @returns {Media} */
export function working({ microphone, camera }, problems) {
  const fails = (/** @type {DeviceKind} */ kind) => problems.some(one => one.device === kind);
  return { microphone: microphone && !fails('microphone'), camera: camera && !fails('camera') };
}

/** Codes of problems that say that a device, or any of its kind, is not there. */
export const absent = new Set(['device_not_found', 'no_camera', 'no_microphone', 'no_speaker']);

/**
 * Whether this machine has no device of a kind. A made-up one that was chosen is one.
 * @param {Pick<AppState, 'devices' | 'choice' | 'problems'>} state devices as found at the last look @param {DeviceKind} kind
 */
export function missing({ devices, choice, problems }, kind) {
  if (devices.some(one => one.kind === kind && !one.synthetic)) return false;
  return choice[kind] === null || problems.some(one => one.device === kind && absent.has(one.code));
}
