//! One thread that drives all connections: it publishes, receives, and keeps their timers.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use mio::{Events, Poll, Token};

use crate::connection::Connection;
use crate::pictures::{FPS, SOUND_EVERY, unix_micros};
use crate::port::{Batch, Port};

/// Events of one poll.
const EVENTS: usize = 256;
/// Longest wait, so that the end of a phase is noticed.
const LONGEST_WAIT: Duration = Duration::from_millis(20);
/// Bytes of a datagram that is sent without a server between.
const DIRECT_BYTES: usize = 1_000;
/// The socket that receives them.
const DIRECT: Token = Token(usize::MAX >> 1);

pub(crate) struct Crowd {
    pub(crate) connections: Vec<Connection>,
    /// Microseconds that datagrams between two sockets of this process take.
    pub(crate) direct: Vec<u32>,
    poll: Poll,
    events: Events,
    batch: Batch,
    /// The two sockets.
    ends: [Port; 2],
    began: Instant,
    clocks: Vec<Clock>,
}

/// When a publisher sends next. All have different phases, as people have.
struct Clock {
    connection: usize,
    frame_phase: Duration,
    sound_phase: Duration,
    frames: u32,
    sounds: u32,
}

impl Crowd {
    /// All who publish must be among the connections.
    pub(crate) fn new(connections: Vec<Connection>) -> Result<Crowd> {
        let poll = Poll::new()?;
        let Some(ip) = connections.first().map(|connection| connection.port.address.ip()) else { bail!("nobody") };
        let mut ends = [Port::bind(ip)?, Port::bind(ip)?];
        ends[1].register(poll.registry(), DIRECT)?;
        let publishers = connections.iter().enumerate().filter(|(_, connection)| connection.publisher.is_some());
        let publishers: Vec<usize> = publishers.map(|(n, _)| n).collect();
        let count = publishers.len().max(1) as u32;
        let clock = |(n, connection): (u32, usize)| Clock {
            connection,
            frame_phase: Duration::from_secs(1) / FPS * n / count,
            sound_phase: SOUND_EVERY * n / count,
            frames: 0,
            sounds: 0,
        };
        let clocks = (0..).zip(publishers).map(clock).collect();
        let (events, batch, began) = (Events::with_capacity(EVENTS), Batch::new(), Instant::now());
        let (none, direct) = (Vec::new(), Vec::new());
        let mut crowd = Crowd { connections: none, direct, poll, events, batch, ends, began, clocks };
        crowd.add(connections)?;
        Ok(crowd)
    }

    /// Adds connections that only receive.
    pub(crate) fn add(&mut self, connections: Vec<Connection>) -> Result<()> {
        for mut connection in connections {
            connection.port.register(self.poll.registry(), Token(self.connections.len()))?;
            self.connections.push(connection);
        }
        Ok(())
    }

    /// Runs until `until`, or until `done`. Returns whether it is done.
    ///
    /// # Errors
    /// A connection has failed.
    pub(crate) fn run(&mut self, until: Instant, done: impl Fn(&[Connection]) -> bool) -> Result<bool> {
        loop {
            let now = Instant::now();
            if done(&self.connections) {
                return Ok(true);
            }
            if now >= until {
                return Ok(false);
            }
            self.turn(now)?;
        }
    }

    /// Forgets what was counted.
    pub(crate) fn clear(&mut self) {
        self.direct.clear();
        self.connections.iter_mut().for_each(|connection| connection.tally.clear());
    }

    fn turn(&mut self, now: Instant) -> Result<()> {
        let wait = self.next().map_or(LONGEST_WAIT, |at| at.saturating_duration_since(now)).min(LONGEST_WAIT);
        if let Err(error) = self.poll.poll(&mut self.events, Some(wait))
            && error.kind() != std::io::ErrorKind::Interrupted
        {
            return Err(error.into());
        }
        let ready: Vec<usize> = self.events.iter().map(|event| event.token().0).collect();
        for place in ready {
            match self.connections.get_mut(place) {
                Some(connection) => connection.receive(Instant::now(), &mut self.batch)?,
                None => self.receive_direct(),
            }
        }
        self.publish()?;
        self.connections.iter_mut().try_for_each(|connection| connection.handle_due(Instant::now()))
    }

    fn receive_direct(&mut self) {
        let mut more = true;
        while more {
            more = self.ends[1].receive(&mut self.batch);
            for (_, at, datagram) in self.batch.datagrams() {
                let sent = datagram.get(..8).and_then(|eight| eight.try_into().ok()).map_or(at, u64::from_be_bytes);
                self.direct.push(at.saturating_sub(sent) as u32);
            }
        }
    }

    /// Sends what is due, and a datagram without a server between for each frame of the first publisher.
    fn publish(&mut self) -> Result<()> {
        for (n, clock) in self.clocks.iter_mut().enumerate() {
            let connection = &mut self.connections[clock.connection];
            let now = Instant::now();
            if connection.is_connected() && clock.frame_at(self.began) <= now {
                connection.send_frame(now, clock.frames)?;
                if n == 0 {
                    let mut datagram = [0; DIRECT_BYTES];
                    datagram[..8].copy_from_slice(&unix_micros().to_be_bytes());
                    self.ends[0].send(self.ends[1].address, &datagram);
                }
            }
            if connection.is_connected() && clock.sound_at(self.began) <= now {
                connection.send_sound(now, clock.sounds)?;
            }
            clock.advance(self.began, now);
        }
        Ok(())
    }

    fn next(&self) -> Option<Instant> {
        let clocks = self.clocks.iter().map(|clock| clock.frame_at(self.began).min(clock.sound_at(self.began)));
        clocks.chain(self.connections.iter().map(Connection::next)).min()
    }
}

impl Clock {
    fn frame_at(&self, began: Instant) -> Instant {
        began + self.frame_phase + Duration::from_secs(1) * self.frames / FPS
    }

    fn sound_at(&self, began: Instant) -> Instant {
        began + self.sound_phase + SOUND_EVERY * self.sounds
    }

    /// Counts what was due. At most one of each is sent in a turn, so a program that is late catches up.
    fn advance(&mut self, began: Instant, now: Instant) {
        self.frames += u32::from(self.frame_at(began) <= now);
        self.sounds += u32::from(self.sound_at(began) <= now);
    }
}
