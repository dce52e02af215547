//! Rules that are read off Rust sources.

use super::finding::Finding;
use super::imports;
use super::mask;

/// Above this a file is asked whether it should be two.
const FILE_QUESTION: usize = 600;
/// Above this it must be.
const FILE_LIMIT: usize = 700;
/// Above this a function is asked the same.
const FUNCTION_QUESTION: usize = 60;

/// What a pure crate's products must not contain, and why. `std::net`'s addresses are plain data and allowed.
const IMPURE: &[(&str, &str)] = &[
    ("Instant::now", "reads a clock; `now` is an argument"),
    ("SystemTime::now", "reads a clock; pass the time in"),
    (".elapsed()", "reads a clock; subtract from `now`"),
    ("thread::", "touches threads"),
    ("std::thread", "touches threads"),
    ("UdpSocket", "opens a socket"),
    ("TcpStream", "opens a socket"),
    ("TcpListener", "opens a socket"),
    ("ToSocketAddrs", "asks the resolver"),
    ("File", "opens a file; take `Read + Seek`"),
    ("OpenOptions", "opens a file; take `Read + Seek`"),
    ("std::fs", "touches the file system; take `Read + Seek`"),
    ("std::process", "touches processes"),
    ("std::env", "reads the environment"),
    ("tokio", "imports a runtime"),
    ("cpal", "imports a device library"),
    ("nokhwa", "imports a device library"),
    ("tauri", "imports the shell"),
    ("webrtc", "imports the WebRTC stack"),
];

/// Channels that grow as long as nobody reads.
const UNBOUNDED: &[&str] = &["unbounded_channel", "mpsc::channel()", "= channel()"];

/// Marks of work that is not done.
const UNFINISHED: &[&str] = &["todo!", "unimplemented!"];

/// Words that say nothing about what a thing is.
const EMPTY_WORDS: &[&str] = &["manager", "managers", "helper", "helpers", "util", "utils"];

/// What gives a thing its name.
const DEFINING: &[&str] = &["struct", "enum", "trait", "type", "mod", "fn", "union"];

