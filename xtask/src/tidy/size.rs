//! Limits on the length of files and functions.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Block, ImplItemFn, ItemFn, Signature, TraitItemFn};

use super::finding::Finding;
use super::source::Source;

/// A longer file needs a reason in [`LONG_FILES`].
const FILE_REASON: usize = 600;
/// A longer file is refused, whatever its reason.
const FILE_LIMIT: usize = 700;
/// A longer function is a question.
const FUNCTION_QUESTION: usize = 60;
/// A longer function is refused, except in tests.
const FUNCTION_LIMIT: usize = 70;
/// A longer test is a question.
const TEST_QUESTION: usize = 100;

/// Files of more than 600 lines, with the reason why each is one file.
const LONG_FILES: &[(&str, &str)] = &[];

/// A function, with the number of lines from `fn` to its closing brace.
struct Function {
    name: String,
    line: usize,
    lines: usize,
}

/// Checks both rules in every file.
pub(crate) fn check(sources: &[Source]) -> Vec<Finding> {
    let functions = sources.iter().flat_map(functions);
    [files(sources, LONG_FILES), functions.collect()].concat()
}

fn files(sources: &[Source], long_files: &[(&str, &str)]) -> Vec<Finding> {
    let reason = |path: &str| long_files.iter().any(|(listed, _)| *listed == path);
    let too_long = sources.iter().filter(|source| source.lines > FILE_REASON).filter_map(|source| {
        let lines = source.lines;
        if lines > FILE_LIMIT {
            Some(Finding::broken(&source.path, 0, format!("{lines} lines, the limit is {FILE_LIMIT}: split it")))
        } else if !reason(&source.path) {
            let text = format!("{lines} lines: split it, or name it with its reason in xtask/src/tidy/size.rs");
            Some(Finding::broken(&source.path, 0, text))
        } else {
            None
        }
    });
    let is_long = |path: &str| sources.iter().any(|source| source.path == path && source.lines > FILE_REASON);
    let not_long = long_files.iter().filter(|(path, _)| !is_long(path)).map(|(path, _)| {
        Finding::broken(
            *path,
            0,
            format!("has no more than {FILE_REASON} lines: remove it from xtask/src/tidy/size.rs"),
        )
    });
    too_long.chain(not_long).collect()
}

fn functions(source: &Source) -> Vec<Finding> {
    let mut all = Functions::default();
    all.visit_file(&source.whole);
    let mut shipped = Functions::default();
    if let Some(file) = source.shipped() {
        shipped.visit_file(file);
    }
    let is_shipped = |line: usize| shipped.found.iter().any(|function| function.line == line);
    all.found
        .into_iter()
        .filter_map(|function| {
            let Function { name, line, lines } = &function;
            match (is_shipped(*line), *lines) {
                (true, lines) if lines > FUNCTION_LIMIT => {
                    let text = format!("fn {name} has {lines} lines, the limit is {FUNCTION_LIMIT}: split it");
                    Some(Finding::broken(&source.path, *line, text))
                }
                (true, lines) if lines > FUNCTION_QUESTION => {
                    Some(Finding::question(&source.path, *line, format!("fn {name} has {lines} lines")))
                }
                (false, lines) if lines > TEST_QUESTION => {
                    Some(Finding::question(&source.path, *line, format!("the test's fn {name} has {lines} lines")))
                }
                _ => None,
            }
        })
        .collect()
}

#[derive(Default)]
struct Functions {
    found: Vec<Function>,
}

impl Functions {
    fn push(&mut self, signature: &Signature, body: &Block) {
        let first = signature.fn_token.span().start().line;
        let last = body.brace_token.span.close().end().line;
        self.found.push(Function { name: signature.ident.to_string(), line: first, lines: last - first + 1 });
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.push(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.push(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(body) = &item.default {
            self.push(&item.sig, body);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::sources;
    use super::*;

    fn complaints(found: Vec<Finding>) -> Vec<String> {
        found.iter().map(|finding| format!("{:?} {finding}", finding.weight)).collect()
    }

    fn of_file(lines: usize, listed: &[(&str, &str)]) -> Vec<String> {
        complaints(files(&sources(&[("crates/a/src/a.rs", &"\n".repeat(lines))]), listed))
    }

    #[test]
    fn files_over_600_lines_need_a_reason_and_over_700_are_refused() {
        let listed = [("crates/a/src/a.rs", "one table")];
        assert_eq!(of_file(600, &[]), Vec::<String>::new());
        assert_eq!(of_file(601, &listed), Vec::<String>::new());
        assert_eq!(
            of_file(601, &[]),
            ["Broken crates/a/src/a.rs: 601 lines: split it, or name it with its reason in xtask/src/tidy/size.rs"]
        );
        assert_eq!(of_file(700, &listed), Vec::<String>::new());
        assert_eq!(of_file(701, &listed), ["Broken crates/a/src/a.rs: 701 lines, the limit is 700: split it"]);
    }

    #[test]
    fn an_unneeded_reason_is_refused() {
        let complaint = ["Broken crates/a/src/a.rs: has no more than 600 lines: remove it from xtask/src/tidy/size.rs"];
        assert_eq!(of_file(600, &[("crates/a/src/a.rs", "one table")]), complaint);
        assert_eq!(complaints(files(&[], &[("crates/a/src/a.rs", "one table")])), complaint);
    }

    #[test]
    fn a_function_over_70_lines_is_refused_everywhere() {
        for (before, after) in [("", ""), ("impl T { ", "}"), ("trait T { ", "}"), ("fn short() { ", "}")] {
            let function = |lines: usize| {
                let text = format!("{before}/// Long.\n fn long() {{{}}} {after}", "\n".repeat(lines - 1));
                let found = sources(&[("crates/a/src/a.rs", &text)]).iter().flat_map(functions).collect();
                complaints(found).into_iter().filter(|complaint| complaint.contains("fn long")).collect::<Vec<_>>()
            };
            assert_eq!(function(60), Vec::<String>::new());
            assert_eq!(function(61), ["Question crates/a/src/a.rs:2: fn long has 61 lines"]);
            assert_eq!(function(70), ["Question crates/a/src/a.rs:2: fn long has 70 lines"]);
            assert_eq!(function(71), ["Broken crates/a/src/a.rs:2: fn long has 71 lines, the limit is 70: split it"]);
        }
    }

    #[test]
    fn a_test_over_100_lines_is_questioned() {
        let test = |path: &str, lines: usize| {
            let text = format!("#[test]\nfn long() {{{}}}", "\n".repeat(lines - 1));
            complaints(sources(&[(path, &text)]).iter().flat_map(functions).collect())
        };
        for path in ["crates/a/src/a.rs", "crates/a/tests/a.rs", "tests/lunch/main.rs"] {
            assert_eq!(test(path, 100), Vec::<String>::new());
            assert_eq!(test(path, 101), [format!("Question {path}:2: the test's fn long has 101 lines")]);
        }
    }
}
