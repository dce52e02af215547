// Sanitizes messages from the server before other code receives them: names, labels and chat are cleaned whatever the
// server let through (PROTOCOL.md, Text that people see). This module does not use the DOM.

import { isReaction } from './reactions.js';
import { cleanChat, shownLabel, shownName } from './text.js';

/** @typedef {import('./protocol.js').Message} Message */

/** Maximum length of a table's topic and place, in Unicode scalar values. */
const TOPIC_CHARS = 80, PLACE_CHARS = 120;
/** Maximum number of an account's devices, and maximum length of their names, in Unicode scalar values. */
const MAX_DEVICES = 10, DEVICE_CHARS = 48;
/** Number of the avatars' colours, and maximum length of their glyphs, in Unicode scalar values. */
const COLORS = 8, GLYPH_CHARS = 8;
/** Maximum length of a report and of a steward's reason, in Unicode scalar values. */
const REASON_CHARS = 200;
/** Maximum numbers of blocked people, of acts in one message, and of entries in each list of the stewards' page. */
const MAX_BLOCKED = 50, MAX_ACTS = 16, MAX_BOOK_ITEMS = 1_000;
/** Rounds for which one person can sign up. */
const MAX_SIGN_UPS = 20;
/** What stewards do to people. Other kinds are not shown. */
const ACTS = ['closed', 'suspended', 'lifted'];
/** ICE servers beyond this number are ignored. */
const MAX_ICE_SERVERS = 16;

/** Lines of one connection to the forwarder, and others in a forwarded room. */
const MAX_SLOTS = 58, MAX_OTHERS = 59;

/** @type {Record<string, (message: Message) => Message | null>} */
const TYPES = {
  joined: message => ({ ...message, participants: message.participants.map(participant) }),
  participant_joined: message => ({ ...message, participant: participant(message.participant) }),
  hand: message => ({ ...message, hand: place(message.hand) }),
  avatar: message => ({ ...message, avatar: look(message.avatar) }),
  reaction: message => isReaction(message.reaction) ? message : null,
  chat: message => ({ ...message, text: cleanChat(message.text) }),
  room: message => message.news === 'lobby' ? { ...message, knocking: message.knocking.map(withShownName) } : message,
  board,
  forwarded: message => ({ ...message, on: message.on === true }),
  slots: message => ({ ...message, slots: message.slots.filter(isSlot).slice(0, MAX_SLOTS) }),
  sender_keys_undelivered: message => ({ ...message, to: message.to.slice(0, MAX_OTHERS) }),
  frame_key: unchanged, sender_key: unchanged,
  account: message => message.news === 'devices' ? { ...message, devices: devices(message.devices) } : message,
  left: unchanged, participant_left: unchanged, participant_connection: unchanged, media: unchanged, resolution: unchanged, check_connection: unchanged, offer: unchanged, answer: unchanged, candidate: unchanged, end_of_candidates: unchanged, error: unchanged,
};

/**
 * Returns a message with text that is safe to display.
 * @param {Message} message without its envelope
 * @returns {Message | null} null, to be ignored, if this version does not know the type or the message is malformed
 */
export function sanitizeMessage(message) {
  const sanitize = Object.hasOwn(TYPES, message.type) ? TYPES[message.type] : null;
  try {
    return sanitize ? sanitize(message) : null;
  } catch {
    return null;
  }
}

/** Returns at most 16 entries for `RTCConfiguration.iceServers`; none if `servers` is not an array. @param {unknown} servers @returns {RTCIceServer[]} */
export const iceServers = servers => Array.isArray(servers) ? servers.slice(0, MAX_ICE_SERVERS) : [];

/** @param {Message} message */
function unchanged(message) {
  return message;
}

/** What a line carries. @param {Record<string, unknown>} one */
const isSlot = ({ mid, id, kind, csrc }) => typeof mid === 'string' && typeof id === 'string' && ['audio', 'camera', 'screen'].includes(String(kind)) && Number.isInteger(csrc);

/** @param {Message} news */
function board(news) {
  if (news.news === 'about_me') return about(news);
  if (news.news === 'order') return order(news);
  if (news.news === 'order_book') return orderBook(news);
  const change = { ...news };
  if (news.tables) change.tables = news.tables.map(table);
  if (news.rounds && news.news !== 'you') change.rounds = news.rounds.map(round);
  if (news.news === 'you') change.rounds = (news.rounds ?? []).slice(0, MAX_SIGN_UPS);
  if (news.people) change.people = news.people.map(person);
  if (news.news === 'notice') change.topic = shownLabel(news.topic ?? '', TOPIC_CHARS);
  return change;
}

