//! Pictures for the window: by a socket on this machine's loopback, or one by one where that is blocked.

mod fallback;
mod packet;
mod socket;

pub(crate) use fallback::Fallback;
pub(crate) use socket::FrameSocket;
