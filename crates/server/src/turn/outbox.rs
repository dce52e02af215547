//! Datagrams to send at the end of a turn. One system call sends those of equal length from one socket to one address.

use std::net::{IpAddr, SocketAddr};

use relay::PortId;

/// Longest datagrams that share a call, in bytes. The system rejects segments longer than an interface can carry, and
/// then disables segmentation for the whole socket.
const MAX_JOINED_BYTES: usize = 1_300;
/// Most bytes in one call.
const MAX_CALL_BYTES: usize = 60_000;
/// Most calls that wait. At this number they are made immediately.
const CALLS: usize = 64;

/// The socket that sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// The socket that clients use, with this source address.
    Listener(Option<IpAddr>),
    Port(PortId),
}

/// The datagrams of one system call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) by: By,
    pub(super) to: SocketAddr,
    pub(super) bytes: Vec<u8>,
    segment: usize,
    count: usize,
    /// Whether the call is complete: its last datagram is shorter, or a longer one followed.
    ended: bool,
}

/// The waiting calls. Buffers are reused.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    calls: Vec<Call>,
    used: usize,
}

impl Outbox {
    /// Adds a datagram. At most `segments` datagrams share a call.
    pub(super) fn push(&mut self, by: By, to: SocketAddr, datagram: &[u8], segments: usize) {
        let waiting = self.calls.iter_mut().take(self.used).rfind(|call| call.by == by && call.to == to);
        if let Some(call) = waiting {
            let fits = !call.ended
                && call.count < segments
                && (1..=call.segment).contains(&datagram.len())
                && call.segment <= MAX_JOINED_BYTES
                && call.bytes.len() + datagram.len() <= MAX_CALL_BYTES;
            if fits {
                call.bytes.extend_from_slice(datagram);
                call.count += 1;
                call.ended = datagram.len() < call.segment;
                return;
            }
            call.ended = true;
        }
        self.begin(by, to, datagram);
    }

    pub(super) fn is_full(&self) -> bool {
        self.used >= CALLS
    }

    /// Removes the waiting calls and returns them in order.
    pub(super) fn take(&mut self) -> impl Iterator<Item = &Call> {
        let used = std::mem::take(&mut self.used);
        self.calls[..used].iter()
    }

    fn begin(&mut self, by: By, to: SocketAddr, datagram: &[u8]) {
        if self.used == self.calls.len() {
            self.calls.push(Call { by, to, bytes: Vec::new(), segment: 0, count: 0, ended: false });
        }
        let call = &mut self.calls[self.used];
        self.used += 1;
        (call.by, call.to, call.segment, call.count, call.ended) = (by, to, datagram.len(), 1, false);
        call.bytes.clear();
        call.bytes.extend_from_slice(datagram);
    }
}

impl Call {
    /// The length of each datagram but the last, if there are several.
    pub(super) fn segment(&self) -> Option<usize> {
        (self.count > 1).then_some(self.segment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(n: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], n))
    }

    /// The datagrams that the system would send.
    fn sent(outbox: &mut Outbox) -> Vec<(SocketAddr, Vec<usize>)> {
        let lengths = |call: &Call| match call.segment() {
            Some(segment) => call.bytes.chunks(segment).map(<[u8]>::len).collect(),
            None => vec![call.bytes.len()],
        };
        outbox.take().map(|call| (call.to, lengths(call))).collect()
    }

    #[test]
    fn equal_lengths_to_one_address_are_batched_in_order() {
        let mut outbox = Outbox::default();
        for (n, length) in [(1, 100), (2, 100), (1, 100), (1, 40), (1, 100), (2, 120), (2, 120), (1, 0), (1, 0)] {
            outbox.push(By::Port(PortId(1)), to(n), &vec![0; length], 64);
        }
        outbox.push(By::Listener(None), to(1), &[0; 100], 64);
        let expected = [
            (to(1), vec![100, 100, 40]),
            (to(2), vec![100]),
            (to(1), vec![100]),
            (to(2), vec![120, 120]),
            (to(1), vec![0]),
            (to(1), vec![0]),
            (to(1), vec![100]),
        ];
        assert_eq!(sent(&mut outbox), expected);
        assert_eq!(sent(&mut outbox), []);
    }

    #[test]
    fn batches_are_bounded_by_count_bytes_and_mtu() {
        let mut outbox = Outbox::default();
        for _ in 0..5 {
            outbox.push(By::Port(PortId(1)), to(1), &[0; 100], 2);
            outbox.push(By::Port(PortId(1)), to(2), &[0; 1_301], 64);
        }
        let calls = sent(&mut outbox);
        assert!(calls.iter().all(|(to, lengths)| lengths.len() <= if to.port() == 1 { 2 } else { 1 }), "{calls:?}");
        for _ in 0..60 {
            outbox.push(By::Port(PortId(1)), to(1), &[0; 1_300], 64);
        }
        assert!(outbox.calls.iter().all(|call| call.bytes.len() <= MAX_CALL_BYTES));
        for n in 0..64 {
            outbox.push(By::Port(PortId(1)), to(10 + n), &[0; 1], 64);
        }
        assert!(outbox.is_full());
    }
}
