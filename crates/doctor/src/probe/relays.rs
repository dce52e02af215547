//! STUN and TURN.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use outbound::{ConnectError, Destination, Proxies, Proxy, Stream};
use relay::request::{Login, Request, Response, indicated_data, send_indication};
use signaling::ice_url::{IceScheme, IceUrl};
use signaling::message::IceServer;
use tokio::time::{sleep, timeout};

use super::channel::{Channel, fault};
use super::{mtu, random};
use crate::examination::{Mtu, Outcome, Relay};

/// Most addresses that are examined; further ones are ignored.
const MAX_SERVERS: usize = 8;
/// Longest time until a stream is open.
const CONNECT: Duration = Duration::from_secs(3);
/// How often a datagram is sent through our own allocation, and how long each may take to come back.
const ECHOES: u32 = 4;
const ECHO: Duration = Duration::from_millis(300);

/// One address of a server, with its credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    scheme: IceScheme,
    host: String,
    port: u16,
    username: String,
    credential: String,
}

/// Examines all servers at the same time, and the path MTU to the first one that speaks UDP.
pub(super) async fn examine(
    servers: &[IceServer],
    fingerprint: Option<[u8; 32]>,
    proxies: &Proxies,
    time: Duration,
) -> (Vec<Relay>, Mtu) {
    let places = places(servers);
    let relays = places.iter().map(|place| one(place, fingerprint, proxies, time));
    let udp = places.iter().find(|place| matches!(place.scheme, IceScheme::Stun | IceScheme::TurnUdp));
    let mtu = async {
        let place = udp?;
        let address = address(&place.host, place.port).await?;
        mtu::measure(address).await
    };
    let mtu = async { timeout(time, mtu).await.ok().flatten().unwrap_or(Mtu::NotMeasured) };
    tokio::join!(join_all(relays), mtu)
}

fn places(servers: &[IceServer]) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for (server, url) in servers.iter().flat_map(|server| server.urls.iter().map(move |url| (server, url))) {
        let Some(IceUrl { scheme, host, port }) = IceUrl::parse(url) else { continue };
        let known = places.iter().any(|one| (one.scheme, one.host.as_str(), one.port) == (scheme, host, port));
        if !known && places.len() < MAX_SERVERS {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let (username, credential) = (text(&server.username), text(&server.credential));
            places.push(Place { scheme, host: host.to_owned(), port, username, credential });
        }
    }
    places
}

async fn one(place: &Place, fingerprint: Option<[u8; 32]>, proxies: &Proxies, time: Duration) -> Relay {
    let mut reached = Outcome::NoAddress;
    let outcome = match timeout(time, outcome(place, fingerprint, proxies, &mut reached)).await {
        Ok(Ok(outcome) | Err(outcome)) => outcome,
        Err(_) => reached,
    };
    // What arrived says more than that no answer did.
    let outcome = if outcome == Outcome::Mute && reached == Outcome::Garbage { reached } else { outcome };
    Relay { scheme: place.scheme, host: place.host.clone(), port: place.port, outcome }
}

/// `reached` is what is known if time runs out.
async fn outcome(
    place: &Place,
    fingerprint: Option<[u8; 32]>,
    proxies: &Proxies,
    reached: &mut Outcome,
) -> Result<Outcome, Outcome> {
    let mut channel = match place.scheme {
        IceScheme::Stun | IceScheme::TurnUdp => {
            let address = address(&place.host, place.port).await.ok_or(Outcome::NoAddress)?;
            *reached = Outcome::Silent;
            Channel::udp(address).await.map_err(|error| fault(&error))?
        }
        IceScheme::TurnTcp | IceScheme::TurnTls => {
            *reached = Outcome::Silent;
            let stream = open(place, fingerprint, proxies).await?;
            *reached = Outcome::Mute;
            Channel::stream(stream)
        }
    };
    match place.scheme {
        IceScheme::Stun => stun(&mut channel, reached).await,
        IceScheme::TurnUdp | IceScheme::TurnTcp | IceScheme::TurnTls => turn(&mut channel, place, reached).await,
    }
}

/// The address that the app would use: IPv4 if there is one, because it is the usual family behind a NAT.
async fn address(host: &str, port: u16) -> Option<SocketAddr> {
    let mut addresses = outbound::resolve(host, port).await.ok()?;
    addresses.sort_by_key(SocketAddr::is_ipv6);
    addresses.first().copied()
}

/// Opens a stream, directly and through the proxy at the same time, as the app does.
async fn open(place: &Place, fingerprint: Option<[u8; 32]>, proxies: &Proxies) -> Result<Box<dyn Stream>, Outcome> {
    let tls = match place.scheme {
        IceScheme::TurnTls => Some(outbound::relay_config(fingerprint).map_err(|_| Outcome::Tls)?),
        IceScheme::TurnTcp | IceScheme::TurnUdp | IceScheme::Stun => None,
    };
    let to = Destination { host: place.host.clone(), port: place.port, tls };
    let proxy = proxies.find(&to.host, to.port).await.map_err(Outcome::Proxy)?;
    let ways: Vec<Option<&Proxy>> = [None].into_iter().chain(proxy.as_ref().map(Some)).collect();
    let mut attempts: FuturesUnordered<_> = ways.into_iter().map(|way| attempt(&to, way)).collect();
    let mut failed = Outcome::Silent;
    while let Some(done) = attempts.next().await {
        match done {
            Ok(stream) => return Ok(stream),
            // Where there is a proxy, it is the way out.
            Err(outcome) if !matches!(failed, Outcome::Proxy(_)) => failed = outcome,
            Err(_) => {}
        }
    }
    Err(failed)
}

