//! `lunchroom-cli load`: opens many sessions on a server and measures it. Two more people exchange messages meanwhile.
//!
//! The phases follow each other: the sessions open, stay idle, and join the rooms. The figures are one JSON object.

mod pair;
mod usage;
mod visitor;

use crate::args::LoadOptions;
use anyhow::{Context, Result, anyhow, bail};
use pair::Pair;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};
use usage::Usage;
use visitor::{Crowd, News, Origin};

/// News of sessions that nobody has counted. When full, the sessions wait.
const NEWS: usize = 1024;
/// Longest wait for the next session to open or to join.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn run(options: LoadOptions) -> Result<()> {
    let origin = Origin::new(&options)?;
    let pair = Pair::start(&origin).await?;
    let figures = measure(&options, origin, &pair).await?;
    println!("{figures}");
    Ok(())
}

async fn measure(options: &LoadOptions, origin: Origin, pair: &Pair) -> Result<Value> {
    let (news_sender, news) = mpsc::channel(NEWS);
    let (start_joins, joins) = watch::channel(None);
    let mut tally = Tally { news, opened: 0, refused: Counts::new(), joined: 0, not_joined: Counts::new(), broken: 0 };
    let empty = Usage::of(options.pid)?;

    eprintln!("opening {} sessions", options.sessions);
    let begin = Instant::now();
    let every = Duration::from_secs(1) / options.rate;
    let crowd = Crowd { size: options.sessions, rooms: options.rooms, every, joins, news: news_sender };
    let arriving = tokio::spawn(crowd.arrive(origin));
    tally.count_until(|tally| tally.opened + sum(&tally.refused) >= options.sessions).await?;
    arriving.await.context("opening sessions")??;
    let opening = json!({
        "opened": tally.opened, "refused": tally.refused, "seconds": begin.elapsed().as_secs_f64(),
        "message_ms": pair.take_figures(),
    });

    eprintln!("{} sessions are idle for {} s", tally.opened, options.seconds);
    let before = Usage::of(options.pid)?;
    tally.count_for(Duration::from_secs(options.seconds.into())).await;
    let after = Usage::of(options.pid)?;
    let idle = json!({
        "server": usage::idle(empty.as_ref(), before.as_ref(), after.as_ref(), tally.opened),
        "message_ms": pair.take_figures(),
    });

    let joining = if options.rooms == 0 { Value::Null } else { join(options, &start_joins, &mut tally, pair).await? };
    Ok(json!({ "opening": opening, "idle": idle, "joining": joining, "broken": tally.broken }))
}

/// Lets all open sessions join.
async fn join(
    options: &LoadOptions,
    start: &watch::Sender<Option<Instant>>,
    tally: &mut Tally,
    pair: &Pair,
) -> Result<Value> {
    eprintln!("{} sessions join {} rooms", tally.opened, options.rooms);
    let (begin, before) = (Instant::now(), Usage::of(options.pid)?);
    start.send(Some(begin)).map_err(|_| anyhow!("no session is left"))?;
    tally.count_until(|tally| tally.joined + sum(&tally.not_joined) >= tally.opened).await?;
    let after = Usage::of(options.pid)?;
    Ok(json!({
        "joined": tally.joined, "not_joined": tally.not_joined, "seconds": begin.elapsed().as_secs_f64(),
        "server": { "cpu_s": usage::cpu_seconds(before.as_ref(), after.as_ref()) },
        "message_ms": pair.take_figures(),
    }))
}

/// How often each reason was given.
type Counts = BTreeMap<String, u32>;

fn sum(counts: &Counts) -> u32 {
    counts.values().sum()
}

/// Counts what the sessions report.
struct Tally {
    news: mpsc::Receiver<News>,
    opened: u32,
    refused: Counts,
    joined: u32,
    not_joined: Counts,
    broken: u32,
}

impl Tally {
    /// # Errors
    /// Nothing is reported for [`PATIENCE`].
    async fn count_until(&mut self, done: impl Fn(&Tally) -> bool) -> Result<()> {
        while !done(self) {
            match timeout(PATIENCE, self.news.recv()).await {
                Ok(Some(news)) => self.count(news),
                Ok(None) => bail!("every session has ended: {:?}", self.refused),
                Err(_) => bail!(
                    "the server has answered nobody for {} s: {} sessions opened, {} joined; refused: {:?} {:?}",
                    PATIENCE.as_secs(),
                    self.opened,
                    self.joined,
                    self.refused,
                    self.not_joined
                ),
            }
        }
        Ok(())
    }

    async fn count_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while let Ok(Some(news)) = timeout_at(end, self.news.recv()).await {
            self.count(news);
        }
    }

    fn count(&mut self, news: News) {
        match news {
            News::Opened => self.opened += 1,
            News::Refused(code) => *self.refused.entry(code).or_default() += 1,
            News::Joined => self.joined += 1,
            News::NotJoined(code) => *self.not_joined.entry(code).or_default() += 1,
            News::Broken => self.broken += 1,
        }
    }
}
