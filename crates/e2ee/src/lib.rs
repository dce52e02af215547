//! End-to-end encryption of frames that pass through the server's forwarder (PROTOCOL.md, *Encrypted frames*). Pure.
//!
//! Each participant encrypts all frames with a key of their own, by SFrame (RFC 9605), and gives it to the others,
//! sealed to each by HPKE (RFC 9180) and signed by the device. [`KeyExchange`] decides when there is a new key and who
//! gets it; [`Sealer`] and [`Opener`] have one stream each, so that each can live on the thread of its stream.
//!
//! **The suite of frames** is AES_128_GCM_SHA256_128 (RFC 9605 section 4.5). AES-128 is as strong as the key agreement
//! over X25519 that its keys pass through, so AES-256 would add cost and no strength. The suites with shorter tags save
//! up to 12 bytes for each frame, but neither ring nor browsers have them. HPKE is DHKEM(X25519, HKDF-SHA256),
//! HKDF-SHA256 and AES-128-GCM, which browsers have too.

mod exchange;
mod frame;
pub mod limits;
mod random;
mod sealed;
mod sender_key;
mod stream;

pub use self::exchange::{KeyError, KeyExchange, Output};
pub use self::frame::{Counts, OpenError, Opener, SealError, Sealer};
pub use self::sealed::FrameSecret;
pub use self::sender_key::SenderKey;
pub use self::stream::Stream;
