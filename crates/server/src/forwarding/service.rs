//! The thread that owns the forwarder's socket and connections.
//!
//! Each turn takes the hub's requests, reads one batch of datagrams, lets timers run, and sends the results. So a flood of
//! datagrams delays neither requests nor timers by more than a batch.

use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};
use rooms::ForwarderRequest;
use sfu::{Counters, Event, OfferRefused, Sfu};
use signaling::message::{ErrorCode, SessionId};

use super::addresses::Advertised;
use super::people::People;
use super::reports::{Report, Reports};
use crate::figures::Figures;
use crate::udp::{Batch, Port};

pub(super) const WAKER: Token = Token(0);
pub(super) const SOCKET: Token = Token(1);
/// Events of one poll: the socket and the waker.
const EVENTS: usize = 4;
/// How often figures are brought up to date.
const FIGURES_EVERY: Duration = Duration::from_secs(1);
/// How often this machine's addresses are read again.
const READ_ADDRESSES_EVERY: Duration = Duration::from_secs(10);
/// Pause after a failed poll, so that a persistent error does not occupy a core.
const ERROR_PAUSE: Duration = Duration::from_millis(10);

/// Everything that the thread owns.
pub(super) struct Service {
    poll: Poll,
    port: Port,
    sfu: Sfu,
    people: People,
    requests: Receiver<ForwarderRequest>,
    reports: Reports,
    /// When a report is due.
    report_at: Option<Instant>,
    stopping: Arc<AtomicBool>,
    advertised: Advertised,
    addresses_at: Instant,
    figures: Figures,
    counted: Counters,
    figures_at: Instant,
    /// Whether the socket may have more to read.
    is_readable: bool,
}

