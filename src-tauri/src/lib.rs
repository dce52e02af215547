//! The window: commands that only forward, one state that comes back whole, deep links, tray, the frame socket's bytes.

pub mod state;
