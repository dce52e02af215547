//! STUN and TURN over UDP in this process (RFC 8489, RFC 8656).
//!
//! The `turn` crate answers requests and keeps allocations. What it lacks is here: our credentials, quotas, who may
//! be sent to, a bounded store of nonces, and that no datagram can stop the loop.

mod front;
mod nonces;
mod policy;
mod quota;
mod rates;
mod relay_conn;
mod switch;

use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt as _;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use turn::allocation::allocation_manager::{Manager, ManagerConfig};
use turn::allocation::five_tuple::FiveTuple;
use turn::allocation::permission::Permission;
use turn::auth::{AuthHandler, generate_auth_key};
use turn::proto::PROTO_UDP;
use turn::server::request::Request;
use webrtc_util::Conn;

use crate::config::BuiltinTurn;
use crate::connection::stopped;
use crate::error::StartError;
use crate::ice::turn_user;
use front::{Front, Verdict};
use nonces::Nonces;
use policy::PeerPolicy;
use quota::Quota;
use rates::RequestRates;
use relay_conn::{ListenConn, RelayAddresses, RelayConns};
use switch::Switch;

/// Realm of the long-term credentials; clients take it from the first refusal.
const REALM: &str = "lunchroom";
/// A datagram is at most this long; longer ones are cut by the system and then refused as malformed.
const MAX_DATAGRAM: usize = 2_048;
/// How long a channel lives without being refreshed (RFC 8656 section 12).
const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);

tokio::task_local! {
    /// Whose request is being handled: credentials name them before an allocation counts them.
    static ASKING: std::cell::RefCell<Option<Asking>>;
    /// The type of the last answer to the request being handled.
    static ANSWERED: std::cell::Cell<u16>;
}

/// Whose request is being handled.
#[derive(Debug, Clone)]
struct Asking {
    /// As [`crate::ice::TurnUser`] names them.
    person: String,
    /// Their address as it is seen here.
    from: IpAddr,
}

/// A running relay.
pub(crate) struct Relay {
    addr: SocketAddr,
    stopping: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Relay {
    pub(crate) async fn start(config: &BuiltinTurn, secret: String) -> Result<Relay, StartError> {
        let failed = |source| StartError::TurnListen { address: config.listen, source };
        let socket = UdpSocket::bind(config.listen).await.map_err(failed)?;
        let addr = socket.local_addr().map_err(failed)?;
        let policy = PeerPolicy { allow_lan: config.allow_lan, allow_loopback: config.allow_loopback };
        let switch = Arc::new(Switch::new(policy, config.total));
        let relay_conns = RelayConns {
            addresses: RelayAddresses { external: config.external.clone(), listen: addr.ip() },
            ports: config.ports.clone(),
            switch: Arc::clone(&switch),
            quota: Arc::new(Quota::new(config.per_person, config.total)),
        };
        let (stopping, stops) = watch::channel(false);
        let service = Service {
            conn: Arc::new(ListenConn::new(socket, addr)),
            addr,
            allocations: Arc::new(Manager::new(ManagerConfig {
                relay_addr_generator: Box::new(relay_conns),
                alloc_close_notify: None,
            })),
            nonces: Nonces::default(),
            credentials: Arc::new(Credentials { secret }),
            front: Front { switch },
            rates: RequestRates::new(config.total),
        };
        let task = tokio::spawn(service.run(stops));
        Ok(Relay { addr, stopping, task })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) async fn stop(self) {
        self.stopping.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the relay failed");
        }
    }
}

/// The loop that answers datagrams, one after the other.
struct Service {
    conn: Arc<ListenConn>,
    addr: SocketAddr,
    allocations: Arc<Manager>,
    nonces: Nonces,
    credentials: Arc<Credentials>,
    front: Front,
    rates: RequestRates,
}

impl Service {
    async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        let mut buffer = vec![0; MAX_DATAGRAM];
        loop {
            let (length, source) = tokio::select! {
                received = self.conn.receive(&mut buffer) => received,
                () = stopped(&mut stopping) => break,
            };
            self.handle(&buffer[..length], source).await;
        }
        // Allocations end with the map that holds them.
        let _ = self.allocations.close().await;
    }

    async fn handle(&mut self, datagram: &[u8], source: SocketAddr) {
        let allocation = FiveTuple { src_addr: source, dst_addr: self.addr, protocol: PROTO_UDP };
        let has_allocation = self.allocations.get_allocation(&allocation).await.is_some();
        if has_allocation && front::costs(datagram) && !self.rates.take(Instant::now(), source) {
            return;
        }
        match self.front.judge(datagram, has_allocation) {
            Verdict::Drop => {}
            Verdict::Answer(answer) => self.conn.answer(&answer, source).await,
            Verdict::Pass { peers } => {
                let answered = self.pass(datagram, source).await;
                if answered == front::CREATE_PERMISSION_SUCCESS && peers.len() > 1 {
                    self.permit(&allocation, &peers).await;
                }
            }
        }
    }

    /// Lets the `turn` crate handle a datagram; gives the type of its answer, 0 for none.
    async fn pass(&self, datagram: &[u8], source: SocketAddr) -> u16 {
        self.nonces.prune().await;
        let mut request = Request {
            conn: Arc::clone(&self.conn) as Arc<dyn Conn + Send + Sync>,
            src_addr: source,
            buff: datagram.to_vec(),
            allocation_manager: Arc::clone(&self.allocations),
            nonces: self.nonces.shared(),
            auth_handler: Arc::clone(&self.credentials) as Arc<dyn AuthHandler + Send + Sync>,
            realm: REALM.to_owned(),
            channel_bind_timeout: CHANNEL_LIFETIME,
        };
        let handling = async {
            // A fault of the crate ends this request, not the relay.
            match AssertUnwindSafe(request.handle_request()).catch_unwind().await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::trace!(%error, "datagram refused"),
                Err(_) => tracing::error!("a datagram made the TURN library panic"),
            }
            ANSWERED.with(std::cell::Cell::get)
        };
        ASKING.scope(None.into(), ANSWERED.scope(0.into(), handling)).await
    }

    /// The crate permits only the first peer of a request that names several (RFC 8656 section 9.1 allows that).
    async fn permit(&self, allocation: &FiveTuple, peers: &[SocketAddr]) {
        let Some(allocation) = self.allocations.get_allocation(allocation).await else { return };
        for peer in &peers[1..] {
            allocation.add_permission(Permission::new(*peer)).await;
        }
    }
}

/// Believes user names that this server gave out and that have not expired.
struct Credentials {
    secret: String,
}

impl AuthHandler for Credentials {
    fn auth_handle(&self, username: &str, realm: &str, source: SocketAddr) -> Result<Vec<u8>, turn::Error> {
        let user = turn_user(&self.secret, username, SystemTime::now())
            .map_err(|error| turn::Error::Other(error.to_string()))?;
        // Who this is counts only once the request's integrity has proved it; nothing is allocated before.
        ASKING.with(|asking| asking.replace(Some(Asking { person: user.person, from: source.ip() })));
        Ok(generate_auth_key(username, realm, &user.password))
    }
}
