//! Somebody on the path between two connections.
#![allow(dead_code)] // Each test file uses a part.

use crate::pair::{RewriteCandidate, Side, join_over};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Two sockets. Each side takes one of them for the other side.
pub(crate) struct Middle {
    sockets: [Arc<UdpSocket>; 2],
    ports: [Arc<AtomicU16>; 2],
}

impl Middle {
    /// Joins two sides. `change` gets each datagram with the number of its sender, and returns what is sent instead.
    pub(crate) async fn join<C>(a: &mut Side, b: &mut Side, change: C) -> Middle
    where
        C: Fn(usize, &[u8]) -> Vec<Vec<u8>> + Clone + Send + Sync + 'static,
    {
        Middle::join_far(a, b, Duration::ZERO, change).await
    }

    /// Like [`Middle::join`]; each datagram takes `way` from one side to the other.
    pub(crate) async fn join_far<C>(a: &mut Side, b: &mut Side, way: Duration, change: C) -> Middle
    where
        C: Fn(usize, &[u8]) -> Vec<Vec<u8>> + Clone + Send + Sync + 'static,
    {
        let (one, other) =
            (UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let middle = Middle { sockets: [Arc::new(one), Arc::new(other)], ports: Default::default() };
        for sender in 0..2 {
            let (from, out, to) =
                (middle.sockets[sender].clone(), middle.sockets[1 - sender].clone(), middle.ports[1 - sender].clone());
            let change = change.clone();
            tokio::spawn(async move {
                let (line, mut far_end) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
                tokio::spawn(async move {
                    while let Some((at, datagram)) = far_end.recv().await {
                        tokio::time::sleep_until(at + way).await;
                        let _ = out.send_to(&datagram, ("127.0.0.1", to.load(Ordering::Relaxed))).await;
                    }
                });
                let mut buffer = [0; 2048];
                while let Ok((length, _)) = from.recv_from(&mut buffer).await {
                    for datagram in change(sender, &buffer[..length]) {
                        let _ = line.send((Instant::now(), datagram));
                    }
                }
            });
        }
        join_over(a, b, [middle.rewrite(0), middle.rewrite(1)]);
        middle
    }

    /// Puts our address into the candidates of a side, and remembers theirs.
    fn rewrite(&self, side: usize) -> RewriteCandidate {
        let (port, ours) = (self.ports[side].clone(), self.sockets[1 - side].local_addr().unwrap().port());
        Box::new(move |candidate| {
            let mut words: Vec<String> = candidate.split(' ').map(str::to_owned).collect();
            port.store(words[5].parse().unwrap(), Ordering::Relaxed);
            words[5] = ours.to_string();
            words.join(" ")
        })
    }

    /// Sends a datagram to a side, with the address that it takes for the other.
    pub(crate) async fn inject(&self, side: usize, datagram: &[u8]) {
        let port = self.ports[side].load(Ordering::Relaxed);
        self.sockets[side].send_to(datagram, ("127.0.0.1", port)).await.unwrap();
    }
}
