//! The relay from outside: datagrams in, actions out, in virtual time.

mod faults;
mod limits;
mod mutations;
mod operations;
mod rfc;
mod sessions;
mod stream;
mod world;
