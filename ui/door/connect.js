// Starts the session of the door. The page loads this module first, so that the socket opens while the screens load.

import { provide } from '../shared/backend.js';
import { DoorBackend } from './backend.js';
import { door } from './door.js';

/** @type {DoorBackend} */
export const backend = new DoorBackend(door());
provide(backend);
backend.start();
