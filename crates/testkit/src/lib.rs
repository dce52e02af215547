//! Virtual network and time, simulated devices: for tests only.
