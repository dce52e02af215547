//! Browsers that reach only the server's relay, over TCP.

use serde_json::json;
use server::{BuiltinTurn, Config, Server, Turn};
use whole_system::browser::Kind;

/// The address of the test's own network.
const HERE: [u8; 4] = [10, 77, 0, 1];
/// The port of WebSockets, and the only one that the browser receives for TURN.
const PORT: u16 = 7077;

/// Two connections of one browser exchange a message through the port of WebSockets.
pub(crate) fn over_the_port_of_websockets(kind: Kind) {
    super::with(kind, async |browser| {
        let turn = BuiltinTurn {
            listen: (HERE, 3478).into(),
            stream_urls: vec!["turn:10.77.0.1:7077?transport=tcp".into()],
            ..BuiltinTurn::default()
        };
        let config = Config {
            listen: (HERE, PORT).into(),
            turn: Turn::Builtin(turn),
            allowed_origins: vec![browser.origin.clone()],
            ..Config::default()
        };
        let server = Server::start(config).await.expect("the server starts");
        let result = browser.call("relayed", json!({ "url": "ws://10.77.0.1:7077", "transport": "tcp" }));
        assert_eq!(result, json!({ "message": "soup", "protocols": ["tcp", "tcp"] }));
        server.stop().await;
    });
}
