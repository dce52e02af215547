//! Finds out what a network lets through to a Lunchroom server, and what that means for calls.
//!
//! ```text
//!  Target ─► examine ─► Examination ─► diagnose ─► Diagnosis ─► Report
//!            (probes)   (observed)     (pure)      (findings)   (words in two languages)
//! ```
//!
//! The probes follow the way of a call: DNS, TCP, the proxy, TLS, the WebSocket, the server's welcome, and then all STUN
//! and TURN servers that the welcome names. A [`Finding`] has a stable code, the hop that fails, what that means for
//! calls, and what to ask for.

mod diagnosis;
mod examination;
mod finding;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod probe;
mod report;
mod target;
mod words;

pub use diagnosis::{Diagnosis, Verdict, diagnose};
pub use examination::{Examination, Failed, Hello, Lookup, Mtu, Outcome, ProxyUse, Relay, Server, Tcp, Tls, Upgrade};
pub use finding::{Finding, Hop, Ports, Severity};
pub use outbound::{Proxies, Proxy};
pub use probe::{Options, examine};
pub use report::{FindingReport, HopReport, Report};
pub use target::Target;
pub use words::{Language, Words};