impl Service {
    // Each is owned by the thread from now on.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn new(
        poll: Poll,
        port: Port,
        sfu: Sfu,
        requests: Receiver<ForwarderRequest>,
        reports: Reports,
        stopping: Arc<AtomicBool>,
        advertised: Advertised,
        figures: Figures,
    ) -> Service {
        let now = Instant::now();
        Service {
            poll,
            port,
            sfu,
            people: People::default(),
            requests,
            reports,
            report_at: None,
            stopping,
            advertised,
            addresses_at: now + READ_ADDRESSES_EVERY,
            figures,
            counted: Counters::default(),
            figures_at: now,
            is_readable: true,
        }
    }

    /// Serves until stopped.
    pub(super) fn run(mut self) {
        let (mut events, mut batch) = (Events::with_capacity(EVENTS), Batch::new());
        loop {
            if let Err(error) = self.poll.poll(&mut events, Some(self.patience()))
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "the forwarder cannot poll its socket");
                std::thread::sleep(ERROR_PAUSE);
            }
            if self.stopping.load(Ordering::Acquire) {
                return;
            }
            self.is_readable |= events.iter().any(|event| event.token() == SOCKET);
            self.take_requests();
            self.receive(&mut batch);
            self.look_at_the_clock();
            self.pass_on();
            self.report_at = self.reports.flush(Instant::now(), &mut self.people);
        }
    }

    /// Time until the next timer, or zero if there is something to read.
    fn patience(&self) -> Duration {
        if self.is_readable {
            return Duration::ZERO;
        }
        let timers = [self.sfu.poll_timeout(), self.report_at, Some(self.figures_at), Some(self.addresses_at)];
        let next = timers.into_iter().flatten().min();
        next.map_or(FIGURES_EVERY, |at| at.saturating_duration_since(Instant::now()))
    }

    fn take_requests(&mut self) {
        while let Ok(request) = self.requests.try_recv() {
            let now = Instant::now();
            match request {
                ForwarderRequest::Take { session, room, id } => {
                    self.drop(now, &session);
                    let taken = self.people.take(now, &mut self.sfu, &session, room, id);
                    if taken.is_err() {
                        // `rooms` has the same bounds.
                        tracing::error!("the forwarder has no room for somebody");
                    }
                }
                ForwarderRequest::Drop { session } => self.drop(now, &session),
                ForwarderRequest::Answer { session, id, seq, sdp } => {
                    let answer = self.answer(now, &session, &sdp);
                    self.reports.answer(&session.clone(), Report::Answered { session, id, seq, answer });
                }
                ForwarderRequest::View { session, pictures } => {
                    if let Some((person, wanted)) = self.people.wanted(&session, &pictures) {
                        // `rooms` has a lower bound on the rate.
                        self.sfu.view(now, person, &wanted);
                        let changed = self.people.display(&session, wanted);
                        changed.iter().for_each(|session| self.reports.slots_changed(session));
                    }
                }
            }
        }
        self.guarded(|service| service.sfu.finish(Instant::now()));
    }

    fn drop(&mut self, now: Instant, session: &SessionId) {
        let changed = self.people.remove(now, &mut self.sfu, session);
        self.reports.forget(session);
        changed.iter().for_each(|session| self.reports.slots_changed(session));
    }

    fn answer(&mut self, now: Instant, session: &SessionId, sdp: &str) -> Result<String, ErrorCode> {
        let person = self.people.get(session).ok_or(ErrorCode::UnexpectedMessage)?.person;
        // What the lines of the earlier connection carried must not be taken for the new one's.
        self.pass_on();
        let answer = self.guarded(|service| service.sfu.offer(now, person, sdp));
        let answer = answer.ok_or(ErrorCode::Internal)?.map_err(|refused| {
            tracing::debug!(%refused, "an offer to the forwarder is refused");
            code(&refused)
        })?;
        self.people.clear_lines(session);
        self.reports.slots_changed(session);
        Ok(answer)
    }

    /// Reads one batch.
    fn receive(&mut self, batch: &mut Batch) {
        if !self.is_readable {
            return;
        }
        self.is_readable = self.port.receive(batch);
        let now = Instant::now();
        for (from, to, datagram) in batch.datagrams() {
            // A datagram from port 0 cannot be answered.
            if from.port() != 0 {
                let to = self.advertised.addressed(from, to);
                self.guarded(|service| service.sfu.receive(now, from, to, datagram));
            }
        }
        self.guarded(|service| service.sfu.finish(now));
    }

    fn look_at_the_clock(&mut self) {
        let now = Instant::now();
        if self.sfu.poll_timeout().is_some_and(|at| at <= now) {
            self.guarded(|service| service.sfu.handle_timeout(now));
        }
        if self.addresses_at <= now {
            self.addresses_at = now + READ_ADDRESSES_EVERY;
            if self.advertised.read() {
                self.sfu.set_addresses(self.advertised.all().to_vec());
            }
        }
        if self.figures_at <= now {
            self.figures_at = now + FIGURES_EVERY;
            self.count();
        }
    }

    /// Sends what the connections have to send, and passes on the rest.
    fn pass_on(&mut self) {
        while let Some(event) = self.sfu.poll() {
            match event {
                Event::Transmit { from, to, datagram } => {
                    let source = self.advertised.source(from.ip());
                    self.port.send(self.advertised.native(to), source, &datagram, None);
                }
                Event::Assigned { to, mid, source } => {
                    if let Some(session) = self.people.assigned(to, mid, source) {
                        self.reports.slots_changed(&session);
                    }
                }
                // The client notices by itself, and offers again.
                Event::Disconnected(person) => {
                    tracing::debug!(?person, "a forwarded connection has ended");
                    if let Some(session) = self.people.disconnected(person) {
                        self.reports.slots_changed(&session);
                    }
                }
            }
        }
    }

    fn count(&mut self) {
        let (rooms, connections) = self.sfu.load();
        let (down, up) = self.sfu.loss();
        let now = self.sfu.counters();
        self.figures.forwarding.update(&self.counted, &now);
        self.figures.forwarding.rooms.set(i64::try_from(rooms).unwrap_or(i64::MAX));
        self.figures.forwarding.connections.set(i64::try_from(connections).unwrap_or(i64::MAX));
        self.figures.forwarding.loss_down.set(down);
        self.figures.forwarding.loss_up.set(up);
        self.counted = now;
    }

    /// A panic in the parsing libraries must cost what caused it only, not the forwarder.
    fn guarded<T>(&mut self, act: impl FnOnce(&mut Service) -> T) -> Option<T> {
        let done = std::panic::catch_unwind(AssertUnwindSafe(|| act(self)));
        if done.is_err() {
            tracing::error!("a datagram or an offer made the forwarder panic");
        }
        done.ok()
    }
}

fn code(refused: &OfferRefused) -> ErrorCode {
    match refused {
        OfferRefused::TooLong => ErrorCode::TooLarge,
        OfferRefused::Invalid(_) => ErrorCode::Malformed,
        OfferRefused::NoAddress => ErrorCode::Internal,
        OfferRefused::NotHere => ErrorCode::UnexpectedMessage,
    }
}
