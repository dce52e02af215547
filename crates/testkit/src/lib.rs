//! A virtual network in virtual time, seeded random numbers, something like speech, and addresses. For tests only.

pub mod loopback;
pub mod net;
pub mod random;
pub mod tcp;
pub mod voice;
