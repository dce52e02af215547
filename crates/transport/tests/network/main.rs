//! Senders and receivers over virtual paths, in virtual time.

mod delivery;
mod estimate;
mod garbage;
mod repair;
mod sender;
mod twcc;
mod world;
