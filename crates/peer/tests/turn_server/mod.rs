//! A TURN server (RFC 8656) on loopback, over UDP.
#![allow(dead_code)] // Each test file uses a part.

use peer::IceServer;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use turn::auth::{AuthHandler, generate_auth_key};
use turn::relay::relay_static::RelayAddressGeneratorStatic;
use turn::server::Server;
use turn::server::config::{ConnConfig, ServerConfig};
use webrtc_util::vnet::net::Net;

struct Anyone;

impl AuthHandler for Anyone {
    fn auth_handle(&self, user: &str, realm: &str, _: SocketAddr) -> Result<Vec<u8>, turn::Error> {
        Ok(generate_auth_key(user, realm, "secret"))
    }
}

/// Starts a server. Returns its address too.
pub(crate) async fn start() -> (Server, SocketAddr) {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let generator = RelayAddressGeneratorStatic {
        relay_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        address: "127.0.0.1".into(),
        net: Arc::new(Net::new(None)),
    };
    let server = Server::new(ServerConfig {
        conn_configs: vec![ConnConfig { conn: Arc::new(socket), relay_addr_generator: Box::new(generator) }],
        realm: "lunch".into(),
        auth_handler: Arc::new(Anyone),
        channel_bind_timeout: Duration::ZERO,
        alloc_close_notify: None,
    });
    (server.await.unwrap(), address)
}

/// The URL with credentials that the server accepts.
pub(crate) fn ice_server(url: String) -> IceServer {
    IceServer { urls: vec![url], username: "u".into(), credential: "secret".into() }
}
