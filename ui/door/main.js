// The community's door: a member signs in, has the whole board, and calls in the browser.

import { Lunchroom } from '../shared/lunchroom.js';
import { backend } from './connect.js';
import { SignIn } from './sign-in.js';
import { watchVersion } from './version.js';

const root = new Lunchroom();
root.first = () => new SignIn(backend.door);
document.querySelector('.unloaded')?.remove();
document.body.append(root);
watchVersion(backend);
