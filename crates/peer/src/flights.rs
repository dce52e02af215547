//! Repeats lost DTLS handshake flights early.
//!
//! The library retransmits a flight after one second and offers no setting, so one lost datagram would delay a call by a
//! second. The sockets therefore send copies of the last flight until the far side's next one comes. A copy has the record
//! numbers of its original. A receiver that has the original drops it as a replay (RFC 6347 section 4.1.2.6).

use crate::stun::{carried, channel_data};
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

/// When a flight is repeated, after its first datagram. The last time is well before the library's own retransmission.
const COPIES_AT: [Duration; 4] =
    [Duration::from_millis(40), Duration::from_millis(120), Duration::from_millis(280), Duration::from_millis(600)];
/// Most datagrams of a flight; a flight with certificates takes two or three. Further ones are not repeated.
const MAX_DATAGRAMS: usize = 8;
/// Record types of the handshake (RFC 6347 section 4.1).
const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
/// Where the type of a record's first handshake message is, and that of the message that asks for a cookie.
const MESSAGE_TYPE: usize = 13;
const HELLO_VERIFY_REQUEST: u8 = 3;
/// Bytes of a record before its length.
const RECORD_NUMBER: std::ops::Range<usize> = 3..11;

/// Wraps a socket, so that it repeats handshake flights.
pub(crate) fn retransmit(socket: Arc<dyn AsyncUdpSocket>) -> Arc<dyn AsyncUdpSocket> {
    Arc::new(RetransmittingSocket { socket, flight: Arc::default(), ended: AtomicBool::new(false) })
}

#[derive(Debug)]
struct RetransmittingSocket {
    socket: Arc<dyn AsyncUdpSocket>,
    flight: Arc<Mutex<Flight>>,
    /// Whether media has come, so that nothing is left to repeat. It avoids the lock for every packet of a call.
    ended: AtomicBool,
}

/// The last flight that was sent.
///
/// ```text
/// Idle --datagram--> Pending --next flight of the far side, or last copy--> Idle
/// ```
#[derive(Debug, Default)]
struct Flight {
    datagrams: Vec<(SocketAddr, Vec<u8>)>,
    /// When it began, and how many times it was repeated. `None` while idle.
    pending: Option<(Instant, usize)>,
    /// The highest record number received: epoch and sequence number.
    newest_record: Option<u64>,
    /// Whether a task sends copies.
    task: bool,
}

impl Flight {
    /// Records a handshake datagram that was sent. Returns whether a task must be started for it.
    fn on_sent(&mut self, now: Instant, to: SocketAddr, datagram: &[u8]) -> bool {
        if self.pending.is_none() {
            self.datagrams.clear();
        }
        let (started, _) = *self.pending.get_or_insert((now, 0));
        if now.saturating_duration_since(started) >= COPIES_AT[COPIES_AT.len() - 1] {
            // The library retransmits the flight itself.
            (self.pending, self.datagrams) = (Some((now, 0)), Vec::new());
        }
        if self.datagrams.len() < MAX_DATAGRAMS {
            self.datagrams.push((to, datagram.to_vec()));
        }
        !std::mem::replace(&mut self.task, true)
    }

    /// Records a handshake datagram that was received. A new one shows that the far side has our flight, except a
    /// HelloVerifyRequest: the second ClientHello may have left before it (`dtls_cookie`).
    fn on_received(&mut self, dtls: &[u8]) {
        let Some(number) = dtls.get(RECORD_NUMBER).filter(|_| dtls.get(MESSAGE_TYPE) != Some(&HELLO_VERIFY_REQUEST))
        else {
            return;
        };
        let number = number.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        if self.newest_record.is_none_or(|newest| number > newest) {
            (self.newest_record, self.pending) = (Some(number), None);
        }
    }

    /// When the next copy is due. `None` if there is none.
    fn due(&self) -> Option<Instant> {
        let (started, copies) = self.pending?;
        COPIES_AT.get(copies).map(|after| started + *after)
    }

    /// Returns the datagrams to send again now.
    fn take_due(&mut self, now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
        if self.due().is_none_or(|due| now < due) {
            return vec![];
        }
        self.pending = self.pending.map(|(started, copies)| (started, copies + 1));
        self.datagrams.clone()
    }
}

impl RetransmittingSocket {
    fn sent(&self, to: SocketAddr, datagram: &[u8]) {
        if handshake(datagram).is_none() || !locked(&self.flight).on_sent(Instant::now(), to, datagram) {
            return;
        }
        let (flight, socket) = (Arc::downgrade(&self.flight), Arc::downgrade(&self.socket));
        tokio::spawn(async move {
            loop {
                let Some(due) = flight.upgrade().and_then(|flight| next_due(&flight)) else { return };
                tokio::time::sleep_until(due.into()).await;
                let (Some(flight), Some(socket)) = (flight.upgrade(), socket.upgrade()) else { return };
                let datagrams = locked(&flight).take_due(Instant::now());
                for (destination, contents) in datagrams {
                    send(&socket, destination, &contents).await;
                }
            }
        });
    }
}

/// When the next copy is due. If there is none, the task ends.
fn next_due(flight: &Mutex<Flight>) -> Option<Instant> {
    let mut flight = locked(flight);
    let due = flight.due();
    flight.task = due.is_some();
    due
}

async fn send(socket: &Arc<dyn AsyncUdpSocket>, destination: SocketAddr, contents: &[u8]) {
    let transmit = Transmit { destination, ecn: None, contents, segment_size: None, src_ip: None };
    if let Err(error) = std::future::poll_fn(|context| socket.poll_send(context, &transmit)).await {
        tracing::debug!("a copy of a handshake was not sent: {error}");
    }
}

fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The DTLS handshake records in a datagram, which may be wrapped for a TURN server.
pub(crate) fn handshake(datagram: &[u8]) -> Option<std::borrow::Cow<'_, [u8]>> {
    let is_handshake = |data: &[u8]| matches!(data.first(), Some(&(CHANGE_CIPHER_SPEC | HANDSHAKE)));
    match datagram.first()? {
        0..=3 => carried(datagram)
            .map(|(_, data)| data.into())
            .filter(|data: &std::borrow::Cow<'_, [u8]>| is_handshake(data)),
        64..=79 => channel_data(datagram).map(|(_, data)| data).filter(|data| is_handshake(data)).map(Into::into),
        _ => is_handshake(datagram).then(|| datagram.into()),
    }
}

/// Whether this is RTP or RTCP (RFC 7983), which only a far side that has finished the handshake sends.
fn is_media(datagram: &[u8]) -> bool {
    let is_media = |data: &[u8]| matches!(data.first(), Some(128..=191));
    is_media(datagram) || channel_data(datagram).is_some_and(|(_, data)| is_media(data))
}

impl AsyncUdpSocket for RetransmittingSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn poll_send(&self, context: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let outcome = self.socket.poll_send(context, transmit);
        if matches!(outcome, Poll::Ready(Ok(_))) && !self.ended.load(Ordering::Relaxed) {
            let size = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
            transmit.contents.chunks(size).for_each(|datagram| self.sent(transmit.destination, datagram));
        }
        outcome
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let outcome = self.socket.poll_recv(context, buffers, meta);
        if let Poll::Ready(Ok(count)) = outcome
            && !self.ended.load(Ordering::Relaxed)
        {
            for (buffer, meta) in buffers.iter().zip(meta.iter()).take(count) {
                for datagram in buffer[..meta.len.min(buffer.len())].chunks(meta.stride.max(1)) {
                    if is_media(datagram) {
                        self.ended.store(true, Ordering::Relaxed);
                        *locked(&self.flight) = Flight::default();
                    } else if let Some(records) = handshake(datagram) {
                        locked(&self.flight).on_received(&records);
                    }
                }
            }
        }
        outcome
    }

    fn max_gso_segments(&self) -> usize {
        self.socket.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.socket.max_gro_segments()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TO: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7);
    const MS: Duration = Duration::from_millis(1);

    fn record(number: u8) -> Vec<u8> {
        let mut record = vec![HANDSHAKE, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, number, 0, 1];
        record.push(9);
        record
    }

    /// Returns the times at which copies are due, in ms after `start`, with the number of datagrams of each.
    fn copies(flight: &mut Flight, start: Instant) -> Vec<(u128, usize)> {
        std::iter::from_fn(|| {
            let due = flight.due()?;
            Some(((due - start).as_millis(), flight.take_due(due).len()))
        })
        .collect()
    }

    #[test]
    fn a_flight_is_sent_until_the_last_copy() {
        let (mut flight, start) = (Flight::default(), Instant::now());
        assert!(flight.on_sent(start, TO, &record(1)));
        assert!(!flight.on_sent(start, TO, &record(2)), "one task");
        assert_eq!(copies(&mut flight, start), [(40, 2), (120, 2), (280, 2), (600, 2)]);
        assert!(flight.take_due(start + 10_000 * MS).is_empty());
    }

    #[test]
    fn the_answer_ends_it_and_a_copy_of_an_earlier_answer_does_not() {
        let (mut flight, start) = (Flight::default(), Instant::now());
        flight.on_sent(start, TO, &record(0));
        flight.on_received(&record(5));
        assert_eq!(flight.due(), None);
        flight.on_sent(start + 10 * MS, TO, &record(1));
        flight.on_received(&record(5));
        assert_eq!(flight.due(), Some(start + 50 * MS));
        assert_eq!(flight.take_due(start + 50 * MS), [(TO, record(1))]);
        flight.on_received(&record(6));
        assert_eq!(flight.due(), None);
    }

    #[test]
    fn a_retransmission_of_the_library_starts_over() {
        let (mut flight, start) = (Flight::default(), Instant::now());
        flight.on_sent(start, TO, &record(0));
        copies(&mut flight, start);
        let later = start + 1_000 * MS;
        flight.on_sent(later, TO, &record(1));
        assert_eq!(copies(&mut flight, later), [(40, 1), (120, 1), (280, 1), (600, 1)]);
    }

    #[test]
    fn memory_is_bounded() {
        let (mut flight, start) = (Flight::default(), Instant::now());
        (0..1_000).for_each(|_| {
            flight.on_sent(start, TO, &record(1));
        });
        assert_eq!(flight.datagrams.len(), MAX_DATAGRAMS);
    }

    #[test]
    fn handshakes_are_found_inside_channel_data() {
        let mut wrapped = vec![0x40, 1, 0, record(3).len() as u8];
        wrapped.extend(record(3));
        assert_eq!(handshake(&wrapped).as_deref(), Some(&record(3)[..]));
        assert!(handshake(&[0x40, 1, 0, 1, 0x80]).is_none());
        assert!(is_media(&[0x40, 1, 0, 1, 0x80]) && is_media(&[0x80]) && !is_media(&record(1)));
        assert!(handshake(&[21, 0xfe, 0xfd]).is_none(), "an alert");
    }
}
