//! Channels without a bound, which grow as long as nobody reads from them.

use std::collections::BTreeMap;

use super::finding::Finding;
use super::source::Source;
use super::tokens::{self, Token};

/// Constructors of unbounded queues in `tokio`, `futures`, `flume` and `crossbeam`. [`is_bare_channel`] finds those of
/// `std`.
const UNBOUNDED: &[&str] = &["unbounded_channel", "unbounded(", "SegQueue::"];

/// The remaining unbounded channels: the file, their number, and what limits each. Counts may only fall.
const LEFT: &[(&str, usize, &str)] = &[
    ("crates/server/src/keeping.rs", 1, "one message for each batch of the store, of which 4,096 wait at most"),
    (
        "crates/server/src/listener.rs",
        1,
        "one message for each connection that ends, of which there is a bounded number",
    ),
];

/// Checks every file that ships.
pub(crate) fn check(sources: &[Source]) -> Vec<Finding> {
    against(sources, LEFT)
}

fn against(sources: &[Source], left: &[(&str, usize, &str)]) -> Vec<Finding> {
    let mut found: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for source in sources {
        if let Some(file) = source.shipped() {
            found.insert(&source.path, lines(&tokens::of(file)));
        }
    }
    let allowed = |path: &str| left.iter().find(|(listed, ..)| *listed == path).map_or(0, |(_, count, _)| *count);
    let too_many = found.iter().filter(|(path, lines)| lines.len() > allowed(path)).flat_map(|(path, lines)| {
        let text = "a queue without a bound: give it one, and a sentence on what happens when it is full";
        lines.iter().map(move |line| Finding::broken(*path, *line, text))
    });
    let too_few = left.iter().filter_map(|(path, count, _)| {
        let lines = found.get(path).map_or(0, Vec::len);
        let text = format!("{lines} queues without a bound are left of {count}: lower it in xtask/src/tidy/queues.rs");
        (lines < *count).then(|| Finding::broken(*path, 0, text))
    });
    too_many.chain(too_few).collect()
}

/// The lines that create an unbounded queue.
fn lines(tokens: &[Token]) -> Vec<usize> {
    let mut lines: Vec<usize> = UNBOUNDED.iter().flat_map(|what| named(tokens, what)).collect();
    lines.extend((0..tokens.len()).filter(|at| is_bare_channel(tokens, *at)).map(|at| tokens[at].line));
    lines.sort_unstable();
    lines
}

/// The lines that call or qualify `what`. A name that is only imported by `use`, or defined as a function, does not
/// count.
fn named(tokens: &[Token], what: &str) -> Vec<usize> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let name = what.trim_end_matches(['(', ':']);
    (0..tokens.len())
        .filter(|at| text(*at) == name && at.checked_sub(1).is_none_or(|before| text(before) != "fn"))
        .filter(|at| match what.strip_prefix(name) {
            Some("::") => text(at + 1) == ":",
            _ => matches!(text(at + 1), "(" | ":"),
        })
        .map(|at| tokens[at].line)
        .collect()
}

/// Whether this is `channel()` without a bound, which is that of `std`. The `oneshot` channels of `tokio` and `futures`
/// hold one value.
fn is_bare_channel(tokens: &[Token], at: usize) -> bool {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let before = |back: usize| at.checked_sub(back).map_or("", text);
    if text(at) != "channel" || matches!(before(1), "fn" | ".") {
        return false;
    }
    let is_oneshot = before(1) == ":" && before(2) == ":" && before(3) == "oneshot";
    !is_oneshot && calls_with_nothing(tokens, at + 1)
}

/// Whether `()` or `::<T>()` follows at `at`.
fn calls_with_nothing(tokens: &[Token], at: usize) -> bool {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let mut at = at;
    if text(at) == ":" && text(at + 2) == "<" {
        let mut depth = 0_usize;
        at += 2;
        loop {
            match text(at) {
                "<" => depth += 1,
                // The `>` of a function type's arrow closes no bracket.
                ">" if text(at - 1) != "-" => depth -= 1,
                "" if at >= tokens.len() => return false,
                _ => {}
            }
            at += 1;
            if depth == 0 {
                break;
            }
        }
    }
    text(at) == "(" && text(at + 1) == ")"
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::sources;
    use super::*;

    const PATH: &str = "crates/engine/src/audio.rs";

    fn complaints(path: &str, line: &str, left: &[(&str, usize, &str)]) -> Vec<String> {
        let text = format!("fn f() {{\n    {line}\n}}");
        against(&sources(&[(path, &text)]), left).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_queue_without_a_bound_is_refused() {
        for line in [
            "let (a, b) = mpsc::unbounded_channel();",
            "let (a, b) = unbounded_channel::<u8>();",
            "let (a, b) = channel();",
            "let x = mpsc::channel();",
            "let x = std::sync::mpsc::channel::<Vec<fn() -> u8>>();",
            "let x = flume::unbounded();",
            "let x = crossbeam_channel::unbounded::<u8>();",
            "let x = futures::channel::mpsc::unbounded();",
            "let x = SegQueue::new();",
            "log!(channel());",
        ] {
            let complaint = format!(
                "{PATH}:2: a queue without a bound: give it one, and a sentence on what happens when it is full"
            );
            assert_eq!(complaints(PATH, line, &[]), [complaint], "{line}");
        }
    }

    #[test]
    fn a_queue_with_a_bound_and_one_for_a_single_value_are_allowed() {
        for line in [
            "let (a, b) = mpsc::channel(QUEUE);",
            "let (a, b) = mpsc::sync_channel(QUEUE);",
            "let (a, b) = oneshot::channel();",
            "let (a, b) = oneshot::channel::<u8>();",
            "let x = message.channel();",
            "use flume::unbounded;",
        ] {
            assert_eq!(complaints(PATH, line, &[]), Vec::<String>::new(), "{line}");
        }
        assert!(complaints("crates/engine/tests/a.rs", "let x = channel();", &[]).is_empty());
    }

    #[test]
    fn what_is_left_may_only_fall() {
        let line = "let x = channel();";
        assert!(complaints(PATH, line, &[(PATH, 1, "reason")]).is_empty());
        let lower = |count: usize, of: usize| {
            format!("{PATH}: {count} queues without a bound are left of {of}: lower it in xtask/src/tidy/queues.rs")
        };
        assert_eq!(complaints(PATH, line, &[(PATH, 2, "reason")]), [lower(1, 2)]);
        assert_eq!(complaints(PATH, "", &[(PATH, 1, "reason")]), [lower(0, 1)]);
    }
}
