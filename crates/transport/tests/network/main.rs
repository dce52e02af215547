//! Tests of senders and receivers over simulated paths, in virtual time.

mod coordination;
mod delivery;
mod downlink;
mod estimate;
mod garbage;
mod paths;
mod plan;
mod red;
mod repair;
mod scenarios;
mod sender;
mod twcc;
mod uplink;
mod world;
