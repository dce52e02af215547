// Makes a server's messages safe to show before anything else sees them: names, labels and chat are cleaned whatever the
// server let through (PROTOCOL.md, Text that people see). No DOM.

import { cleanChat, shownLabel, shownName } from './text.js';

/** @typedef {import('./protocol.js').Message} Message */

/** Longest topic and place of a table, in Unicode scalar values. */
const TOPIC_CHARS = 80, PLACE_CHARS = 120;
/** ICE servers that are taken from one message. */
const MOST_ICE_SERVERS = 16;

/** @type {Record<string, (message: Message) => Message>} */
const TYPES = {
  joined: message => ({ ...message, participants: message.participants.map(named) }),
  participant_joined: message => ({ ...message, participant: named(message.participant) }),
  chat: message => ({ ...message, text: cleanChat(message.text) }),
  room: message => message.news === 'lobby' ? { ...message, knocking: message.knocking.map(named) } : message,
  board: boardNews,
  left: same, participant_left: same, participant_connection: same, media: same, resolution: same, offer: same, answer: same, candidate: same, end_of_candidates: same, error: same,
};

/**
 * A message as the rest of the page may see it.
 * @param {Message} message without its envelope
 * @returns {Message | null} null for a type that this version does not know, and for one that cannot be read: it is ignored
 */
export function readable(message) {
  const read = Object.hasOwn(TYPES, message.type) ? TYPES[message.type] : null;
  try {
    return read ? read(message) : null;
  } catch {
    return null;
  }
}

/** At most 16 entries for `RTCConfiguration.iceServers`. @param {unknown} servers @returns {RTCIceServer[]} */
export const iceServers = servers => Array.isArray(servers) ? servers.slice(0, MOST_ICE_SERVERS) : [];

/** @param {Message} message */
function same(message) {
  return message;
}

/** @param {Message} news */
function boardNews(news) {
  const change = { ...news };
  if (news.tables) change.tables = news.tables.map(table);
  if (news.people) change.people = news.people.map(named);
  if (news.news === 'notice') change.topic = shownLabel(news.topic, TOPIC_CHARS);
  return change;
}

/** @param {Record<string, any>} info */
const table = info => ({ ...info, topic: shownLabel(info.topic, TOPIC_CHARS), place: shownLabel(info.place, PLACE_CHARS), taken: (info.taken ?? []).map(named) });

/** @template {{ name: string }} T @param {T} person @returns {T} */
const named = person => ({ ...person, name: shownName(person.name) });
