// The types of the state, which are generated from Rust into types/.

export type {
  SessionState, Stage, Participant, Knocker, ChatLine, Link, Device, DeviceKind, Choice, Problem, Settings, KnownServer,
  Language, Theme, Noise, PendingLink, Hosting, BoardState, Table, TableDraft, Door, Person, Presence, Media, Picture, Tile, Join, Stats,
  PersonStats, FrameAccess, Waiting, Reminder, ReminderKind, UnsentLine, CallState, AppState,
} from './types/state.js';
