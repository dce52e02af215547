//! Virtual network and time, simulated devices: for tests only.

pub mod net;
pub mod random;
