//! The relay from outside: datagrams in, actions out, time as it is told.

mod faults;
mod limits;
mod mutations;
mod operations;
mod rfc;
mod sessions;
mod world;
