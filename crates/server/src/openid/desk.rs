//! Sign-ins that have begun: a task keeps them until the browser comes back from the issuer.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rooms::source::Source;
use rooms::{Bucket, Rate};
use tokio::sync::{mpsc, oneshot};

use super::trouble::Trouble;
use crate::accounts::Challenge;

/// Requests that wait for the task. When full, further ones are refused as busy.
const WAITING: usize = 64;
/// Sign-ins that have begun. When full, those that took too long are dropped; if there are none, further ones are
/// refused as busy.
pub(crate) const MAX_BEGUN: usize = 512;
/// Longest time at the issuer: somebody may have to create an account there.
pub(crate) const TIME: Duration = Duration::from_secs(15 * 60);
/// Sources whose rate is remembered. When full, those with a full bucket are forgotten; if there are none, new sources are
/// refused until there are.
pub(crate) const MAX_SOURCES: usize = 1_024;
/// Sign-ins from one source: a school's members behind one address, on the first day.
const FROM_SOURCE: Rate = Rate::new(0.5, 60.0);

/// Who receives the result of a sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The server's own page.
    Page,
    /// An app on the person's machine, which listens on this port.
    App { port: u16, challenge: Challenge, state: String },
}

/// A sign-in that has begun.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    /// SHA-256 of the browser's cookie.
    pub(super) browser: [u8; 32],
    pub(super) nonce: String,
    pub(super) verifier: String,
    /// The address to which the issuer sends the browser.
    pub(super) back: String,
    pub(super) purpose: Purpose,
}

#[derive(Debug)]
enum Request {
    Put { sources: Vec<Source>, state: [u8; 32], begun: Begun, reply: oneshot::Sender<bool> },
    Take { state: [u8; 32], browser: [u8; 32], reply: oneshot::Sender<Option<Begun>> },
}

/// The handle of the task.
#[derive(Debug, Clone)]
pub(super) struct Desk(mpsc::Sender<Request>);

impl Desk {
    /// Starts the task, which ends when the last handle is dropped.
    pub(super) fn spawn() -> Desk {
        let (sender, mut requests) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            let mut list = List::default();
            while let Some(request) = requests.recv().await {
                let now = Instant::now();
                // Whoever asked may have gone.
                match request {
                    Request::Put { sources, state, begun, reply } => {
                        let _ = reply.send(list.put(now, &sources, state, begun));
                    }
                    Request::Take { state, browser, reply } => {
                        let _ = reply.send(list.take(now, state, browser));
                    }
                }
            }
        });
        Desk(sender)
    }

    /// Keeps a sign-in under the SHA-256 of its state.
    pub(super) async fn put(&self, sources: Vec<Source>, state: [u8; 32], begun: Begun) -> Result<(), Trouble> {
        let (reply, answer) = oneshot::channel();
        self.0.try_send(Request::Put { sources, state, begun, reply }).map_err(|_| Trouble::Busy)?;
        if answer.await.unwrap_or(false) { Ok(()) } else { Err(Trouble::Busy) }
    }

    /// Takes a sign-in of this browser, which is over then.
    pub(super) async fn take(&self, state: [u8; 32], browser: [u8; 32]) -> Result<Begun, Trouble> {
        let (reply, answer) = oneshot::channel();
        self.0.try_send(Request::Take { state, browser, reply }).map_err(|_| Trouble::Busy)?;
        answer.await.ok().flatten().ok_or(Trouble::Expired)
    }
}

#[derive(Debug, Default)]
struct List {
    begun: HashMap<[u8; 32], (Begun, Instant)>,
    sources: HashMap<Source, Bucket>,
}

impl List {
    fn put(&mut self, now: Instant, sources: &[Source], state: [u8; 32], begun: Begun) -> bool {
        if !sources.iter().all(|source| self.takes_source(now, *source)) {
            return false;
        }
        if self.begun.len() >= MAX_BEGUN {
            self.begun.retain(|_, (_, since)| now.duration_since(*since) < TIME);
        }
        let has_room = self.begun.len() < MAX_BEGUN;
        if has_room {
            self.begun.insert(state, (begun, now));
        }
        has_room
    }

    /// Another browser does not end the sign-in by guessing.
    fn take(&mut self, now: Instant, state: [u8; 32], browser: [u8; 32]) -> Option<Begun> {
        let fits = self.begun.get(&state).is_some_and(|(begun, _)| begun.browser == browser);
        let (begun, since) = fits.then(|| self.begun.remove(&state))??;
        (now.duration_since(since) < TIME).then_some(begun)
    }

    fn takes_source(&mut self, now: Instant, source: Source) -> bool {
        if !self.sources.contains_key(&source) && self.sources.len() >= MAX_SOURCES {
            self.sources.retain(|_, bucket| !bucket.is_full(now));
            if self.sources.len() >= MAX_SOURCES {
                return false;
            }
        }
        let weight = source.weight() as f64;
        let rate = Rate::new(FROM_SOURCE.per_second * weight, FROM_SOURCE.burst * weight);
        self.sources.entry(source).or_insert_with(|| Bucket::new(rate, now)).take(now, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(browser: u8) -> Begun {
        let text = String::new;
        Begun { browser: [browser; 32], nonce: text(), verifier: text(), back: text(), purpose: Purpose::Page }
    }

    #[test]
    fn a_sign_in_is_taken_once_in_its_time_and_by_its_browser() {
        let (mut list, now) = (List::default(), Instant::now());
        for state in [1, 2] {
            assert!(list.put(now, &[], [state; 32], begun(7)));
        }
        assert!(list.take(now, [1; 32], [8; 32]).is_none(), "another browser");
        assert!(list.take(now, [3; 32], [7; 32]).is_none(), "another state");
        assert!(list.take(now, [1; 32], [7; 32]).is_some());
        assert!(list.take(now, [1; 32], [7; 32]).is_none(), "a second time");
        assert!(list.take(now + TIME, [2; 32], [7; 32]).is_none(), "too late");
    }

    #[test]
    fn sign_ins_and_sources_are_bounded() {
        let (mut list, now) = (List::default(), Instant::now());
        let state = |n: usize| {
            let mut state = [0; 32];
            state[..8].copy_from_slice(&n.to_le_bytes());
            state
        };
        for n in 0..MAX_BEGUN {
            assert!(list.put(now, &[], state(n), begun(1)));
        }
        assert!(!list.put(now, &[], state(MAX_BEGUN), begun(1)));
        assert!(list.put(now + TIME, &[], state(MAX_BEGUN), begun(1)));
        let mut list = List::default();
        let here = Source::all("192.0.2.1".parse().unwrap());
        let taken = (0..MAX_BEGUN).filter(|n| list.put(now, &here, state(*n), begun(1))).count();
        assert_eq!(taken, FROM_SOURCE.burst as usize);
        for n in 0..2 * MAX_SOURCES as u32 {
            let source = Source::all(std::net::IpAddr::V4((0x0a00_0000 + n).into()));
            list.put(now, &source, state(n as usize), begun(1));
        }
        assert!(list.sources.len() <= MAX_SOURCES);
    }
}
