//! The calendars that people subscribe to: a task that keeps the written documents, and asks the hub only for those that
//! may have changed.
//!
//! ```text
//!  GET /calendar/TOKEN.ics ─▶ queue ─▶ rates ─▶ kept, and the board is the same ─────────────▶ answer
//!                                                  └─ otherwise ─▶ hub ─▶ written and kept ──▶ answer
//! ```
//! One request at a time goes to the hub, so that feeds cannot take more than a share of it. Logs have no token.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rooms::board::{FeedId, Lunch, feed_id};
use rooms::source::Source;
use rooms::{Bucket, Rate};
use sha2::{Digest, Sha256};
use signaling::ics;
use signaling::link::Link;
use tokio::sync::{mpsc, oneshot, watch};

use crate::hub::Command;

/// Requests that wait for the task. When full, further ones are answered with 503.
pub(crate) const WAITING: usize = 64;
/// Documents kept. When full, the one that was asked for longest ago is dropped.
const MAX_KEPT: usize = 1_024;
/// Bytes of all documents kept; with the same consequence.
pub(crate) const KEPT_BYTES: usize = 2 * 1024 * 1024;
/// Sources whose rate is remembered. When full, those with a full bucket are forgotten; if there are none, requests of
/// new sources are refused until there are.
pub(crate) const MAX_SOURCES: usize = 4_096;
/// Requests for one calendar. Calendars ask once in some minutes or hours, and a person has a few of them.
const EACH: Rate = Rate::new(0.5, 20.0);
/// Requests from one source: a school's members behind one address, and somebody who guesses tokens.
const FROM_SOURCE: Rate = Rate::new(5.0, 100.0);
/// Requests for calendars that are not kept, from everybody together, because a proxy hides the sources.
const NOT_KEPT: Rate = Rate::new(200.0, 1_000.0);
/// The name of the calendar, and the title of a lunch without a topic. The server does not know the person's language.
const NAME: &str = "Lunchroom";

/// A request for a calendar.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) id: FeedId,
    /// The sources against which it counts.
    pub(crate) sources: Vec<Source>,
    pub(crate) reached: Address,
    pub(crate) reply: oneshot::Sender<Answer>,
}

impl Request {
    /// A request for the calendar with a token. A malformed token takes the same way as an unknown one.
    pub(crate) fn new(token: &str, sources: Vec<Source>, reached: Address) -> (Request, oneshot::Receiver<Answer>) {
        let (reply, answer) = oneshot::channel();
        (Request { id: feed_id(token), sources, reached, reply }, answer)
    }
}

/// The address by which the client reached the server, from which links are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// The `ws:` or `wss:` URL.
    pub(crate) server: String,
    pub(crate) fingerprint: Option<[u8; 32]>,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Calendar(Document),
    /// There is no such calendar.
    Unknown,
    /// Too many requests: ask again after this time.
    TooMany(Duration),
}

/// A written calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) text: Bytes,
    /// SHA-256 of the text, in hexadecimal.
    pub(crate) hash: String,
}

/// Starts the task. It ends when every sender has been dropped. `revision` is that of the board.
pub(crate) fn spawn(hub: mpsc::Sender<Command>, revision: watch::Receiver<u64>) -> mpsc::Sender<Request> {
    let (sender, mut requests) = mpsc::channel(WAITING);
    let mut feeds = Feeds::new(hub, revision, Instant::now());
    tokio::spawn(async move {
        while let Some(request) = requests.recv().await {
            let answer = feeds.answer(Instant::now(), &request).await;
            // Without an answer the hub has ended, and the client gets 503. It may also have gone.
            if let Some(answer) = answer {
                let _ = request.reply.send(answer);
            }
        }
    });
    sender
}

struct Feeds {
    hub: mpsc::Sender<Command>,
    revision: watch::Receiver<u64>,
    kept: HashMap<FeedId, Kept>,
    kept_bytes: usize,
    sources: HashMap<Source, Bucket>,
    not_kept: Bucket,
}

struct Kept {
    document: Document,
    revision: u64,
    reached: Address,
    bucket: Bucket,
    used: Instant,
}

impl Feeds {
    fn new(hub: mpsc::Sender<Command>, revision: watch::Receiver<u64>, now: Instant) -> Feeds {
        let (kept, sources) = (HashMap::new(), HashMap::new());
        Feeds { hub, revision, kept, kept_bytes: 0, sources, not_kept: Bucket::new(NOT_KEPT, now) }
    }

