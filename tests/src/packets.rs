//! Counts the packets in a network.

use crate::network::Network;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::{Arc, Mutex, PoisonError};

/// Packets by kind. A packet on the loopback device counts twice, when sent and when received.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// TCP.
    pub tcp: u32,
    /// STUN and TURN, also in TURN channels.
    pub stun: u32,
    /// DTLS.
    pub dtls: u32,
    /// RTP and RTCP.
    pub media: u32,
    /// Other UDP.
    pub udp: u32,
}

/// Captures all packets of a network from its start on.
#[derive(Debug)]
pub struct Capture(Arc<Mutex<Open>>);

/// The socket, and the count of packets read and not yet taken.
#[derive(Debug)]
struct Open {
    file: File,
    tally: Tally,
}

impl Capture {
    /// Starts capturing on every device of the network.
    pub fn start(network: &Network) -> Capture {
        let file = network.inside(|| {
            let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
            let all = i32::from((libc::ETH_P_ALL as u16).to_be());
            // SAFETY: takes no pointers.
            let file = unsafe { libc::socket(libc::AF_PACKET, kind, all) };
            assert!(file >= 0, "a packet socket: {}", std::io::Error::last_os_error());
            // SAFETY: the descriptor is new and has no other owner.
            unsafe { File::from_raw_fd(file) }
        });
        let descriptor = file.as_raw_fd();
        let open = Arc::new(Mutex::new(Open { file, tally: Tally::default() }));
        let reader = Arc::downgrade(&open);
        // The socket buffers about two hundred packets and drops the rest, so it must be read continuously.
        std::thread::spawn(move || {
            while let Some(open) = reader.upgrade() {
                open.lock().unwrap_or_else(PoisonError::into_inner).empty();
                let mut waits = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
                // SAFETY: one structure, which outlives the call; `open` keeps the descriptor open.
                unsafe { libc::poll(&mut waits, 1, 100) };
            }
        });
        Capture(open)
    }

    /// Returns the packets since the last call.
    pub fn take(&mut self) -> Tally {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.empty();
        std::mem::take(&mut open.tally)
    }
}

impl Open {
    fn empty(&mut self) {
        let mut packet = [0; 2048];
        while let Ok(len) = self.file.read(&mut packet) {
            self.tally.add(&packet[..len]);
        }
    }
}

impl Tally {
    /// Counts an IP packet. Other packets do not come from programs.
    fn add(&mut self, packet: &[u8]) {
        let (protocol, header) = match packet.first().map(|byte| byte >> 4) {
            Some(4) if packet.len() >= 20 => (packet[9], usize::from(packet[0] & 15) * 4),
            Some(6) if packet.len() >= 40 => (packet[6], 40),
            _ => return,
        };
        match i32::from(protocol) {
            libc::IPPROTO_TCP => self.tcp += 1,
            libc::IPPROTO_UDP => *self.kind(packet.get(header + 8).copied()) += 1,
            _ => {}
        }
    }

    /// Classifies by the first byte (RFC 7983).
    fn kind(&mut self, first: Option<u8>) -> &mut u32 {
        match first {
            Some(0..=3 | 64..=79) => &mut self.stun,
            Some(20..=63) => &mut self.dtls,
            Some(128..=191) => &mut self.media,
            Some(_) | None => &mut self.udp,
        }
    }
}
