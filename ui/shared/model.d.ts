// What screens read: Rust's shapes (types/, generated), under one address.

import type * as Told from './types/state.js';

export type {
  SessionState, Stage, Participant, Knocker, ChatLine, Link, Device, DeviceKind, Choice, Problem, Settings, KnownServer,
  Language, Theme, Noise, PendingLink, Hosting, BoardState, Table, TableDraft, Door, Person, Presence, Media, Picture, Tile, Join, Stats,
  PersonStats, FrameAccess, Waiting, Reminder, ReminderKind,
} from './types/state.js';

/** A line of one's own that is not in the chat yet; failed: the code of why it was not said. */
export type UnsentLine = { number: number, text: string, failed: string | null };
/** Absent where the shell keeps no such lines. */
export type CallState = Told.CallState & { unsent?: UnsentLine[] };
export type AppState = Omit<Told.AppState, 'call'> & { call: CallState };