    /// Answers a request; `None` if the hub has ended.
    async fn answer(&mut self, now: Instant, request: &Request) -> Option<Answer> {
        if let Some(rate) = self.exceeded(now, request) {
            return Some(Answer::TooMany(Duration::from_secs_f64((1.0 / rate.per_second).ceil())));
        }
        let revision = *self.revision.borrow();
        if let Some(kept) = self.kept.get(&request.id)
            && kept.revision == revision
            && kept.reached == request.reached
        {
            return Some(Answer::Calendar(kept.document.clone()));
        }
        let (reply, found) = oneshot::channel();
        self.hub.send(Command::Feed { id: request.id, reply }).await.ok()?;
        Some(match found.await.ok()? {
            Some((revision, lunches)) => Answer::Calendar(self.keep(now, request, revision, &lunches)),
            None => {
                self.drop_kept(&request.id);
                Answer::Unknown
            }
        })
    }

    /// Counts a request. Returns the rate that it exceeds.
    fn exceeded(&mut self, now: Instant, request: &Request) -> Option<Rate> {
        if !request.sources.iter().all(|source| self.takes_source(now, *source)) {
            return Some(FROM_SOURCE);
        }
        match self.kept.get_mut(&request.id) {
            Some(kept) => {
                kept.used = now;
                (!kept.bucket.take(now, 1.0)).then_some(EACH)
            }
            None => (!self.not_kept.take(now, 1.0)).then_some(NOT_KEPT),
        }
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

    /// Writes a calendar and keeps it.
    fn keep(&mut self, now: Instant, request: &Request, revision: u64, lunches: &[Lunch]) -> Document {
        let document = write(&request.reached, lunches);
        let bucket = self.drop_kept(&request.id).map_or_else(
            || {
                let mut bucket = Bucket::new(EACH, now);
                bucket.take(now, 1.0);
                bucket
            },
            |kept| kept.bucket,
        );
        while self.kept.len() >= MAX_KEPT || self.kept_bytes + document.text.len() > KEPT_BYTES {
            let Some(oldest) = self.kept.iter().min_by_key(|(_, kept)| kept.used).map(|(id, _)| *id) else { break };
            self.drop_kept(&oldest);
        }
        self.kept_bytes += document.text.len();
        let kept = Kept { document: document.clone(), revision, reached: request.reached.clone(), bucket, used: now };
        self.kept.insert(request.id, kept);
        document
    }

    fn drop_kept(&mut self, id: &FeedId) -> Option<Kept> {
        let kept = self.kept.remove(id)?;
        self.kept_bytes -= kept.document.text.len();
        Some(kept)
    }
}

/// Writes a calendar. The same lunches and address give the same document.
fn write(reached: &Address, lunches: &[Lunch]) -> Document {
    let events = lunches.iter().map(|lunch| ics::Event {
        link: lunch.room.as_deref().and_then(|room| link(reached, room)),
        ..lunch.event.clone()
    });
    let text = ics::calendar(NAME, NAME, &events.collect::<Vec<_>>());
    let hash = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    Document { text: text.into(), hash }
}

/// The link to a table's room, as the app makes it: the page of the room, or, with a certificate that browsers would
/// warn about, a link that opens the app.
fn link(reached: &Address, room: &str) -> Option<String> {
    let link = Link::new(room, &reached.server, reached.fingerprint, None).ok()?;
    Some(if reached.fingerprint.is_some() { link.to_string() } else { link.to_web() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    /// The task, without its queue, and a hub that answers with these lunches.
    struct Rig {
        feeds: Feeds,
        revision: watch::Sender<u64>,
        asked: std::sync::Arc<std::sync::atomic::AtomicUsize>,
        now: Instant,
    }

    fn lunch(table: &str) -> Lunch {
        let event = ics::Event {
            table: table.into(),
            topic: "Soup".into(),
            place: String::new(),
            starts_ms: 3_600_000,
            ends_ms: 7_200_000,
            link: None,
            sequence: 0,
            stamp_ms: 0,
            cancelled: false,
        };
        Lunch { room: Some("t-4f8s0x6h2n9b7w1e".into()), event }
    }

    fn rig(lunches: usize) -> Rig {
        let (hub, mut commands) = mpsc::channel(4);
        let (revision, seen) = watch::channel(1);
        let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = std::sync::Arc::clone(&asked);
        let at = revision.subscribe();
        tokio::spawn(async move {
            while let Some(command) = commands.recv().await {
                let Command::Feed { id, reply } = command else { continue };
                counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let lunches = (0..lunches).map(|n| lunch(&format!("{n:016}"))).collect();
                let _ = reply.send((id != feed_id("unknown")).then(|| (*at.borrow(), lunches)));
            }
        });
        let now = Instant::now();
        Rig { feeds: Feeds::new(hub, seen, now), revision, asked, now }
    }

    impl Rig {
        async fn ask(&mut self, token: &str, ip: Option<&str>) -> Answer {
            self.ask_at(token, ip, "wss://lunch.example/").await
        }

        async fn ask_at(&mut self, token: &str, ip: Option<&str>, server: &str) -> Answer {
            let sources = ip.map_or_else(Vec::new, |ip| Source::all(ip.parse::<IpAddr>().unwrap()));
            let reached = Address { server: server.into(), fingerprint: None };
            let (request, _) = Request::new(token, sources, reached);
            self.feeds.answer(self.now, &request).await.expect("the hub is there")
        }

        fn asked(&self) -> usize {
            self.asked.load(std::sync::atomic::Ordering::Relaxed)
        }

        fn pass(&mut self, seconds: u64) {
            self.now += Duration::from_secs(seconds);
        }
    }

    fn text(answer: Answer) -> String {
        let Answer::Calendar(document) = answer else { panic!("{answer:?}") };
        String::from_utf8(document.text.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_calendar_is_written_once_for_each_change_of_the_board() {
        let mut rig = rig(1);
        let first = text(rig.ask("t", None).await);
        assert!(first.contains("URL:https://lunch.example/r/t-4f8s0x6h2n9b7w1e\r\n"), "{first}");
        for _ in 0..5 {
            assert_eq!(text(rig.ask("t", None).await), first);
        }
        assert_eq!(rig.asked(), 1);
        rig.revision.send_replace(2);
        rig.ask("t", None).await;
        assert_eq!(rig.asked(), 2);
        let elsewhere = text(rig.ask_at("t", None, "ws://192.168.1.5:7077").await);
        assert!(elsewhere.contains("URL:http://192.168.1.5:7077/r/"), "{elsewhere}");
    }

    #[tokio::test]
    async fn a_calendar_is_answered_at_its_rate() {
        let mut rig = rig(1);
        let mut answered = 0;
        while matches!(rig.ask("t", None).await, Answer::Calendar(_)) {
            answered += 1;
        }
        assert_eq!(answered, EACH.burst as usize);
        assert_eq!(rig.ask("t", None).await, Answer::TooMany(Duration::from_secs(2)));
        assert!(matches!(rig.ask("other", None).await, Answer::Calendar(_)), "others are not affected");
        rig.revision.send_replace(2);
        assert!(matches!(rig.ask("t", None).await, Answer::TooMany(_)), "a change of the board is no new start");
        rig.pass(2);
        assert!(matches!(rig.ask("t", None).await, Answer::Calendar(_)));
        assert_eq!(rig.asked(), 3);
    }

    #[tokio::test]
    async fn somebody_who_guesses_is_slowed_down_by_their_address() {
        let mut rig = rig(1);
        let mut guesses = 0;
        while rig.ask("unknown", Some("192.0.2.1")).await == Answer::Unknown {
            guesses += 1;
        }
        assert_eq!(guesses, FROM_SOURCE.burst as usize);
        assert!(matches!(rig.ask("t", Some("192.0.2.1")).await, Answer::TooMany(_)));
        assert!(matches!(rig.ask("t", Some("192.0.2.2")).await, Answer::Calendar(_)));
    }

    #[tokio::test]
    async fn guesses_through_a_proxy_do_not_stop_calendars_that_are_kept() {
        let mut rig = rig(1);
        rig.ask("t", None).await;
        while rig.ask("unknown", None).await == Answer::Unknown {}
        rig.revision.send_replace(2);
        assert!(matches!(rig.ask("t", None).await, Answer::Calendar(_)));
    }

    #[tokio::test]
    async fn kept_calendars_and_sources_are_bounded() {
        let mut rig = rig(20);
        for n in 0..2 * MAX_KEPT {
            rig.ask(&format!("{n}"), None).await;
            rig.pass(1);
        }
        assert!(rig.feeds.kept.len() <= MAX_KEPT && rig.feeds.kept_bytes <= KEPT_BYTES);
        let sum: usize = rig.feeds.kept.values().map(|kept| kept.document.text.len()).sum();
        assert_eq!(rig.feeds.kept_bytes, sum);
        let last = feed_id(&format!("{}", 2 * MAX_KEPT - 1));
        assert!(rig.feeds.kept.contains_key(&last) && !rig.feeds.kept.contains_key(&feed_id("0")));
        for n in 0..MAX_SOURCES as u32 + 10 {
            rig.ask("t", Some(&IpAddr::V4((0x0a00_0000 + n).into()).to_string())).await;
            if n % 16 == 0 {
                rig.pass(1);
            }
        }
        assert!(rig.feeds.sources.len() <= MAX_SOURCES);
    }

    #[tokio::test]
    async fn a_revoked_calendar_is_not_kept() {
        let mut rig = rig(1);
        rig.ask("t", None).await;
        let mut known = rig.feeds.kept.remove(&feed_id("t")).unwrap();
        known.revision = 0;
        rig.feeds.kept.insert(feed_id("unknown"), known);
        assert_eq!(rig.ask("unknown", None).await, Answer::Unknown);
        assert_eq!((rig.feeds.kept.len(), rig.feeds.kept_bytes), (0, 0));
    }
}
