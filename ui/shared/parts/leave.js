// The way out of a call: a host whom others need is asked first.

import { backend, state } from '../backend.js';
import { t } from '../strings.js';
import { attempt } from './notices.js';
import { ask } from './dialog.js';

/** One question at a time, however often it is wished. */
let asking = false;

/** Leaves, unless the person would rather stay. */
export async function leave() {
  if (asking) return;
  asking = true;
  const goes = await sure().finally(() => { asking = false; });
  if (goes) await attempt(backend.call('leave'));
}

/** @returns {Promise<boolean>} */
async function sure() {
  const { you, host, participants, lobby } = state().call;
  const needed = you !== null && host === you && participants.length + lobby.length > 0;
  return !needed || ask({ title: t.hostLeaves, words: t.hostLeavesWords(participants.length, lobby.length), yes: t.leaveAnyway, no: t.stayHere });
}
