// Leaves a call. A host whom others need must confirm it.

import { backend, state } from '../backend.js';
import { t } from '../strings.js';
import { attempt } from './notices.js';
import { ask } from './dialog.js';

/** Whether the question is open. */
let asking = false;

/** Leaves the call, after a confirmation if needed. */
export async function leave() {
  if (asking) return;
  asking = true;
  const confirmed = await confirmLeaving().finally(() => { asking = false; });
  if (confirmed) await attempt(backend.call('leave'));
}

/** @returns {Promise<boolean>} */
async function confirmLeaving() {
  const { you, host, participants, lobby } = state().call;
  const needed = you !== null && host === you && participants.length + lobby.length > 0;
  return !needed || ask({ title: t.hostLeaves, words: t.hostLeavesWords(participants.length, lobby.length), yes: t.leaveAnyway, no: t.stayHere });
}
