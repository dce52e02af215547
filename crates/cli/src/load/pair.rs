//! Two people in a room of their own, who exchange messages and measure how long they take.

use super::visitor::{Origin, join};
use anyhow::{Context, Result, bail};
use engine::Line;
use engine::signaling::message::{ClientMessage, IceCandidate, ParticipantId, ServerMessage};
use engine::signaling::session::SessionEvent;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// Time between two messages. A person may send twenty a second to another.
const EVERY: Duration = Duration::from_millis(100);
/// Longest wait until both are in the room.
const PATIENCE: Duration = Duration::from_secs(20);

/// Latencies in milliseconds since they were last taken, and messages that were sent.
#[derive(Default)]
struct Latencies {
    ms: Vec<f64>,
    sent: u64,
}

/// The pair. It exchanges messages until the program ends.
pub(super) struct Pair(Arc<Mutex<Latencies>>);

impl Pair {
    /// # Errors
    /// They do not meet.
    pub(super) async fn start(origin: &Origin) -> Result<Pair> {
        let mut sender = origin.line("Load A".into(), u64::MAX)?;
        let mut receiver = origin.line("Load B".into(), u64::MAX - 1)?;
        let (_, to) = timeout(PATIENCE, async { tokio::join!(enter(&mut sender), enter(&mut receiver)) })
            .await
            .context("the server does not answer")?;
        let latencies = Arc::new(Mutex::new(Latencies::default()));
        tokio::spawn(exchange(sender, receiver, to?, latencies.clone()));
        Ok(Pair(latencies))
    }

    /// The figures since the last call.
    pub(super) fn take_figures(&self) -> Value {
        let mut latencies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *latencies).figures()
    }
}

/// Joins the pair's room. Returns this person's id.
async fn enter(line: &mut Line) -> Result<ParticipantId> {
    line.send(join("load-pair".into()))?;
    loop {
        match line.next().await {
            SessionEvent::Message(ServerMessage::Joined { you, .. }) => return Ok(you),
            SessionEvent::Message(ServerMessage::Error(error)) => bail!("the server refuses a join: {}", error.message),
            SessionEvent::Disconnected { cause, .. } => bail!("the server cannot be reached: {cause:?}"),
            SessionEvent::Ended(end) => bail!("the server refuses a session: {end:?}"),
            SessionEvent::Welcome(_) | SessionEvent::Resumed { .. } | SessionEvent::Message(_) | SessionEvent::Lost => {
            }
        }
    }
}

/// The messages are candidates, which the server forwards without reading them. Each has the time at which it was sent.
async fn exchange(mut sender: Line, mut receiver: Line, to: ParticipantId, latencies: Arc<Mutex<Latencies>>) {
    let start = Instant::now();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = sender.next() => {}
            event = receiver.next() => {
                let SessionEvent::Message(ServerMessage::Candidate { candidate, .. }) = event else { continue };
                let Ok(sent) = candidate.candidate.parse::<u64>() else { continue };
                let latency = start.elapsed().saturating_sub(Duration::from_micros(sent));
                latencies.lock().unwrap_or_else(PoisonError::into_inner).ms.push(latency.as_secs_f64() * 1000.0);
            }
            _ = ticks.tick() => {
                let candidate = IceCandidate { candidate: start.elapsed().as_micros().to_string(), ..IceCandidate::default() };
                if sender.send(ClientMessage::Candidate { to: to.clone(), candidate }).is_ok() {
                    latencies.lock().unwrap_or_else(PoisonError::into_inner).sent += 1;
                }
            }
        }
    }
}

impl Latencies {
    fn figures(mut self) -> Value {
        self.ms.sort_by(f64::total_cmp);
        let at = |share: f64| quantile(&self.ms, share);
        json!({ "sent": self.sent, "received": self.ms.len(), "p50": at(0.5), "p99": at(0.99), "max": at(1.0) })
    }
}

/// The smallest value that this share of the sorted values does not exceed.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn quantiles_are_measured_values() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!([0.5, 0.99, 1.0].map(|share| quantile(&values, share)), [Some(100.0), Some(198.0), Some(200.0)]);
        assert_eq!(quantile(&[7.0], 0.5), Some(7.0));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
