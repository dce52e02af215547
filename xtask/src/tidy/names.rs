//! Names without meaning, and names that were retired in favour of standard terms.

use std::collections::BTreeMap;

use super::definitions::{self, Definition, Thing};
use super::finding::Finding;
use super::javascript;
use super::source::Source;
use super::tree::Text;

/// Words that do not describe what a thing is.
const EMPTY_WORDS: &[&str] = &["manager", "managers", "helper", "helpers", "util", "utils"];

/// A retired name.
struct Retired {
    /// The forms of the name. A lower-case form matches consecutive words of a name. A form in `CamelCase` matches a
    /// whole type name.
    forms: &'static [&'static str],
    instead: &'static str,
    /// The crates where the word is retired. Empty means everywhere.
    crates: &'static [&'static str],
}

/// The crates that handle packets and frames.
const MEDIA: &[&str] = &["transport", "peer", "media", "codecs"];

/// The retired names and their replacements. A name is checked where it is defined, not where it is used.
const RETIRED: &[Retired] = &[
    retired(&["rung", "rungs"], "encoding or layer", &[]),
    retired(&["lane", "lanes"], "encoding or layer", &[]),
    retired(&["again"], "retransmission", MEDIA),
    retired(&["repeat", "repeats", "repeated"], "retransmission", MEDIA),
    retired(&["filling", "fillings"], "padding", MEDIA),
    retired(&["Groups"], "InterArrival", &["transport"]),
    retired(&["Once"], "DuplicateFilter", MEDIA),
    retired(&["Piece", "Pieces"], "packet", MEDIA),
    retired(&["Part", "Parts"], "descriptor", MEDIA),
    retired(&["Run", "Runs"], "frame", MEDIA),
    retired(&["obey", "obeys", "obeyed"], "what is done: apply, handle", &[]),
    retired(&["hear", "hears", "heard"], "receive, receiver; audible for sound", &[]),
    retired(&["told"], "notified, reported, announced", &[]),
    retired(&["ears"], "receiver", &[]),
    retired(&["sight", "sights"], "visibility, viewport", &[]),
    retired(&["come home", "comes home"], "return", &[]),
];

/// Exceptions: names that belong to the protocol or to a foreign interface. Each entry has the file, the word and the
/// reason.
const KEPT: &[(&str, &str, &str)] = &[];

/// The files whose names are checked.
#[derive(Clone, Copy)]
pub(crate) struct Files<'a> {
    pub(crate) sources: &'a [Source],
    /// All text files of the checkout, of which the JavaScript is read.
    pub(crate) texts: &'a [Text],
    /// All files of the checkout.
    pub(crate) paths: &'a [String],
}

/// Checks the names in every file. `left` is the text of [`LEFT`].
pub(crate) fn check(files: Files<'_>, left: &str) -> Vec<Finding> {
    let counted = retired_names(files);
    [empty(files.sources), against(&counted, &parse(left))].concat()
}

/// The file that lists the remaining retired names, relative to the root. Each line has a path, a word and a count.
pub(crate) const LEFT: &str = "xtask/src/tidy/retired.txt";

