//! What the issuer says about itself: where its endpoints are, and its keys. A task keeps it and fetches it again.
//!
//! ```text
//!            asked, and nothing is known or it is old            answered
//! (nothing) ───────────────────────────────────────▶ fetching ─────────────▶ known
//!     ▲                                                │  ▲                    │
//!     │               a pause, then the next           │  │    an hour, or an  │
//!     └──────────── who asks fetches again ◀── failed ─┘  └──── unknown key ───┘
//! ```

use std::sync::Arc;
use std::time::Duration;

use openidconnect::core::CoreProviderMetadata;
use openidconnect::{DiscoveryError, IssuerUrl};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::trouble::Trouble;
use super::web::{Web, WebError};

/// Sign-ins that wait for the issuer. When full, further ones are refused as busy.
const WAITING: usize = 64;
/// How long an answer is used.
const FRESH: Duration = Duration::from_secs(3600);
/// Shortest time between two requests because of a key that is not known: anybody can make up key ids.
const AGAIN: Duration = Duration::from_secs(20);
/// How long a failure is remembered, so that those who wait do not wait for one time limit after the other.
const FAILED: Duration = Duration::from_secs(3);

/// An answer of the issuer.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) metadata: CoreProviderMetadata,
    /// Counts the answers.
    number: u64,
}

#[derive(Debug)]
struct Ask {
    /// The answer that does not have the key of a token.
    lacking: Option<u64>,
    reply: oneshot::Sender<Result<Arc<Known>, Trouble>>,
}

/// The handle of the task.
#[derive(Debug, Clone)]
pub(super) struct Issuer(mpsc::Sender<Ask>);

impl Issuer {
    /// Starts the task, which ends when the last handle is dropped.
    pub(super) fn spawn(url: IssuerUrl, web: Web) -> Issuer {
        let (sender, mut asked) = mpsc::channel::<Ask>(WAITING);
        tokio::spawn(async move {
            let mut state = State { url, web, known: None, failed: None };
            while let Some(ask) = asked.recv().await {
                // Whoever asked may have gone.
                let _ = ask.reply.send(state.answer(ask.lacking).await);
            }
        });
        Issuer(sender)
    }

    /// What is known of the issuer.
    pub(super) async fn known(&self) -> Result<Arc<Known>, Trouble> {
        self.ask(None).await
    }

    /// What is known of the issuer, after a token had a key that this answer does not have.
    pub(super) async fn newer_than(&self, known: &Known) -> Result<Arc<Known>, Trouble> {
        self.ask(Some(known.number)).await
    }

    async fn ask(&self, lacking: Option<u64>) -> Result<Arc<Known>, Trouble> {
        let (reply, answer) = oneshot::channel();
        self.0.try_send(Ask { lacking, reply }).map_err(|_| Trouble::Busy)?;
        answer.await.unwrap_or(Err(Trouble::Busy))
    }
}

struct State {
    url: IssuerUrl,
    web: Web,
    known: Option<(Arc<Known>, Instant)>,
    failed: Option<(Trouble, Instant)>,
}

impl State {
    async fn answer(&mut self, lacking: Option<u64>) -> Result<Arc<Known>, Trouble> {
        if let Some((known, at)) = &self.known {
            let is_enough = match lacking {
                Some(number) => known.number != number || at.elapsed() < AGAIN,
                None => at.elapsed() < FRESH,
            };
            if is_enough {
                return Ok(Arc::clone(known));
            }
        }
        if let Some((trouble, _)) = self.failed.filter(|(_, at)| at.elapsed() < FAILED) {
            return self.old(trouble);
        }
        match self.fetch().await {
            Ok(metadata) => {
                let number = self.known.as_ref().map_or(0, |(known, _)| known.number + 1);
                let known = Arc::new(Known { metadata, number });
                self.known = Some((Arc::clone(&known), Instant::now()));
                self.failed = None;
                Ok(known)
            }
            Err(trouble) => {
                self.failed = Some((trouble, Instant::now()));
                self.old(trouble)
            }
        }
    }

    /// The last answer serves on while the issuer is out of reach.
    fn old(&self, trouble: Trouble) -> Result<Arc<Known>, Trouble> {
        self.known.as_ref().map(|(known, _)| Arc::clone(known)).ok_or(trouble)
    }

    async fn fetch(&self) -> Result<CoreProviderMetadata, Trouble> {
        let found = CoreProviderMetadata::discover_async(self.url.clone(), &self.web).await;
        let metadata = found.map_err(|error| {
            tracing::warn!(issuer = %self.url.as_str(), "the issuer of accounts does not answer as it should: {}", Reason(&error));
            trouble(&error)
        })?;
        let token = metadata.token_endpoint().is_some_and(|url| self.web.allows(url.url()));
        if token && self.web.allows(metadata.authorization_endpoint().url()) {
            return Ok(metadata);
        }
        tracing::warn!(issuer = %self.url.as_str(), "the issuer of accounts has an endpoint that cannot be used");
        Err(Trouble::Wrong)
    }
}

fn trouble(error: &DiscoveryError<WebError>) -> Trouble {
    match error {
        DiscoveryError::Request(WebError::Address(_)) => Trouble::Wrong,
        DiscoveryError::Request(_) => Trouble::Unreachable,
        DiscoveryError::Response(status, ..) if status.is_server_error() => Trouble::Unreachable,
        _ => Trouble::Wrong,
    }
}

/// An error with its causes, on one line.
pub(super) struct Reason<'a>(pub(super) &'a dyn std::error::Error);

impl std::fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
