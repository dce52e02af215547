//! Outgoing TCP connections, of the WebSocket to a server and of TURN over TCP and TLS.
//!
//! ```text
//!  host, port ─► resolve ─► first_of: addresses in a race ─► Proxy::tunnel ─► encrypt ─► Stream
//!                           (RFC 8305)                       (if there is one)  (if it is TLS)
//! ```
//!
//! [`connect_within`] does all of it. A caller whose own handshake belongs to the race uses the parts.

mod answer;
mod connect;
mod first;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod gnome;
mod proxy;
mod race;
mod settings;
mod stream;
mod tls;

pub use connect::{ConnectError, Destination, connect_within, resolve};
pub use first::{Failed, first_of};
pub use proxy::{Proxy, ProxyError};
pub use settings::Proxies;
pub use stream::{Stream, encrypt, tcp};
pub use tls::{CertificateFault, Presented, TlsFailure, client_config, recording_config, relay_config};
