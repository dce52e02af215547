//! Pictures for the window: over a loopback socket, or one per command where the socket is blocked.

mod fallback;
pub(crate) mod packet;
mod socket;

pub(crate) use fallback::Fallback;
pub(crate) use socket::FrameSocket;
