//! Runs any sequence of datagrams through a relay: from clients and peers, at any pace.
//!
//! Input: records of one byte for the kind, one for the wait, one for the length, and that many bytes.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use relay::{Action, Client, Config, Now, Open, PeerPolicy, PortId, Relay, Secrets, Shares, Transport};

/// Runs the records of an input.
pub(crate) fn datagrams(input: &[u8]) {
    let start = Instant::now();
    let secrets = Secrets { own: [1; 32], shared: Some("shared".into()) };
    let shares = Shares { per_person: 2, total: 3 };
    let mut relay = Relay::new(Config { policy: PeerPolicy::default(), shares, secrets, key: [2; 32] }, start);
    relay.session_opened("s", true);
    let (mut now, mut out, mut rest) = (Now { instant: start, unix: 1_800_000_000 }, Vec::new(), input);
    while let [what, wait, length, after @ ..] = rest {
        let (datagram, left) = after.split_at(after.len().min(usize::from(*length)));
        rest = left;
        now = Now { instant: now.instant + Duration::from_secs((*wait).into()), unix: now.unix + u64::from(*wait) };
        step(&mut relay, now, *what, datagram, &mut out);
        if relay.poll_timeout().is_some_and(|at| at <= now.instant) {
            relay.handle_timeout(now.instant);
        }
        while relay.poll_closed().is_some() {}
        while relay.poll_closed_stream().is_some() {}
    }
}

fn step(relay: &mut Relay, now: Now, what: u8, datagram: &[u8], out: &mut Vec<u8>) {
    let port = u16::from(what >> 4);
    if what & 8 != 0 {
        let peer = SocketAddr::from(([20, 0, 0, 1], 9));
        relay.handle_peer(now.instant, PortId(port.into()), peer, datagram, out);
        return;
    }
    let transport = if what & 4 != 0 { Transport::Tcp } else { Transport::Udp };
    let remote = SocketAddr::from(([198, 51, 100, 1], 5_000 + (port & 3)));
    let client = Client { transport, remote, local: SocketAddr::from(([11, 0, 0, 1], 3_478)) };
    // Streams open and close anywhere between their frames.
    match (transport, datagram) {
        (Transport::Tcp, [0xff, ..]) => relay.stream_closed(now.instant, &client),
        (Transport::Tcp, [0xfe, ..]) => relay.stream_opened(now.instant, &client),
        _ => {}
    }
    match relay.handle(now, &client, datagram, out) {
        Action::Peer { data, .. } => assert!(datagram.get(data).is_some()),
        Action::Open(Open { port, beside, .. }) => {
            let relayed = SocketAddr::from(([11, 0, 0, 1], 50_000 + port.0 as u16));
            let above = beside.map(|port| SocketAddr::from(([11, 0, 0, 1], 50_000 + port.0 as u16)));
            assert_eq!(relay.opened(now.instant, port, Ok((relayed, above)), out), Some(client));
        }
        Action::Client(_) => assert!(!out.is_empty()),
        Action::Drop => {}
    }
}

/// Returns a message without credentials, with attributes.
fn message(kind: u16, attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, value) in attributes {
        body.extend(kind.to_be_bytes());
        body.extend((value.len() as u16).to_be_bytes());
        body.extend(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut out = kind.to_be_bytes().to_vec();
    out.extend((body.len() as u16).to_be_bytes());
    out.extend([0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    out.extend(body);
    out
}

fn xor(peer: SocketAddr) -> (u16, Vec<u8>) {
    let SocketAddr::V4(peer) = peer else { return (0x0012, vec![]) };
    let ip = (peer.ip().to_bits() ^ 0x2112_a442).to_be_bytes();
    (0x0012, [&[0, 1], &(peer.port() ^ 0x2112).to_be_bytes()[..], &ip].concat())
}

/// Returns a Send indication for a peer.
pub(crate) fn send_indication(peer: SocketAddr, data: &[u8]) -> Vec<u8> {
    message(0x0016, &[xor(peer), (0x0013, data.to_vec())])
}

/// Returns a CreatePermission request for a peer.
pub(crate) fn create_permission(peer: SocketAddr) -> Vec<u8> {
    message(0x0008, &[xor(peer)])
}

/// Seeds.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let peer = SocketAddr::from(([20, 0, 0, 1], 9));
    let credentials = vec![
        (0x0006, b"1900000000:s".to_vec()),
        (0x0014, b"lunchroom".to_vec()),
        (0x0015, vec![b'A'; 22]),
        (0x0008, vec![0; 20]),
    ];
    let allocate = [vec![(0x0019, vec![17, 0, 0, 0])], credentials].concat();
    let datagrams = [
        message(0x0001, &[]),
        message(0x0003, &[(0x0019, vec![17, 0, 0, 0]), (0x0018, vec![0x80])]),
        message(0x0003, &allocate),
        message(0x0004, &[(0x000d, vec![0, 0, 2, 88])]),
        create_permission(peer),
        message(0x0009, &[(0x000c, vec![0x40, 0, 0, 0]), xor(peer)]),
        send_indication(peer, b"hello"),
        vec![0x40, 0, 0, 5, b'h', b'e', b'l', b'l', b'o'],
        vec![0xfe],
        vec![0xff],
    ];
    let record = |kind, datagram: &Vec<u8>| [vec![kind, 1, datagram.len() as u8], datagram.clone()].concat();
    let mut seeds: Vec<Vec<u8>> =
        [0, 4].iter().flat_map(|kind| datagrams.iter().map(|datagram| record(*kind, datagram))).collect();
    seeds.push(seeds.concat());
    seeds
}
