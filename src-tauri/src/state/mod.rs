//! What the window shows, and what it asks: the shapes that cross between Rust and JavaScript. A state is one whole value;
//! its parts cross when they change. `ui/shared/types/state.d.ts` is written from here; the browser guest page makes the same shapes by itself.

mod app;
mod ask;
mod board;
mod call;
mod device;
mod settings;
mod stats;
#[cfg(test)]
mod types;
mod update;

pub use app::{AppState, FrameAccess, Hosting, PendingLink, SessionState, You};
pub use ask::{CommandError, Door, Join, Media, Picture, TableDraft, Tile};
pub use board::{BoardState, Mine, Person, Presence, Reminder, ReminderKind, SavedCalendar, Sitting, Table, Waiting};
pub use call::{CallState, ChatLine, Knocker, Link, Participant, Stage, UnsentLine};
pub use device::{Choice, Device, DeviceKind, Problem};
pub use settings::{KnownPerson, KnownServer, Language, Noise, Settings, Theme};
pub use stats::{AudioFigures, PathFigures, PersonStats, Stats, VideoInFigures, VideoOutFigures};
pub use update::AppUpdate;
