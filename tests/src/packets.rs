//! Counts what passes through a network.

use crate::network::Network;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::{Arc, Mutex, PoisonError};

/// Packets by kind. What passes the loopback device counts twice, out and in.
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

/// All packets of a network, from the start on.
#[derive(Debug)]
pub struct Capture(Arc<Mutex<Open>>);

/// The socket and what was read from it and not yet taken.
#[derive(Debug)]
struct Open {
    file: File,
    tally: Tally,
}

impl Capture {
    /// Sees every device of the network.
    pub fn start(network: &Network) -> Capture {
        let file = network.inside(|| {
            let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
            let all = i32::from((libc::ETH_P_ALL as u16).to_be());
            // SAFETY: it takes no pointers.
            let file = unsafe { libc::socket(libc::AF_PACKET, kind, all) };
            assert!(file >= 0, "a packet socket: {}", std::io::Error::last_os_error());
            // SAFETY: the descriptor is new and nobody else's.
            unsafe { File::from_raw_fd(file) }
        });
        let descriptor = file.as_raw_fd();
        let open = Arc::new(Mutex::new(Open { file, tally: Tally::default() }));
        let reader = Arc::downgrade(&open);
        // A socket keeps some two hundred packets and loses the rest: it is emptied all the time.
        std::thread::spawn(move || {
            while let Some(open) = reader.upgrade() {
                open.lock().unwrap_or_else(PoisonError::into_inner).empty();
                let mut waits = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
                // SAFETY: one structure, which lives through the call; `open` keeps the descriptor open.
                unsafe { libc::poll(&mut waits, 1, 100) };
            }
        });
        Capture(open)
    }

    /// What has passed since the last time.
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
    /// An IP packet; others are none of a program's.
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

    /// RFC 7983: the first byte tells.
    fn kind(&mut self, first: Option<u8>) -> &mut u32 {
        match first {
            Some(0..=3 | 64..=79) => &mut self.stun,
            Some(20..=63) => &mut self.dtls,
            Some(128..=191) => &mut self.media,
            Some(_) | None => &mut self.udp,
        }
    }
}
