//! What the whole-system tests share.

pub mod bars;
pub mod initramfs;
pub mod network;
pub mod packets;
pub mod people;
pub mod pulse;
pub mod scratch;
pub mod skip;
pub mod tone;

pub use skip::skip_unless;