/** @param {Message} news */
const about = news => ({ ...news, names: news.names.map(shownName), tables: (news.tables ?? []).map(labels), ...(news.rounds ? { rounds: news.rounds.map(round) } : {}), ...ownOrder(news), ...(news.reports ? { reports: news.reports.map(withText) } : {}), ...(news.account ? { account: { ...withShownName(news.account), devices: devices(news.account.devices) } } : {}) });

/** What of the community's order concerns the person. @param {Message} news */
const order = news => ({ ...news, ...ownOrder(news), blocked: (news.blocked ?? []).slice(0, MAX_BLOCKED).map(withShownName) });

/** @param {Message} news */
const ownOrder = news => ({ ...(news.acts ? { acts: news.acts.filter(isKnownAct).slice(0, MAX_ACTS).map(act) } : {}), ...(news.suspension ? { suspension: withReason(news.suspension) } : {}) });

/** @param {Message} news */
const orderBook = news => ({
  ...news,
  reports: (news.reports ?? []).slice(0, MAX_BOOK_ITEMS).map((/** @type {Record<string, any>} */ one) => ({ ...withText(one), by: withShownName(one.by), of: withShownName(one.of) })),
  suspended: (news.suspended ?? []).slice(0, MAX_BOOK_ITEMS).map((/** @type {Record<string, any>} */ one) => ({ ...withReason(one), name: nameOrNone(one.name) })),
  acts: (news.acts ?? []).filter(isKnownAct).slice(0, MAX_BOOK_ITEMS).map((/** @type {Record<string, any>} */ one) => ({ ...act(one), name: nameOrNone(one.name), steward: nameOrNone(one.steward) })),
});

/** @param {Record<string, any>} one */
const isKnownAct = one => ACTS.includes(one.kind);

/** @param {Record<string, any>} one */
const act = one => ({ ...withReason(one), topic: shownLabel(one.topic ?? '', TOPIC_CHARS) });

/** @param {Record<string, any>} one */
const withReason = one => ({ ...one, reason: shownLabel(one.reason ?? '', REASON_CHARS) });

/** @param {Record<string, any>} one */
const withText = one => ({ ...one, text: shownLabel(one.text ?? '', REASON_CHARS) });

/** The name of somebody who may have been erased. @param {string} name */
const nameOrNone = name => name ? shownName(name) : '';

/** The devices of an account. @param {{ name: string }[]} all */
const devices = all => all.slice(0, MAX_DEVICES).map(one => ({ ...one, name: shownLabel(one.name, DEVICE_CHARS) }));

/** @param {Record<string, any>} info */
const labels = info => ({ ...info, topic: shownLabel(info.topic, TOPIC_CHARS), place: shownLabel(info.place, PLACE_CHARS) });

/** @param {Record<string, any>} one */
const round = one => ({ ...one, title: shownLabel(one.title, TOPIC_CHARS) });

/** @param {Record<string, any>} info */
const table = info => ({ ...labels(info), taken: (info.taken ?? []).map(person) });

/** @param {Record<string, any>} one */
const participant = one => ({ ...person(/** @type {{ name: string }} */ (one)), hand: place(one.hand) });

/** The number of a raised hand; null: it is down. @param {unknown} hand */
const place = hand => Number.isSafeInteger(hand) && Number(hand) >= 0 ? Number(hand) : null;

/** @template {{ name: string, avatar?: unknown }} T @param {T} one @returns {T} */
const person = one => ({ ...withShownName(one), ...(one.avatar ? { avatar: look(one.avatar) } : {}) });

/** An avatar, without what cannot be shown. @param {unknown} avatar */
function look(avatar) {
  const { photo, color, glyph } = /** @type {Record<string, unknown>} */ (avatar ?? {});
  return {
    photo: typeof photo === 'string' && /^[\w-]{22}$/.test(photo) ? photo : null,
    color: Number.isInteger(color) && Number(color) >= 0 && Number(color) < COLORS ? color : null,
    glyph: typeof glyph === 'string' ? shownLabel(glyph, GLYPH_CHARS) || null : null,
  };
}

/** @template {{ name: string }} T @param {T} person @returns {T} */
const withShownName = person => ({ ...person, name: shownName(person.name) });
