//! What the window is told, and what it asks: the shapes that cross between Rust and JavaScript. Whole values, newest
//! wins. `ui/shared/types/state.d.ts` is written from here; the browser guest page makes the same shapes by itself.

mod app;
mod ask;
mod board;
mod call;
mod device;
mod settings;
mod stats;
#[cfg(test)]
mod types;

pub use app::{AppState, FrameAccess, Hosting, PendingLink, SessionState, You};
pub use ask::{CommandError, Door, Join, Media, Picture, TableDraft, Tile};
pub use board::{BoardState, Mine, Person, Presence, Reminder, ReminderKind, SavedCalendar, Sitting, Table, Waiting};
pub use call::{CallState, ChatLine, Knocker, Link, Participant, Stage, UnsentLine};
pub use device::{Choice, Device, DeviceKind, Problem};
pub use settings::{KnownServer, Language, Noise, Settings, Theme};
pub use stats::{AudioFigures, PathFigures, PersonStats, Stats, VideoInFigures, VideoOutFigures};
