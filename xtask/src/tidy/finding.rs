//! The findings of tidy.

use std::fmt;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// To be reviewed. Does not fail.
    Question,
    /// A rule is broken.
    Broken,
}

/// One finding, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) weight: Weight,
    /// A file, relative to the root with `/` between folders, or a crate's name.
    pub(crate) place: String,
    /// From 1, or 0 for the place as a whole.
    pub(crate) line: usize,
    pub(crate) text: String,
}

impl Finding {
    pub(crate) fn broken(place: impl Into<String>, line: usize, text: impl Into<String>) -> Finding {
        Finding { weight: Weight::Broken, place: place.into(), line, text: text.into() }
    }

    pub(crate) fn question(place: impl Into<String>, line: usize, text: impl Into<String>) -> Finding {
        Finding { weight: Weight::Question, place: place.into(), line, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.place, self.text),
            line => write!(f, "{}:{line}: {}", self.place, self.text),
        }
    }
}
