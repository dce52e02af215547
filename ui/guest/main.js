// The guest page, which opens a room's link in the browser.

import { provide } from '../shared/backend.js';
import { Lunchroom } from '../shared/lunchroom.js';
import { GuestBackend } from './backend.js';
import { invitation } from './invitation.js';
import { GuestWelcome } from './welcome.js';

const backend = new GuestBackend(invitation());
provide(backend);
const root = new Lunchroom();
root.home = () => new GuestWelcome(backend.invitation);
// Guests have no first run. The device check asks for their name.
root.isNew = () => false;
document.querySelector('.unloaded')?.remove();
document.body.append(root);
backend.start();
