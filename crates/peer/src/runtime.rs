//! The runtime of a connection's driver: tokio with seven changes.
//!
//! - A [`Kick`] can end the driver's sleep.
//! - Short sleeps are precise. Tokio rounds to whole milliseconds and is 1.2 ms late on average, a delay that the pacer
//!   would add to every packet of a frame. On Linux a `timerfd` on the same reactor is 0.05 ms late, and costs one
//!   system call per sleep. Other systems use tokio's timer.
//! - Sockets hold back an early handshake ([`Gate`]), answer data from relays without delay ([`Relays`]), limit checks
//!   of addresses that have never answered, and drop what strangers send ([`Checks`]). The driver sleeps while all
//!   checks are held back.
//! - Sockets repeat lost handshake flights early ([`flights`]), and save round trips: they confirm our nominations
//!   ([`FarSide`]) and answer our first ClientHello ([`Cookies`]).
//! - Sockets reach some TURN servers over TCP and TLS ([`turn_stream`]).
//! - A panic in the library ends the connection and not the process, and its owner is notified.

use crate::confirmation::FarSide;
use crate::dtls_cookie::Cookies;
use crate::early::Gate;
use crate::flights;
use crate::kick::Kick;
use crate::paced::Checks;
use crate::relayed::Relays;
use crate::sdp::Transport;
use crate::servers::Servers;
use crate::timer::Timer;
use crate::turn_stream::{self, Streams};
use rtc::crypto::{CryptoError, RTCCryptoProvider};
use std::cell::Cell;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, Runtime, TokioRuntime,
};

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

thread_local! {
    /// Whether this thread is running a driver: only the driver's own sleeps may end early.
    static ON_DRIVER: Cell<bool> = const { Cell::new(false) };
}

/// The runtime of one connection.
#[derive(Debug)]
pub(crate) struct DriverRuntime {
    tokio: TokioRuntime,
    kick: Arc<Kick>,
    timer: Arc<Timer>,
    gate: Arc<Gate>,
    relays: Arc<Relays>,
    checks: Arc<Checks>,
    cookies: Arc<Cookies>,
    far: Arc<FarSide>,
    streams: Arc<Streams>,
    /// Notified when the driver panics.
    panicked: Arc<Notify>,
}

impl DriverRuntime {
    pub(crate) fn new(
        kick: Arc<Kick>,
        gate: Arc<Gate>,
        relays: Relays,
        checks: Arc<Checks>,
        cookies: Arc<Cookies>,
        streams: Arc<Streams>,
        panicked: Arc<Notify>,
    ) -> DriverRuntime {
        let (tokio, timer, far, relays) = (TokioRuntime, Arc::default(), Arc::default(), Arc::new(relays));
        DriverRuntime { tokio, kick, timer, gate, relays, checks, cookies, far, streams, panicked }
    }

    /// Replaces the STUN and TURN servers, for sockets that are made from now on.
    pub(crate) fn set_servers(&self, servers: &Servers) {
        self.relays.set_addresses(servers.relays().iter().map(|relay| relay.address).collect());
        self.checks.set_relays(servers.relays());
        self.streams.set_servers(servers.streams.clone());
    }

    /// We publish a description with these ICE credentials.
    pub(crate) fn accept_checks(&self, ufrag: &str, password: &str) {
        self.checks.accept(ufrag, password);
    }

    /// The far side's description has these parameters. Called before the library knows them.
    pub(crate) fn expect(&self, far_side: &Transport) {
        self.cookies.set_far(far_side.cookie);
        self.far.set(&far_side.ufrag, &far_side.password);
    }

    /// Cryptography for the library.
    pub(crate) fn crypto(&self) -> Result<Arc<dyn RTCCryptoProvider>, CryptoError> {
        self.cookies.provider()
    }

    fn on_driver(&self, future: Task) -> Task {
        Box::pin(OnDriver { future, panicked: self.panicked.clone() })
    }
}

impl Runtime for DriverRuntime {
    fn spawn(&self, future: Task) -> Box<dyn JoinHandle> {
        self.tokio.spawn(self.on_driver(future))
    }

    fn spawn_reactor(&self, threads: usize, future: Task) -> Box<dyn JoinHandle> {
        self.tokio.spawn_reactor(threads, self.on_driver(future))
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let socket = self.tokio.wrap_udp_socket(socket)?;
        // Outermost what decides who is heard: by the time that an early handshake is released, its sender is known.
        let socket = self.gate.guard(self.relays.watch(turn_stream::attach(&self.streams, socket)));
        // What `Checks` drops must not be confirmed.
        let socket = self.checks.pace(self.far.confirm(socket));
        Ok(self.cookies.answer(flights::retransmit(socket)))
    }

    fn wrap_tcp_listener(&self, listener: TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        self.tokio.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(
        &'a self,
        address: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<Arc<dyn AsyncTcpStream>>> + Send + 'a>> {
        self.tokio.connect_tcp(address)
    }

    fn resolve_host<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>> {
        match self.streams.resolve(host) {
            Some(addresses) => Box::pin(std::future::ready(Ok(addresses))),
            None => self.tokio.resolve_host(host),
        }
    }

    fn sleep(&self, duration: Duration) -> Task {
        if !ON_DRIVER.get() {
            return self.tokio.sleep(duration);
        }
        let now = Instant::now();
        if self.relays.another_round(now) {
            return Box::pin(std::future::ready(()));
        }
        let duration = duration.max(self.checks.wait(now));
        Box::pin(DriverSleep { kick: self.kick.clone(), sleep: self.timer.sleep(duration) })
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        self.tokio.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        self.tokio.block_on(future);
    }

    fn yield_now(&self) -> Task {
        self.tokio.yield_now()
    }

    fn name(&self) -> &'static str {
        "lunchroom"
    }
}

/// A driver that sets [`ON_DRIVER`] while it runs.
struct OnDriver {
    future: Task,
    panicked: Arc<Notify>,
}

impl Future for OnDriver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let before = ON_DRIVER.replace(true);
        let outcome = catch_unwind(AssertUnwindSafe(|| self.future.as_mut().poll(context)));
        ON_DRIVER.set(before);
        outcome.unwrap_or_else(|_| {
            // The future may be in an inconsistent state. It is never polled again, only dropped.
            tracing::error!("the connection's driver panicked");
            self.panicked.notify_one();
            Poll::Ready(())
        })
    }
}

/// A sleep that a kick can end.
struct DriverSleep {
    kick: Arc<Kick>,
    sleep: Task,
}

impl Future for DriverSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.kick.poll_kicked(context).is_ready() {
            return Poll::Ready(());
        }
        self.sleep.as_mut().poll(context)
    }
}
