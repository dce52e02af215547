// Signing in with an account from the app.

import { backend } from '../backend.js';
import { t } from '../strings.js';
import { announce, attempt } from './notices.js';

/** Opens the system's browser, and ends when the person has come back from it. The board then follows by itself. */
export async function signInWithAccount() {
  announce(t.signInBrowser);
  await attempt(backend.call('account_sign_in'));
}