/// One Rust file.
pub(crate) struct Source {
    /// Relative to the root, with `/` between folders.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Every rule on every file.
pub(crate) fn check(sources: &[Source]) -> Vec<Finding> {
    let masked: Vec<(&Source, String)> = sources.iter().map(|s| (s, mask::code_only(&s.text))).collect();
    let test_files: Vec<String> = masked.iter().flat_map(|(source, code)| files_of_tests(&source.path, code)).collect();
    masked
        .iter()
        .flat_map(|(source, code)| {
            let mut found =
                [length(source), functions(source, code), unfinished(source, code), names(source, code)].concat();
            let is_test = test_files.iter().any(|test| source.path.starts_with(test));
            if let Some(name) = product_of(&source.path).filter(|_| !is_test) {
                let code = mask::without_tests(code);
                found.extend(queues(source, &code));
                if imports::is_free_of_io(name) {
                    found.extend(purity(source, &code));
                }
            }
            found
        })
        .collect()
}

/// The crate that a file in `crates/NAME/src/` belongs to.
fn product_of(path: &str) -> Option<&str> {
    let (name, rest) = path.strip_prefix("crates/")?.split_once('/')?;
    rest.starts_with("src/").then_some(name)
}

/// The starts of paths that `#[cfg(test)] mod name;` makes tests: `…/name.rs` and `…/name/`.
fn files_of_tests(path: &str, code: &str) -> Vec<String> {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let folder = match file {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        _ => format!("{folder}/{}", file.trim_end_matches(".rs")),
    };
    mask::test_modules(code)
        .into_iter()
        .flat_map(|name| [format!("{folder}/{name}.rs"), format!("{folder}/{name}/")])
        .collect()
}

fn length(source: &Source) -> Vec<Finding> {
    let lines = source.text.lines().count();
    match lines {
        0..=FILE_QUESTION => Vec::new(),
        _ if lines <= FILE_LIMIT => {
            vec![Finding::question(&source.path, 0, format!("{lines} lines: split by what changes together?"))]
        }
        _ => vec![Finding::broken(&source.path, 0, format!("{lines} lines, the limit is {FILE_LIMIT}"))],
    }
}

fn functions(source: &Source, code: &str) -> Vec<Finding> {
    words(code, "fn")
        .filter_map(|start| {
            let end = mask::end_of_body(code, start)?;
            let lines = code[start..end].lines().count();
            let name = defined_at(code, start + "fn".len());
            (lines > FUNCTION_QUESTION && !name.is_empty())
                .then(|| Finding::question(&source.path, line_of(code, start), format!("fn {name} has {lines} lines")))
        })
        .collect()
}

fn unfinished(source: &Source, code: &str) -> Vec<Finding> {
    UNFINISHED
        .iter()
        .flat_map(|mark| words(code, mark).map(move |at| (at, mark)))
        .map(|(at, mark)| Finding::broken(&source.path, line_of(code, at), format!("{mark} is left")))
        .collect()
}

fn names(source: &Source, code: &str) -> Vec<Finding> {
    let defined = DEFINING
        .iter()
        .flat_map(|keyword| words(code, keyword).map(|at| (line_of(code, at), defined_at(code, at + keyword.len()))));
    let file = source.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
    defined
        .chain(std::iter::once((0, file)))
        .filter_map(|(line, name)| {
            let word = says_nothing(name)?;
            Some(Finding::broken(&source.path, line, format!("{name}: \"{word}\" says nothing about what it is")))
        })
        .collect()
}

fn purity(source: &Source, code: &str) -> Vec<Finding> {
    IMPURE
        .iter()
        .flat_map(|(what, why)| words(code, what).map(move |at| (at, what, why)))
        .map(|(at, what, why)| {
            let what = what.trim_matches(['.', ':']);
            Finding::broken(&source.path, line_of(code, at), format!("{what} in a pure crate: {why}"))
        })
        .collect()
}

fn queues(source: &Source, code: &str) -> Vec<Finding> {
    UNBOUNDED
        .iter()
        .flat_map(|what| words(code, what))
        .map(|at| Finding::question(&source.path, line_of(code, at), "a queue without a bound: what keeps it short?"))
        .collect()
}

/// Where `what` stands in the code as a word of its own.
fn words<'a>(code: &'a str, what: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let (opens, closes) = (what.starts_with(is_word), what.ends_with(is_word));
    code.match_indices(what)
        .filter(move |(at, _)| {
            let before = opens && code[..*at].ends_with(is_word);
            let after = closes && code[at + what.len()..].starts_with(is_word);
            !before && !after
        })
        .map(|(at, _)| at)
}

/// The name right after a keyword; empty for `fn(…)` types.
fn defined_at(code: &str, after_keyword: usize) -> &str {
    let rest = code[after_keyword..].trim_start();
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    &rest[..end]
}

