//! What a pure crate must not do, and unfinished work.

use super::finding::Finding;
use super::imports;
use super::source::Source;
use super::tokens;

/// What the code of a pure crate must not contain, and why. The addresses of `std::net` are plain data and allowed.
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

/// Modules that a pure crate must not import with `use std::{…}`.
const IMPURE_MODULES: &[&str] = &["thread", "fs", "process", "env"];

/// Marks of unfinished work.
const UNFINISHED: &[&str] = &["todo!", "unimplemented!"];

/// Checks both rules in every file.
pub(crate) fn check(sources: &[Source]) -> Vec<Finding> {
    sources.iter().flat_map(|source| [unfinished(source), purity(source)].concat()).collect()
}

fn unfinished(source: &Source) -> Vec<Finding> {
    let tokens = tokens::of(&source.whole);
    let lines = |mark: &'static str| tokens::lines_of(&tokens, mark).into_iter().map(move |line| (mark, line));
    UNFINISHED
        .iter()
        .flat_map(|mark| lines(mark))
        .map(|(mark, line)| Finding::broken(&source.path, line, format!("{mark} marks unfinished work: finish it")))
        .collect()
}

fn purity(source: &Source) -> Vec<Finding> {
    let Some(file) = source.shipped().filter(|_| imports::is_free_of_io(source.package().0)) else {
        return Vec::new();
    };
    let tokens = tokens::of(file);
    let words = IMPURE.iter().flat_map(|(what, why)| {
        tokens::lines_of(&tokens, what).into_iter().map(move |line| (line, what.trim_matches(['.', ':']), *why))
    });
    let modules = grouped_modules(file).into_iter().map(|(line, name)| (line, name, "does not belong in a pure crate"));
    words
        .chain(modules)
        .map(|(line, what, why)| Finding::broken(&source.path, line, format!("{what} in a pure crate: {why}")))
        .collect()
}

/// Finds `thread` and others in `use std::{thread, …}`, where the path `std::thread` does not occur literally.
fn grouped_modules(file: &syn::File) -> Vec<(usize, &'static str)> {
    let groups = file.items.iter().filter_map(|item| match item {
        syn::Item::Use(item) => match &item.tree {
            syn::UseTree::Path(path) if path.ident == "std" => match &*path.tree {
                syn::UseTree::Group(group) => Some(group),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    let name = |tree: &syn::UseTree| match tree {
        syn::UseTree::Path(path) => Some(path.ident.clone()),
        syn::UseTree::Name(name) => Some(name.ident.clone()),
        syn::UseTree::Rename(rename) => Some(rename.ident.clone()),
        syn::UseTree::Glob(_) | syn::UseTree::Group(_) => None,
    };
    groups
        .flat_map(|group| group.items.iter().filter_map(name))
        .filter_map(|ident| {
            let module = IMPURE_MODULES.iter().find(|module| ident == **module)?;
            Some((ident.span().start().line, *module))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::sources;
    use super::*;

    const PURE: &str = "crates/media/src/sync.rs";

    fn complaints(path: &str, text: &str) -> Vec<String> {
        check(&sources(&[(path, text)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn impure_code_is_refused_only_in_pure_crates() {
        for text in [
            "fn f() { let t = Instant::now(); }",
            "fn f() { let t = std::time::SystemTime::now(); }",
            "fn f() { let d = start.elapsed(); }",
            "fn f() { std::thread::spawn(f); }",
            "use std::{thread, net};",
            "use std::{fs::read, net};",
            "fn f() { log!(UdpSocket::bind(a)); }",
            "use std::net::TcpStream;",
            "fn f() { let f = File::open(p); }",
            "fn f() { let f = std::fs::read(p); }",
            "use tokio::sync::mpsc;",
            "use webrtc::peer_connection;",
        ] {
            assert!(!complaints(PURE, text).is_empty(), "{text}");
            assert!(!complaints("crates/codecs/src/opus.rs", text).is_empty(), "{text}");
            assert!(complaints("crates/engine/src/audio.rs", text).is_empty(), "{text}");
        }
    }

    #[test]
    fn pure_code_that_looks_impure_is_allowed() {
        for text in [
            "use std::net::IpAddr;\nfn f(now: Instant, profile: Profile) {}",
            "// Instant::now() would be wrong here\nconst WHY: &str = \"tokio\";",
            "struct FileName;\nfn elapsed(now: Instant) {}",
        ] {
            assert_eq!(complaints(PURE, text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn tests_of_pure_crates_may_read_clocks_and_files() {
        let tests = "#[cfg(test)]\nmod tests {\n    fn f() { Instant::now(); File::open(p); }\n}";
        assert!(complaints(PURE, tests).is_empty());
        assert!(complaints("crates/media/tests/whole.rs", "fn f() { Instant::now(); }").is_empty());
    }

    #[test]
    fn a_finding_names_its_line() {
        assert_eq!(
            complaints(PURE, "fn f() {\n\nlet t = Instant::now(); }"),
            ["crates/media/src/sync.rs:3: Instant::now in a pure crate: reads a clock; `now` is an argument"]
        );
    }

    #[test]
    fn unfinished_work_is_found_even_where_clippy_does_not_look() {
        let mark = UNFINISHED[0];
        assert_eq!(complaints("build.rs", &format!("fn f() {{ {mark}() }}")).len(), 1);
        assert!(complaints("build.rs", &format!("fn f() {{ call(\"{mark}\") }}")).is_empty());
    }
}
