//! `cargo xtask tidy --unused`: lists public items that nothing in the workspace names.
//!
//! Names are counted, not definitions: an item is unused if product code mentions its name only where it is defined,
//! re-exported, or the type of its own `impl`. Every listed item therefore has no caller, but an item that shares its
//! name with a used one is not listed.

use std::collections::BTreeMap;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::File;
use syn::visit::{self, Visit};

use super::definitions::{self, Definition, Thing};
use super::source::Source;

/// Items whose callers are still to come: the crate, the name and the caller.
const PLANNED: &[(&str, &str, &str)] = &[
    ("codecs", "set_loss", "the sender of sound, when FEC follows the loss that the far side reports"),
    ("layers", "path_total", "what divides one uplink by `layers::allocate`: the mesh, and later the SFU"),
    ("media", "LipSync", LIP_SYNC),
    ("media", "audio_report", LIP_SYNC),
    ("media", "video_report", LIP_SYNC),
    ("media", "skew_s", LIP_SYNC),
    ("media", "set_extra_delay", LIP_SYNC),
];
const LIP_SYNC: &str = "the engine, when sound and pictures of a participant wait for each other";

/// A public item without a caller.
pub(crate) struct Unused {
    path: String,
    definition: Definition,
    /// Whether tests name it.
    in_tests: bool,
    planned: Option<&'static str>,
}

impl std::fmt::Display for Unused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Unused { path, definition: Definition { name, line, thing, .. }, .. } = self;
        let thing = format!("{thing:?}").to_lowercase();
        let who = match self.planned {
            Some(caller) => format!("will be called by {caller}"),
            None if self.in_tests => "only tests use it".to_owned(),
            None => "nothing uses it".to_owned(),
        };
        write!(f, "{path}:{line}: {thing} {name}: {who}")
    }
}

/// Lists the public items of all crates except `testkit` that no product code names.
pub(crate) fn list(sources: &[Source]) -> Vec<Unused> {
    let products = sources.iter().filter(|source| !is_test_code(source)).filter_map(|source| source.product.as_ref());
    let named = products.fold(BTreeMap::new(), |counts, file| add(counts, uses(file)));
    let everywhere = sources.iter().fold(BTreeMap::new(), |counts, source| add(counts, uses(&source.whole)));
    let count = |counts: &BTreeMap<String, usize>, name: &str| counts.get(name).copied().unwrap_or_default();
    let mut unused = Vec::new();
    for source in sources.iter().filter(|source| source.path.starts_with("crates/")) {
        for definition in source.shipped().map(definitions::of).unwrap_or_default() {
            let judged = definition.is_public && !matches!(definition.thing, Thing::Field | Thing::Module);
            if judged && count(&named, &definition.name) == 0 {
                let in_tests = count(&everywhere, &definition.name) > 0;
                let of_crate = |(package, name, _): &&(&str, &str, &str)| {
                    *package == source.package().0 && *name == definition.name
                };
                let planned = PLANNED.iter().find(of_crate).map(|(.., caller)| *caller);
                unused.push(Unused { path: source.path.clone(), definition, in_tests, planned });
            }
        }
    }
    unused
}

/// Whether this is code of tests, examples, benchmarks or project commands, which are not callers in the product.
fn is_test_code(source: &Source) -> bool {
    let (package, rest) = source.package();
    let is_product = rest.starts_with("src/") || rest == "build.rs";
    !is_product || matches!(package, "tests" | "testkit" | "xtask")
}

fn add(mut counts: BTreeMap<String, usize>, more: BTreeMap<String, usize>) -> BTreeMap<String, usize> {
    for (name, count) in more {
        *counts.entry(name).or_default() += count;
    }
    counts
}

/// Counts how often the file names each thing, except where it defines, re-exports or implements it.
fn uses(file: &File) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    words(file.to_token_stream(), &mut counts);
    let mut no_uses = NoUses { counts: &mut counts };
    no_uses.visit_file(file);
    for Definition { name, .. } in definitions::of(file) {
        no_uses.take(&name);
    }
    counts
}

