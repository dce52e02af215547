//! A virtual network in virtual time, seeded random numbers, and something like speech. For tests only.

pub mod net;
pub mod random;
pub mod tcp;
pub mod voice;
