//! An emulated access line: a point-to-point link between two networks, with a rate, queue, delay and loss of its own in
//! each direction (`testkit::net`), in real time.

use crate::network::Network;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};
use testkit::net::{Path, SimulatedLink};

/// Both directions of a line. `up` leads away from the person.
#[derive(Debug, Clone, Default)]
pub struct Paths {
    /// From the person to the Internet.
    pub up: Path,
    /// From the Internet to the person.
    pub down: Path,
}

/// A running line. It ends on drop.
pub struct AccessLine(Sender<Order>);

/// What the line has done since the last report.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// How long a packet would have waited in the queues up and down, in ms, one value every [`SAMPLE`].
    pub queue_ms: [Vec<f64>; 2],
    /// Bytes that were sent, up and down.
    pub bytes: [u64; 2],
}

enum Order {
    Change(Box<Paths>),
    Report(Sender<Report>),
}

/// The largest packet, in bytes.
const MTU: usize = 1500;
/// How often the length of the queues is taken.
const SAMPLE: Duration = Duration::from_millis(10);
/// Packets that the kernel holds for us while the thread waits for the processor.
const KERNEL_QUEUE: usize = 2000;

impl AccessLine {
    /// Connects the person's network to the Internet's, each with an interface, an IPv4 address and its prefix length.
    pub fn new(
        person: (&Network, &str, &str),
        internet: (&Network, &str, &str),
        paths: Paths,
        seed: u64,
    ) -> AccessLine {
        let ends = [person, internet].map(|(network, name, address)| {
            let file = network.inside(|| interface(name)).expect("a TUN interface");
            network.ip(&format!("address add {address} dev {name}"));
            network.ip(&format!("link set {name} up txqueuelen {KERNEL_QUEUE}"));
            file
        });
        let (orders, inbox) = channel();
        std::thread::Builder::new()
            .name("line".into())
            .spawn(move || {
                take_precedence();
                Line::new(ends, paths, seed).run(&inbox);
            })
            .expect("a thread");
        AccessLine(orders)
    }

    /// Changes the properties of both directions.
    pub fn change(&self, paths: Paths) {
        self.0.send(Order::Change(Box::new(paths))).expect("the line runs");
    }

    /// What it has done since the last report.
    pub fn report(&self) -> Report {
        let (answer, report) = channel();
        self.0.send(Order::Report(answer)).expect("the line runs");
        report.recv().expect("the line runs")
    }
}

struct Line {
    ends: [File; 2],
    /// Up and down.
    links: [SimulatedLink<Vec<u8>>; 2],
    report: Report,
    sampled: Instant,
}

impl Line {
    fn new(ends: [File; 2], paths: Paths, seed: u64) -> Line {
        let links = [SimulatedLink::new(paths.up, 2 * seed), SimulatedLink::new(paths.down, 2 * seed + 1)];
        Line { ends, links, report: Report::default(), sampled: Instant::now() }
    }

    fn run(mut self, inbox: &Receiver<Order>) {
        let mut buffer = [0; MTU];
        loop {
            match inbox.try_recv() {
                Ok(Order::Change(paths)) => {
                    let now = Instant::now();
                    self.links[0].change_at(now, paths.up);
                    self.links[1].change_at(now, paths.down);
                }
                Ok(Order::Report(answer)) => drop(answer.send(std::mem::take(&mut self.report))),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return,
            }
            self.wait();
            self.receive(&mut buffer);
            self.deliver();
        }
    }

    /// Waits for a packet, the end of a packet's way, or the next sample.
    fn wait(&self) {
        let due = self.links.iter().filter_map(SimulatedLink::poll_timeout).min();
        let until = due.map_or(self.sampled + SAMPLE, |due| due.min(self.sampled + SAMPLE));
        let left = until.saturating_duration_since(Instant::now());
        let timeout = libc::timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        let mut files =
            self.ends.each_ref().map(|end| libc::pollfd { fd: end.as_raw_fd(), events: libc::POLLIN, revents: 0 });
        // SAFETY: the array and the time outlive the call.
        unsafe { libc::ppoll(files.as_mut_ptr(), 2, &raw const timeout, std::ptr::null()) };
    }

    fn receive(&mut self, buffer: &mut [u8]) {
        for ((end, link), bytes) in self.ends.iter_mut().zip(&mut self.links).zip(&mut self.report.bytes) {
            while let Ok(length) = end.read(buffer) {
                link.send(Instant::now(), length, buffer[..length].to_vec());
                *bytes += length as u64;
            }
        }
    }

    fn deliver(&mut self) {
        let now = Instant::now();
        let [up, down] = &mut self.links;
        let [person, internet] = &mut self.ends;
        for (link, end) in [(up, internet), (down, person)] {
            while let Some(packet) = link.poll(now) {
                let _ = end.write(&packet); // the interface is gone at the end
            }
        }
        if now >= self.sampled + SAMPLE {
            self.sampled = now;
            for (samples, link) in self.report.queue_ms.iter_mut().zip(&self.links) {
                samples.push(link.queue_delay(now).as_secs_f64() * 1000.0);
            }
        }
    }
}

/// Creates a TUN interface in this thread's network (Linux: Documentation/networking/tuntap.rst). It exists as long as
/// the file is open.
fn interface(name: &str) -> io::Result<File> {
    const IFF_TUN_NO_PI: i16 = 0x1001;
    const TUNSETIFF: libc::Ioctl = 0x4004_54ca_u32 as libc::Ioctl;
    let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun")?;
    // SAFETY: all zeroes is a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes().take(libc::IFNAMSIZ - 1)) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = IFF_TUN_NO_PI;
    // SAFETY: the request outlives the call.
    match unsafe { libc::ioctl(file.as_raw_fd(), TUNSETIFF, &raw mut request) } {
        0 => Ok(file),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Gives this thread precedence over the programs that are measured, so that the line is never late. Without the right
/// to do so, it goes on as it is.
fn take_precedence() {
    let parameters = libc::sched_param { sched_priority: 10 };
    // SAFETY: changes only this thread, and the parameters outlive the call.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) };
}
