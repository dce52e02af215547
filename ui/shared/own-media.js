// The person's own microphone and camera: on if they are switched on and the device works.

/** @typedef {import('./model.d.ts').AppState} AppState */
/** @typedef {import('./model.d.ts').DeviceKind} DeviceKind */
/** @typedef {import('./model.d.ts').MediaState} MediaState */

/** The state in a call. @param {Pick<AppState, 'call' | 'problems'>} state @returns {MediaState} */
export const ownMedia = ({ call, problems }) => workingMedia(call.media, problems);

/** Switches off devices that have a problem. @param {MediaState} requested @param {AppState['problems']} problems @returns {MediaState} */
export function workingMedia({ microphone, camera }, problems) {
  // A device that the default replaces works.
  const hasProblem = (/** @type {DeviceKind} */ kind) => problems.some(one => one.device === kind && one.code !== 'device_replaced');
  return { microphone: microphone && !hasProblem('microphone'), camera: camera && !hasProblem('camera') };
}

/** Problem codes for a missing device, or no device of a kind. */
export const MISSING_CODES = new Set(['device_not_found', 'no_camera', 'no_microphone', 'no_speaker']);

/**
 * Whether this machine has no device of a kind. A synthetic device counts only if the person chose it.
 * @param {Pick<AppState, 'devices' | 'choice' | 'problems'>} state @param {DeviceKind} kind
 */
export function isMissing({ devices, choice, problems }, kind) {
  if (devices.some(one => one.kind === kind && !one.synthetic)) return false;
  return choice[kind] === null || problems.some(one => one.device === kind && MISSING_CODES.has(one.code));
}