/// The text of [`LEFT`] with counts lowered to what is left. Counts are never raised.
pub(crate) fn lowered(files: Files<'_>, left: &str) -> String {
    let counted = retired_names(files);
    let mut text: String =
        left.lines().take_while(|line| line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    for ((path, word), allowed) in parse(left) {
        let count = counted.get(&(path.clone(), word.clone())).map_or(0, Vec::len).min(allowed);
        if count > 0 {
            text.push_str(&format!("{path} {word} {count}\n"));
        }
    }
    text
}

const fn retired(forms: &'static [&'static str], instead: &'static str, crates: &'static [&'static str]) -> Retired {
    Retired { forms, instead, crates }
}

fn empty(sources: &[Source]) -> Vec<Finding> {
    let says_nothing =
        |name: &str| definitions::words(name).into_iter().find(|word| EMPTY_WORDS.contains(&word.as_str()));
    sources
        .iter()
        .flat_map(|source| {
            let judged = |thing: Thing| matches!(thing, Thing::Type | Thing::Module | Thing::Function);
            let defined = definitions::of(&source.whole).into_iter().filter(move |definition| judged(definition.thing));
            let names = defined.map(|definition| (definition.line, definition.name));
            names.chain([(0, stem(&source.path).to_owned())]).filter_map(|(line, name)| {
                let word = says_nothing(&name)?;
                Some(Finding::broken(&source.path, line, format!("{name}: \"{word}\" says nothing about what it is")))
            })
        })
        .collect()
}

/// A definition with a retired name.
struct Use {
    line: usize,
    name: String,
    instead: &'static str,
}

/// Keyed by file and word. The word is the first form of its row in the table.
type Uses = BTreeMap<(String, String), Vec<Use>>;

fn retired_names(Files { sources, texts, paths }: Files<'_>) -> Uses {
    let mut uses = Uses::new();
    let mut judge = |path: &str, line: usize, name: &str, thing: Option<Thing>| {
        let package = path.strip_prefix("crates/").unwrap_or(path).split('/').next().unwrap_or_default();
        for row in RETIRED.iter().filter(|row| row.crates.is_empty() || row.crates.contains(&package)) {
            let word = row.forms[0];
            let kept = KEPT.iter().any(|(kept_path, kept_word, _)| *kept_path == path && *kept_word == word);
            if !kept && row.forms.iter().any(|form| has_form(name, thing, form)) {
                let found = Use { line, name: name.to_owned(), instead: row.instead };
                uses.entry((path.to_owned(), word.replace(' ', "_"))).or_default().push(found);
            }
        }
    };
    for source in sources {
        for Definition { name, thing, line, .. } in definitions::of(&source.whole) {
            judge(&source.path, line, &name, Some(thing));
        }
    }
    for text in texts.iter().filter(|text| is_script(&text.path)) {
        for javascript::Definition { name, line } in javascript::definitions(&text.text) {
            judge(&text.path, line, &name, None);
        }
    }
    for path in paths {
        judge(path, 0, stem(path), None);
    }
    uses
}

/// Whether the file is JavaScript of the pages or of their tests.
fn is_script(path: &str) -> bool {
    let is_javascript = path.ends_with(".js") || path.ends_with(".mjs");
    is_javascript && (path.starts_with("ui/") || path.starts_with("tests/browser/"))
}

/// Whether the words of `form` occur consecutively in the name. A form in `CamelCase` must be the whole name of a type.
fn has_form(name: &str, thing: Option<Thing>, form: &str) -> bool {
    if form.starts_with(char::is_uppercase) {
        return matches!(thing, Some(Thing::Type)) && name == form;
    }
    let wanted: Vec<&str> = form.split(' ').collect();
    definitions::words(name).windows(wanted.len()).any(|words| words == wanted)
}

fn against(counted: &Uses, left: &BTreeMap<(String, String), usize>) -> Vec<Finding> {
    let too_many = counted.iter().filter(|(key, uses)| uses.len() > left.get(key).copied().unwrap_or(0));
    let too_many = too_many.flat_map(|(key, uses)| {
        let allowed = left.get(key).copied().unwrap_or(0);
        let (path, word) = key;
        uses.iter().map(move |Use { line, name, instead }| {
            let some = format!(" ({} here, {allowed} allowed)", uses.len());
            let some = if allowed == 0 { "" } else { &some };
            Finding::broken(path, *line, format!("{name}: \"{word}\" is retired{some}; use {instead}"))
        })
    });
    let too_few = left.iter().filter_map(|(key, allowed)| {
        let count = counted.get(key).map_or(0, Vec::len);
        let (path, word) = key;
        let text = format!("\"{word}\" is left {count} times of {allowed}: run cargo xtask tidy --lower");
        (count < *allowed).then(|| Finding::broken(path, 0, text))
    });
    too_many.chain(too_few).collect()
}

/// Parses the counts by path and word. An invalid line is ignored, so that its names are refused.
fn parse(left: &str) -> BTreeMap<(String, String), usize> {
    left.lines()
        .filter_map(|line| {
            let mut parts = line.split_whitespace();
            let key = (parts.next()?.to_owned(), parts.next()?.to_owned());
            Some((key, parts.next()?.parse().ok()?))
        })
        .collect()
}

/// The name of a file up to its first dot.
fn stem(path: &str) -> &str {
    path.rsplit('/').next().and_then(|file| file.split('.').next()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::sources;
    use super::*;

    fn complaints_with(left: &str, path: &str, text: &str) -> Vec<String> {
        let rust: &[(&str, &str)] = if path.ends_with(".rs") { &[(path, text)] } else { &[] };
        let texts = [Text { path: path.to_owned(), text: text.to_owned() }];
        let files = Files { sources: &sources(rust), texts: &texts, paths: &[path.to_owned()] };
        check(files, left).iter().map(ToString::to_string).collect()
    }

    fn complaints(path: &str, text: &str) -> Vec<String> {
        complaints_with("", path, text)
    }

    #[test]
    fn meaningless_names_are_refused_where_they_are_defined() {
        for text in
            ["struct CallManager;", "mod utils {}", "fn sdp_helper() {}", "trait Helper {}", "enum ManagerState {}"]
        {
            assert_eq!(complaints("a.rs", text).len(), 1, "{text}");
        }
        for text in ["struct Utility;", "use windows::DeviceManager;", "fn managed() {}", "type F = fn(u8);"] {
            assert_eq!(complaints("a.rs", text), Vec::<String>::new(), "{text}");
        }
        assert_eq!(complaints("crates/peer/src/utils.rs", "").len(), 1);
    }

    #[test]
    fn each_retired_name_is_refused_where_it_is_given() {
        for row in RETIRED {
            let package = row.crates.first().unwrap_or(&"engine");
            let path = format!("crates/{package}/src/a.rs");
            for form in row.forms {
                let texts = match form.starts_with(char::is_uppercase) {
                    true => vec![format!("struct {form};"), format!("enum {form} {{}}"), format!("type {form} = u8;")],
                    false => {
                        let name = form.replace(' ', "_");
                        vec![
                            format!("fn {name}() {{}}"),
                            format!("struct S {{ top_{name}: u8 }}"),
                            format!("fn f({name}_2: u8) {{}}"),
                            format!("fn f() {{ let top_{name}_top = 1; }}"),
                            format!("const {}: u8 = 1;", name.to_uppercase()),
                        ]
                    }
                };
                for text in texts {
                    let found = complaints(&path, &text);
                    assert_eq!(found.len(), 1, "{text}: {found:?}");
                    assert!(found[0].contains(row.instead), "{found:?}");
                }
            }
        }
    }

    #[test]
    fn a_file_must_not_have_a_retired_name() {
        assert_eq!(
            complaints("ui/shared/sight.js", ""),
            ["ui/shared/sight.js: sight: \"sight\" is retired; use visibility, viewport"]
        );
    }

    #[test]
    fn retired_names_are_refused_in_javascript() {
        for text in [
            "function told() {}",
            "class Told {}",
            "const toldOnce = 1;",
            "f((wasTold) => 1);",
            "class A { #told() {} }",
            "f({ told: 1 });",
        ] {
            for path in ["ui/shared/parts/a.js", "tests/browser/a.js", "tests/browser/ui/a.mjs"] {
                let found = complaints(path, text);
                assert_eq!(found.len(), 1, "{text}: {found:?}");
                assert!(found[0].starts_with(&format!("{path}:1: ")), "{found:?}");
            }
            assert_eq!(complaints("docs/a.js", text), Vec::<String>::new());
        }
        for text in ["told();", "// told", "f('told');", "function again() {}"] {
            assert_eq!(complaints("ui/a.js", text), Vec::<String>::new(), "{text}");
        }
        let left = "# Why.\nui/a.js told 2\n";
        assert_eq!(complaints_with(left, "ui/a.js", "let told;\nlet toldOnce;"), Vec::<String>::new());
        assert_eq!(
            complaints_with(left, "ui/a.js", "let told;"),
            ["ui/a.js: \"told\" is left 1 times of 2: run cargo xtask tidy --lower"]
        );
    }

    #[test]
    fn other_words_uses_comments_and_other_crates_are_allowed() {
        for text in [
            "struct Plane;",
            "fn f() { \"x\".repeat(3); }",
            "// told\nfn f() { log!(\"told\"); }",
            "use std::iter::repeat;",
            "fn appear() {}",
        ] {
            assert_eq!(complaints("crates/peer/src/a.rs", text), Vec::<String>::new(), "{text}");
        }
        assert!(complaints("crates/engine/src/a.rs", "fn try_again() {} struct Part;").is_empty());
        assert!(complaints("crates/media/src/a.rs", "fn run() {} fn once() {}").is_empty());
    }

    #[test]
    fn what_is_left_may_only_fall() {
        let text = "fn told() {}\nfn untold_told() {}";
        let path = "crates/call/src/a.rs";
        let line = |count: usize| format!("# Why.\n{path} told {count}\n");
        assert_eq!(complaints_with(&line(2), path, text), Vec::<String>::new());
        assert_eq!(
            complaints_with(&line(1), path, text),
            [
                format!("{path}:1: told: \"told\" is retired (2 here, 1 allowed); use notified, reported, announced"),
                format!(
                    "{path}:2: untold_told: \"told\" is retired (2 here, 1 allowed); use notified, reported, announced"
                ),
            ]
        );
        let fallen = format!("{path}: \"told\" is left 2 times of 3: run cargo xtask tidy --lower");
        assert_eq!(complaints_with(&line(3), path, text), [fallen]);
    }

    #[test]
    fn lowering_raises_no_count_and_drops_zeros() {
        let path = "crates/call/src/a.rs";
        let files = sources(&[(path, "fn told() {}\nfn told_a() {}\nfn hear() {}\nfn hear_a() {}\nfn sight() {}")]);
        let left = format!("# Why.\n{path} told 5\n{path} hear 1\ngone.rs rung 3\n");
        assert_eq!(
            lowered(Files { sources: &files, texts: &[], paths: &[] }, &left),
            format!("# Why.\n{path} hear 1\n{path} told 2\n")
        );
    }
}