async fn attempt(to: &Destination, proxy: Option<&Proxy>) -> Result<Box<dyn Stream>, Outcome> {
    outbound::connect_within(CONNECT, to, proxy).await.map_err(|error| match error {
        ConnectError::Unreachable(error) => match error.kind() {
            std::io::ErrorKind::ConnectionRefused => Outcome::Closed,
            std::io::ErrorKind::NetworkUnreachable | std::io::ErrorKind::HostUnreachable => Outcome::Unreachable,
            _ => Outcome::Silent,
        },
        ConnectError::Tls(_) => Outcome::Tls,
        ConnectError::Proxy(fault) => Outcome::Proxy(fault),
        ConnectError::Timeout => Outcome::Silent,
    })
}

async fn stun(channel: &mut Channel, reached: &mut Outcome) -> Result<Outcome, Outcome> {
    Ok(match channel.ask(&Request::binding(random()), reached).await? {
        Response::Success { mapped: Some(mapped), .. } => Outcome::Works(mapped),
        Response::Success { mapped: None, .. } => Outcome::Garbage,
        Response::Challenge { .. } => Outcome::Error(401),
        Response::Error(code) => Outcome::Error(code),
    })
}

async fn turn(channel: &mut Channel, place: &Place, reached: &mut Outcome) -> Result<Outcome, Outcome> {
    let (login, relayed) = match allocate(channel, place, reached).await? {
        Ok(allocated) => allocated,
        Err(outcome) => return Ok(outcome),
    };
    *reached = Outcome::Allocated;
    let came_back = echo(channel, &login, relayed, reached).await;
    // It would also end with the session.
    let _ = channel.send(Request::release(random(), &login).bytes()).await;
    Ok(if came_back { Outcome::Works(relayed) } else { Outcome::Allocated })
}

/// Asks for a relayed address: without credentials first, because the nonce is in the refusal.
async fn allocate(
    channel: &mut Channel,
    place: &Place,
    reached: &mut Outcome,
) -> Result<Result<(Login, SocketAddr), Outcome>, Outcome> {
    let mut login: Option<Login> = None;
    // The third request is for a nonce that has become stale.
    for _ in 0..3 {
        match (channel.ask(&Request::allocate(random(), login.as_ref()), reached).await?, &login) {
            (Response::Challenge { realm, nonce }, _) => {
                login = Some(Login::new(&place.username, &place.credential, &realm, &nonce));
            }
            (Response::Success { relayed: Some(relayed), .. }, Some(login)) => return Ok(Ok((login.clone(), relayed))),
            (Response::Success { .. }, _) => return Ok(Err(Outcome::Garbage)),
            (Response::Error(code), _) => return Ok(Err(Outcome::Error(code))),
        }
    }
    Ok(Err(Outcome::Error(401)))
}

/// Sends a datagram to our own relayed address, and waits for it.
async fn echo(channel: &mut Channel, login: &Login, relayed: SocketAddr, reached: &mut Outcome) -> bool {
    let permitted = channel.ask(&Request::permission(random(), login, relayed), reached).await;
    if !matches!(permitted, Ok(Response::Success { .. })) {
        return false;
    }
    let data: [u8; 32] = random();
    for _ in 0..ECHOES {
        if channel.send(&send_indication(random(), relayed, &data)).await.is_err() {
            return false;
        }
        let deadline = sleep(ECHO);
        tokio::pin!(deadline);
        loop {
            tokio::select! {
                received = channel.receive() => match received {
                    Ok(received) if indicated_data(&received).is_some_and(|(_, back)| back == data) => return true,
                    Ok(_) => {}
                    Err(_) => return false,
                },
                () = &mut deadline => break,
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UdpSocket;

    fn server(urls: &[String]) -> IceServer {
        IceServer { urls: urls.to_vec(), username: Some("u".into()), credential: Some("c".into()) }
    }

    #[test]
    fn the_number_of_servers_is_bounded_and_none_is_examined_twice() {
        let urls: Vec<String> = (1..20).flat_map(|port| [format!("turn:a:{port}"), format!("turn:a:{port}")]).collect();
        let places = places(&[server(&urls)]);
        let ports: Vec<u16> = places.iter().map(|place| place.port).collect();
        assert_eq!(ports, [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[tokio::test]
    async fn rubbish_from_a_stun_server_ends_at_the_deadline() {
        let rubbish = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let address = rubbish.local_addr().expect("it is bound");
        tokio::spawn(async move {
            let mut buffer = [0; 2048];
            while let Ok((_, from)) = rubbish.recv_from(&mut buffer).await {
                for _ in 0..10 {
                    let _ = rubbish.send_to(b"rubbish", from).await;
                }
            }
        });
        let time = Duration::from_millis(300);
        let servers = [server(&[format!("stun:{address}"), format!("turn:{address}")])];
        let (relays, mtu) = examine(&servers, None, &Proxies::Direct, time).await;
        let outcomes: Vec<Outcome> = relays.iter().map(|relay| relay.outcome).collect();
        assert_eq!((outcomes, mtu), (vec![Outcome::Garbage; 2], Mtu::NotMeasured));
    }
}
