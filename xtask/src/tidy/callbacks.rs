//! Locks, allocations and logs in the callbacks of audio devices.
//!
//! Tests find allocations and logs when they happen. A lock that nobody else holds shows no trace, so it is found by its
//! name, and every callback is defined in one of the files where names are checked.

use super::finding::Finding;
use super::source::Source;
use super::tokens::{self, Token};

/// All that a callback runs.
const FILES: &[&str] =
    &["crates/devices/src/audio/callback.rs", "crates/devices/src/audio/ring.rs", "crates/devices/src/audio/signal.rs"];

/// What hands a callback to a device.
const BUILDERS: &[&str] =
    &["build_input_stream", "build_output_stream", "build_input_stream_raw", "build_output_stream_raw"];

/// Names that a callback must not use, and what they do.
const FORBIDDEN: &[(&str, &str)] = &[
    ("Mutex", "locks"),
    ("RwLock", "locks"),
    ("ReentrantLock", "locks"),
    ("Condvar", "locks"),
    ("Barrier", "locks"),
    ("Once", "locks"),
    ("OnceLock", "locks"),
    ("LazyLock", "locks"),
    ("mpsc", "locks"),
    ("channel", "locks"),
    ("lock", "locks"),
    ("park", "waits"),
    ("sleep", "waits"),
    ("join", "waits"),
    ("File", "waits"),
    ("tracing", "logs"),
    ("log", "logs"),
    ("println", "logs"),
    ("eprintln", "logs"),
    ("dbg", "logs"),
    ("format", "allocates"),
    ("vec", "allocates"),
    ("Vec", "allocates"),
    ("Box", "allocates"),
    ("String", "allocates"),
    ("to_string", "allocates"),
    ("to_owned", "allocates"),
    ("to_vec", "allocates"),
    ("collect", "allocates"),
];

/// Checks the files of callbacks, and that no other file defines one.
pub(crate) fn check(sources: &[Source]) -> Vec<Finding> {
    let missing = FILES.iter().filter(|path| !sources.iter().any(|source| source.path == **path));
    let missing = missing.map(|path| Finding::broken(*path, 0, "it has moved: name it in xtask/src/tidy/callbacks.rs"));
    let shipped = sources.iter().filter_map(|source| Some((source.path.as_str(), tokens::of(source.shipped()?))));
    missing
        .chain(shipped.flat_map(|(path, tokens)| [forbidden(path, &tokens), elsewhere(path, &tokens)].concat()))
        .collect()
}

fn forbidden(path: &str, tokens: &[Token]) -> Vec<Finding> {
    if !FILES.contains(&path) {
        return Vec::new();
    }
    let named = |token: &Token| FORBIDDEN.iter().find(|(name, _)| *name == token.text).copied();
    let found = tokens.iter().filter_map(|token| Some((token.line, named(token)?)));
    found
        .map(|(line, (name, does))| {
            Finding::broken(path, line, format!("{name} {does}, which an audio callback must not"))
        })
        .collect()
}

/// Calls of [`BUILDERS`] whose callback is not made by a function of `callback.rs`.
fn elsewhere(path: &str, tokens: &[Token]) -> Vec<Finding> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let calls = (0..tokens.len()).filter(|at| BUILDERS.contains(&text(*at)) && text(at + 1) == "(");
    let argument = |at: usize| (at + 2..tokens.len()).find(|n| text(*n) == ",").map_or(at, |comma| comma + 1);
    let made = |at: usize| text(argument(at)) == "callback" && text(argument(at) + 1) == ":";
    calls
        .filter(|at| !made(*at))
        .map(|at| Finding::broken(path, tokens[at].line, "make this callback in crates/devices/src/audio/callback.rs"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::sources;
    use super::*;

    fn complaints(path: &str, text: &str) -> Vec<String> {
        let mut files: Vec<(&str, &str)> =
            FILES.iter().map(|path| (*path, "")).filter(|(one, _)| *one != path).collect();
        files.push((path, text));
        check(&sources(&files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_lock_in_a_callback_is_found() {
        let path = FILES[1];
        for (line, does) in [
            ("let x: Mutex<u8>;", "Mutex locks"),
            ("let x = y.lock();", "lock locks"),
            ("tracing::info!(\"x\");", "tracing logs"),
            ("let x = vec![1];", "vec allocates"),
        ] {
            let expected = format!("{path}:2: {does}, which an audio callback must not");
            assert_eq!(complaints(path, &format!("fn f() {{\n    {line}\n}}")), [expected]);
        }
        assert!(complaints(path, "#[cfg(test)]\nmod tests {\n    fn f() { vec![1]; }\n}").is_empty());
        assert!(complaints("crates/devices/src/audio/stream.rs", "fn f() { x.lock(); }").is_empty());
    }

    #[test]
    fn a_callback_elsewhere_is_found() {
        let path = "crates/devices/src/audio/native.rs";
        let call = |callback: &str| format!("fn f() {{ d.build_input_stream(c, {callback}, e, None); }}");
        assert_eq!(complaints(path, &call("callback::captured(r, 2)")), Vec::<String>::new());
        for other in ["move |d, _| x", "captured"] {
            assert_eq!(complaints(path, &call(other)).len(), 1, "{other}");
        }
    }

    #[test]
    fn a_file_that_has_moved_is_found() {
        assert_eq!(check(&sources(&[(FILES[0], ""), (FILES[1], "")])).len(), 1);
    }
}
