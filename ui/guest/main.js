// The page of a table's link, for people without the app.

import { provide } from '../shared/backend.js';
import { Lunchroom } from '../shared/lunchroom.js';
import { GuestBackend } from './backend.js';
import { invitation } from './invitation.js';
import { GuestWelcome } from './welcome.js';

const backend = new GuestBackend(invitation());
provide(backend);
const root = new Lunchroom();
root.home = () => new GuestWelcome(backend.invitation);
// Who a guest is, is asked at the device check.
root.isNew = () => false;
document.querySelector('.unloaded')?.remove();
document.body.append(root);
backend.start();
