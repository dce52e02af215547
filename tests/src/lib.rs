//! Shared code of the whole-system tests.

pub mod access_line;
pub mod authority;
pub mod bars;
pub mod browser;
pub mod desktop;
pub mod distant;
pub mod initramfs;
pub mod network;
pub mod only;
pub mod packets;
pub mod people;
pub mod pulse;
pub mod scratch;
pub mod seclusion;
pub mod skip;
pub mod tone;
pub mod window;
pub mod x11;

pub use only::only;
pub use skip::skip_unless;

use std::time::Duration;

/// Time after which a test has failed. On an idle machine everything takes a tenth of it.
pub const PATIENCE: Duration = Duration::from_secs(120);
