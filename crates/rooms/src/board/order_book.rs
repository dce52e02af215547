//! What stewards see of the order.

use signaling::board::{OrderBook, OrderReport, Sitter, StewardAct, SuspendedPerson};

use super::Board;
use super::about::fit;
use super::shown::json_bytes;

/// Bytes of reports in one answer. When full, the oldest are left out. The three together fit in a frame.
const REPORT_BYTES: usize = 28 * 1024;
/// Bytes of suspensions in one answer.
const SUSPENDED_BYTES: usize = 16 * 1024;
/// Bytes of acts in one answer.
const ACT_BYTES: usize = 16 * 1024;

impl Board {
    /// Returns reports, suspensions and acts for a steward, newest first, as much as fits in a frame.
    pub fn order_book(&self) -> OrderBook {
        let reports = self.order.reports.iter().rev().map(|(id, one)| OrderReport {
            id: *id,
            at_ms: one.at,
            by: Sitter::new(&one.by, &one.by_name),
            of: Sitter::new(&one.of, &one.of_name),
            text: one.text.clone(),
            in_call: one.in_call,
        });
        let mut suspended: Vec<SuspendedPerson> = self
            .order
            .suspended
            .iter()
            .map(|(key, one)| SuspendedPerson {
                id: key.clone(),
                name: one.name.clone(),
                since_ms: one.since,
                suspension: one.shown(),
            })
            .collect();
        suspended.sort_by(|a, b| (b.since_ms, &b.id).cmp(&(a.since_ms, &a.id)));
        let acts = self.order.acts.values().rev().map(|one| StewardAct {
            name: one.name.clone(),
            steward: one.steward_name.clone(),
            act: one.shown(),
        });
        let (reports, missing_reports) = fit(reports.collect(), REPORT_BYTES, report_bytes);
        let (suspended, missing_suspended) = fit(suspended, SUSPENDED_BYTES, suspended_bytes);
        let (acts, missing_acts) = fit(acts.collect(), ACT_BYTES, act_bytes);
        let left_out = u32::try_from(missing_reports + missing_suspended + missing_acts).unwrap_or(u32::MAX);
        OrderBook { reports, suspended, acts, left_out }
    }
}

/// Upper bound for the encoded size of a report, in bytes. A key has no character that is escaped.
fn report_bytes(one: &OrderReport) -> usize {
    let sitter = |sitter: &Sitter| sitter.id.len() + json_bytes(&sitter.name) + 24;
    128 + sitter(&one.by) + sitter(&one.of) + json_bytes(&one.text)
}

fn suspended_bytes(one: &SuspendedPerson) -> usize {
    128 + one.id.len() + json_bytes(&one.name) + json_bytes(&one.suspension.reason)
}

fn act_bytes(one: &StewardAct) -> usize {
    160 + [&one.name, &one.steward, &one.act.topic, &one.act.reason].map(|text| json_bytes(text)).iter().sum::<usize>()
}