fn words(stream: TokenStream, counts: &mut BTreeMap<String, usize>) {
    let mut count = |word: &str| *counts.entry(word.to_owned()).or_default() += 1;
    let mut groups = Vec::new();
    let mut before = String::new();
    for tree in stream {
        match tree {
            TokenTree::Ident(ident) => {
                before = ident.to_string();
                count(before.trim_start_matches("r#"));
            }
            TokenTree::Group(group) => groups.push(group.stream()),
            // Names in literals: `format!("{LIMIT}")`, `#[serde(default = "of_default")]`. Doc comments do not count.
            TokenTree::Literal(literal) if before != "doc" => named_in(&literal.to_string()).for_each(&mut count),
            TokenTree::Literal(_) | TokenTree::Punct(_) => {}
        }
    }
    for group in groups {
        words(group, counts);
    }
}

/// The words of a literal that is a path, and the words after its opening braces.
fn named_in(literal: &str) -> impl Iterator<Item = &str> {
    let text = literal.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let is_path = text.split("::").all(|part| !part.is_empty() && part.chars().all(is_word));
    let parts = text.split("::").filter(move |_| is_path);
    let arguments = text.split('{').skip(1).map(move |rest| rest.split(|c| !is_word(c)).next().unwrap_or_default());
    parts.chain(arguments.filter(|word| !word.is_empty()))
}

/// Subtracts occurrences that are not uses.
struct NoUses<'a> {
    counts: &'a mut BTreeMap<String, usize>,
}

impl NoUses<'_> {
    fn take(&mut self, name: &str) {
        if let Some(count) = self.counts.get_mut(name) {
            *count = count.saturating_sub(1);
        }
    }

    fn take_tree(&mut self, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => self.take_tree(&path.tree),
            syn::UseTree::Name(name) => self.take(&name.ident.to_string()),
            syn::UseTree::Rename(rename) => self.take(&rename.ident.to_string()),
            syn::UseTree::Glob(_) => {}
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.take_tree(tree)),
        }
    }
}

impl<'ast> Visit<'ast> for NoUses<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.take_tree(&item.tree);
    }

    fn visit_item_impl(&mut self, block: &'ast syn::ItemImpl) {
        if let syn::Type::Path(path) = &*block.self_ty
            && let Some(last) = path.path.segments.last()
        {
            self.take(&last.ident.to_string());
        }
        visit::visit_item_impl(self, block);
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::sources;
    use super::*;

    fn unused(user: &str) -> Vec<String> {
        let defining = "pub mod a { pub struct Lunch; } pub use a::Lunch;
            impl Lunch { pub const SIZE: u8 = 1; pub fn eat(&self) {} pub fn again(&self) { self.again() } }
            pub enum Table { Laid }
            pub fn serve() {}
            fn private() {}";
        let files = [("crates/media/src/lib.rs", defining), ("crates/engine/src/user.rs", user)];
        list(&sources(&files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn unused_items_are_listed_with_their_place() {
        let all = unused("");
        let names: Vec<&str> = all.iter().filter_map(|line| line.split(": ").nth(1)).collect();
        assert_eq!(
            names,
            ["type Lunch", "constant SIZE", "function eat", "type Table", "variant Laid", "function serve"]
        );
        assert_eq!(all[5], "crates/media/src/lib.rs:4: function serve: nothing uses it");
    }

    #[test]
    fn every_kind_of_use_is_found() {
        for (user, name) in [
            ("fn f() { media::serve(); }", "serve"),
            ("fn f(l: &media::Lunch) {}", "Lunch"),
            ("fn f() { l.eat() }", "eat"),
            ("fn f() { log!(\"{SIZE}\") }", "SIZE"),
            ("fn f() { log!(serve()) }", "serve"),
            ("struct S { #[serde(default = \"media::serve\")] s: u8 }", "serve"),
            ("fn f(t: T) { matches!(t, Table::Laid) }", "Laid"),
        ] {
            let left = unused(user);
            assert!(!left.iter().any(|line| line.contains(&format!(" {name}:"))), "{user}: {left:?}");
        }
    }

    #[test]
    fn definitions_and_comments_are_not_uses() {
        for user in ["/// serve\nfn f() {}", "fn f() { log!(\"serve us {}\") }", "pub use media::serve;"] {
            assert_eq!(unused(user).len(), unused("").len(), "{user}");
        }
    }

    #[test]
    fn items_used_only_by_tests_are_marked() {
        let all = unused("#[cfg(test)] mod tests { fn f() { serve() } }");
        assert_eq!(all[5], "crates/media/src/lib.rs:4: function serve: only tests use it");
    }
}
