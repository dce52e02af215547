//! The real server on loopback, with real sockets.

mod accounts;
mod board;
mod calendar;
mod calendar_history;
mod client;
mod fairness;
mod forwarding;
mod hostile;
mod http;
mod issuer;
mod joining;
mod memory;
mod metrics;
mod order;
mod program;
mod proxies;
mod refusals;
mod resuming;
mod rounds;
mod signing_in;
mod stopping;
mod streams;
mod stun;
mod tls;
mod turn;

use std::net::SocketAddr;

use server::{BuiltinTurn, Config, Server, Turn};

const LOOPBACK: &str = "127.0.0.1:0";

fn loopback() -> SocketAddr {
    LOOPBACK.parse().expect("an address")
}

/// A server on free ports of loopback, without TURN.
fn config() -> Config {
    Config { listen: loopback(), turn: Turn::Off, ..Config::default() }
}

fn config_with_turn() -> Config {
    let turn = BuiltinTurn { listen: loopback(), ..BuiltinTurn::default() };
    Config { turn: Turn::Builtin(turn), ..config() }
}

async fn start(config: Config) -> Server {
    Server::start(config).await.expect("starts")
}
