//! What the window shows, and what it asks: the shapes that cross between Rust and JavaScript. The board, the call and its
//! chat cross in the shapes that the engine and the wire have; what only the shell knows is defined here. A state is one
//! whole value; its parts cross when they change. `ui/shared/types/state.d.ts` is written from all of them.

mod app;
mod ask;
mod settings;
mod stats;
#[cfg(test)]
mod types;
mod update;

pub use app::{Abilities, AppState, FrameAccess, Hosting, PendingLink, You};
pub use ask::{CalendarAddress, CommandError, Join, SavedCalendar, ScreenChoice};
pub use settings::{KnownPerson, KnownServer, Language, Noise, OwnAvatar, Settings, Theme};
pub use stats::{AudioFigures, PathFigures, PersonStats, Stats, VideoInFigures, VideoOutFigures};
pub use update::{AppUpdate, ChatUpdate};