/// The first empty word in a `CamelCase` or `snake_case` name.
fn says_nothing(name: &str) -> Option<String> {
    let mut words = vec![String::new()];
    for c in name.chars() {
        if c == '_' || c.is_uppercase() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c != '_') {
            word.extend(c.to_lowercase());
        }
    }
    words.into_iter().find(|word| EMPTY_WORDS.contains(&word.as_str()))
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].bytes().filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::super::finding::Weight;
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    fn complaints(path: &str, text: &str) -> Vec<String> {
        check(&[source(path, text)]).iter().map(ToString::to_string).collect()
    }

    const PURE: &str = "crates/media/src/sync.rs";

    #[test]
    fn every_impure_thing_is_found_in_a_pure_crate_and_allowed_in_a_driver() {
        for text in [
            "let t = Instant::now();",
            "let t = std::time::SystemTime::now();",
            "let d = start.elapsed();",
            "std::thread::spawn(f);",
            "use std::{thread, net};\nfn f() { thread::sleep(d) }",
            "let s = UdpSocket::bind(a);",
            "use std::net::TcpStream;",
            "let f = File::open(p);",
            "let f = std::fs::read(p);",
            "use tokio::sync::mpsc;",
            "use webrtc::peer_connection;",
        ] {
            assert!(!complaints(PURE, text).is_empty(), "{text}");
            assert!(!complaints("crates/codecs/src/opus.rs", text).is_empty(), "{text}");
            assert!(complaints("crates/engine/src/audio.rs", text).is_empty(), "{text}");
        }
    }

    #[test]
    fn what_only_looks_impure_is_allowed() {
        for text in [
            "use std::net::IpAddr;\nfn f(now: Instant, profile: Profile) {}",
            "// Instant::now() would be wrong here\nconst WHY: &str = \"tokio\";",
            "struct FileName;\nfn elapsed(now: Instant) {}",
        ] {
            assert!(complaints(PURE, text).is_empty(), "{text}");
        }
    }

    #[test]
    fn tests_of_pure_crates_may_read_clocks_and_files() {
        let tests = "#[cfg(test)]\nmod tests {\n    fn f() { Instant::now(); File::open(p); }\n}";
        assert!(complaints(PURE, tests).is_empty());
        assert!(complaints("crates/media/tests/whole.rs", "fn f() { Instant::now(); }").is_empty());
        let clock = "fn f() { Instant::now(); }";
        let files = [
            source("crates/media/src/lib.rs", "#[cfg(test)]\nmod rig;\nmod real;"),
            source("crates/media/src/rig.rs", clock),
            source("crates/media/src/rig/deep.rs", clock),
            source("crates/media/src/real.rs", clock),
        ];
        let found: Vec<String> = check(&files).iter().map(|finding| finding.place.clone()).collect();
        assert_eq!(found, ["crates/media/src/real.rs"]);
    }

    #[test]
    fn a_finding_names_its_line() {
        assert_eq!(
            complaints(PURE, "\n\nlet t = Instant::now();"),
            ["crates/media/src/sync.rs:3: Instant::now in a pure crate: reads a clock; `now` is an argument"]
        );
    }

    #[test]
    fn a_long_file_is_asked_and_a_longer_one_fails() {
        let weight = |lines: usize| check(&[source("a.rs", &"\n".repeat(lines))]).first().map(|finding| finding.weight);
        assert_eq!(weight(600), None);
        assert_eq!(weight(601), Some(Weight::Question));
        assert_eq!(weight(700), Some(Weight::Question));
        assert_eq!(weight(701), Some(Weight::Broken));
    }

    #[test]
    fn a_long_function_is_asked() {
        let function =
            |lines: usize| format!("trait T {{ fn none(a: [u8; 3]); }}\nfn long() {{{}}}", "\n".repeat(lines - 1));
        assert_eq!(complaints("a.rs", &function(60)), Vec::<String>::new());
        assert_eq!(complaints("a.rs", &function(61)), ["a.rs:2: fn long has 61 lines"]);
    }

    #[test]
    fn a_queue_without_a_bound_is_asked() {
        for text in ["let (a, b) = mpsc::unbounded_channel();", "let (a, b) = channel();", "let x = mpsc::channel();"] {
            assert_eq!(complaints("crates/engine/src/audio.rs", text).len(), 1, "{text}");
        }
        assert!(complaints("crates/engine/src/audio.rs", "let (a, b) = mpsc::channel(QUEUE);").is_empty());
    }

    #[test]
    fn unfinished_work_is_found_even_where_clippy_does_not_look() {
        let mark = UNFINISHED[0];
        assert_eq!(complaints("build.rs", &format!("fn f() {{ {mark}() }}")).len(), 1);
        assert!(complaints("build.rs", &format!("fn f() {{ call(\"{mark}\") }}")).is_empty());
    }

    #[test]
    fn names_that_say_nothing_are_found_where_things_are_defined() {
        for text in
            ["struct CallManager;", "mod utils {}", "fn sdp_helper() {}", "trait Helper {}", "enum ManagerState {}"]
        {
            assert_eq!(complaints("a.rs", text).len(), 1, "{text}");
        }
        for text in ["struct Utility;", "use windows::DeviceManager;", "fn managed() {}", "let f: fn(u8) = g;"] {
            assert!(complaints("a.rs", text).is_empty(), "{text}");
        }
        assert_eq!(complaints("crates/peer/src/utils.rs", "").len(), 1);
    }
}
