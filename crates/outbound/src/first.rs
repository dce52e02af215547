//! Runs the attempts of a [`Race`].

use crate::race::Race;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Instant;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Why an attempt failed.
#[derive(Debug)]
pub enum Failed<E> {
    /// The address cannot be reached. Another one may work.
    Unreached(E),
    /// Something answers, but not what is looked for. The name leads there, so the other addresses are not tried.
    Answered(E),
}

/// Races the addresses and returns what the first successful attempt returns. An attempt sends to its channel when it
/// has a connection; the next address then waits longer. Attempts that are still running at the end are aborted.
///
/// # Errors
/// The failure that ended the race, or the first one if no address can be reached; `None` without addresses.
pub async fn first_of<T, E, F>(
    addresses: Vec<SocketAddr>,
    attempt: impl Fn(SocketAddr, mpsc::Sender<()>) -> F,
) -> Result<T, Option<E>>
where
    T: Send + 'static,
    E: Send + 'static,
    F: Future<Output = Result<T, Failed<E>>> + Send + 'static,
{
    // One place for each attempt.
    let (reached, mut connections) = mpsc::channel(addresses.len().max(1));
    let mut race = Race::new(addresses, Instant::now());
    let mut attempts = JoinSet::new();
    let mut failure = None;
    loop {
        if let Some(address) = race.begin(Instant::now()) {
            attempts.spawn(attempt(address, reached.clone()));
        } else if attempts.is_empty() && race.wakes().is_none() {
            return Err(failure);
        }
        let next = race.wakes();
        tokio::select! {
            () = until(next) => {}
            Some(()) = connections.recv() => race.reached(Instant::now()),
            Some(done) = attempts.join_next() => match done {
                Ok(Ok(outcome)) => return Ok(outcome),
                Ok(Err(Failed::Answered(error))) => return Err(Some(error)),
                Ok(Err(Failed::Unreached(error))) => {
                    failure.get_or_insert(error);
                    race.failed(Instant::now());
                }
                // The attempt panicked. None is aborted while the race runs.
                Err(_) => race.failed(Instant::now()),
            },
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
