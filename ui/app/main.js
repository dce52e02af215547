// The page of the app's window.

import { provide } from '../shared/backend.js';
import { Lunchroom } from '../shared/lunchroom.js';
import { AppBackend } from './backend.js';

const backend = new AppBackend();
provide(backend);
document.body.append(new Lunchroom());
backend.start();
