//! When a reaction is sent, and how long it is shown. The guest page has the same rules in JavaScript
//! (`ui/shared/reactions.js`), and both run `docs/protocol/reactions.json`.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::Serialize;
use signaling::message::Reaction;

/// How long a reaction is shown.
pub(crate) const SHOWN: Duration = Duration::from_secs(5);
/// A person's next reaction is ignored for this long, whoever sends it how often.
pub(crate) const SPACING: Duration = Duration::from_millis(250);
/// Own reactions in [`WINDOW`]. Further ones are dropped: they would only replace each other. The server accepts more.
const MOST: usize = 5;
/// The time in which [`MOST`] own reactions are sent.
const WINDOW: Duration = Duration::from_secs(5);

/// A reaction that is shown now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct ShownReaction {
    /// Which one.
    pub reaction: Reaction,
    /// Counts the reactions of this person, to distinguish the same one shown twice.
    pub number: u32,
}

/// The reactions of one person: the newest replaces the one before.
///
/// ```text
/// Nothing ──a reaction──▶ Shown ──another, after the spacing──▶ Shown anew
///    ▲                      │
///    └──────time is up──────┘
/// ```
#[derive(Debug, Default)]
pub(crate) struct Reactions {
    shown: Option<(Reaction, Instant)>,
    number: u32,
}

impl Reactions {
    /// Shows a reaction. Returns whether that is a change.
    pub(crate) fn show(&mut self, now: Instant, reaction: Reaction) -> bool {
        let too_soon = self.shown.is_some_and(|(_, since)| now < since + SPACING);
        if too_soon || reaction == Reaction::Unknown {
            return false;
        }
        self.shown = Some((reaction, now));
        self.number = self.number.wrapping_add(1);
        true
    }

    /// What is shown.
    pub(crate) fn shown(&self) -> Option<ShownReaction> {
        self.shown.map(|(reaction, _)| ShownReaction { reaction, number: self.number })
    }

    /// When it is no longer shown.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.shown.map(|(_, since)| since + SHOWN)
    }

    /// Ends what was shown for long enough. Returns whether that is a change.
    pub(crate) fn hide_due(&mut self, now: Instant) -> bool {
        let over = self.due().is_some_and(|due| due <= now);
        if over {
            self.shown = None;
        }
        over
    }
}

/// When the person's own reactions were sent, at most [`MOST`].
#[derive(Debug, Default)]
pub(crate) struct OwnReactions {
    sent: VecDeque<Instant>,
}

impl OwnReactions {
    /// Whether a reaction may be sent now. If so, it counts as sent.
    pub(crate) fn may_send(&mut self, now: Instant) -> bool {
        self.sent.retain(|at| now < *at + WINDOW);
        let may = self.sent.len() < MOST;
        if may {
            self.sent.push_back(now);
        }
        may
    }
}
