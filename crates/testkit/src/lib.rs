//! A virtual network in virtual time, and seeded random numbers. For tests only.

pub mod net;
pub mod random;
pub mod tcp;
