//! Import cycles of the modules inside a crate.
//!
//! A module uses another one when product code in it names that module, in a `use` or in any other path, including the
//! arguments of macros. A re-export is followed to the module of the definition. A use between two modules counts for
//! the two siblings that contain them: if `desk::passing` uses `show::board`, then `desk` uses `show`. A cycle of
//! siblings is a fault: none of them can be read, tested or moved without the others.
//!
//! Uses between a module and the modules inside it do not count, in either direction. A parent declares its children
//! and calls them, and they access its private types by `super::`: together they are one unit in several files. A cycle
//! between two children is a fault.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use syn::visit::{self, Visit};
use syn::{File, UseTree};

use super::definitions;
use super::finding::Finding;
use super::source::Source;
use super::tokens;

/// The maximum length of a chain of re-exports that is followed.
const HOPS: usize = 16;

/// Crates that still have cycles. Their cycles are questions until none is left.
const LEFT: &[&str] = &[];

/// The path of a module inside its crate. Empty for the root.
type Name = Vec<String>;

/// Checks every crate.
pub(crate) fn check(sources: &[Source]) -> Vec<Finding> {
    against(sources, LEFT)
}

fn against(sources: &[Source], left: &[&str]) -> Vec<Finding> {
    let mut crates: BTreeMap<&str, Vec<(&Source, Name, &File)>> = BTreeMap::new();
    for source in sources {
        if let (Some(file), Some(name)) = (&source.product, source.module()) {
            crates.entry(source.package().0).or_default().push((source, name, file));
        }
    }
    let found = crates.into_iter().flat_map(|(name, files)| {
        let found = cycles(&graph(files));
        match (left.contains(&name), found.is_empty()) {
            (false, _) => found,
            (true, true) => vec![Finding::broken(name, 0, "has no cycle: remove it from xtask/src/tidy/modules.rs")],
            (true, false) => found
                .into_iter()
                .map(|Finding { place, line, text, .. }| Finding::question(place, line, text))
                .collect(),
        }
    });
    found.collect()
}

/// The modules of one crate.
#[derive(Default)]
struct Graph {
    modules: BTreeMap<Name, Module>,
}

/// The definitions and the paths of a module.
#[derive(Default)]
struct Module {
    file: String,
    /// Functions, types and constants.
    items: BTreeSet<String>,
    /// The paths that `use` binds to names.
    bindings: BTreeMap<String, Vec<String>>,
    /// The paths of `use …::*`.
    globs: Vec<Vec<String>>,
    paths: Vec<Path>,
}

/// A path as written, without generic arguments.
struct Path {
    segments: Vec<String>,
    line: usize,
    /// Whether it is in a `use`, where a single word may be a module. Elsewhere a single word is a value or a type.
    in_use: bool,
}

/// The place where a module first uses its sibling.
#[derive(Clone)]
struct Place {
    file: String,
    line: usize,
}

/// The lookup of a name in a module that another one imports with a glob.
type Find = fn(&Graph, &Name, &String, &[String], usize) -> Option<Name>;

/// The uses among the children of one module, by user and used sibling.
type Siblings = BTreeMap<String, BTreeMap<String, Place>>;

fn graph(files: Vec<(&Source, Name, &File)>) -> Graph {
    let mut graph = Graph::default();
    // If there is a library, the program beside it is a separate crate of one file.
    let has_library = files.iter().any(|(source, ..)| source.path.ends_with("/src/lib.rs"));
    for (source, name, file) in files {
        if has_library && source.path.ends_with("/src/main.rs") || source.path.contains("/src/bin/") {
            continue;
        }
        Reader { graph: &mut graph, file: &source.path, at: name }.read(file);
    }
    graph
}

impl Graph {
    /// The module that defines what `segments` name when used in `at`. Returns `at` itself if that is outside the
    /// crate.
    fn target(&self, at: &Name, segments: &[String], hops: usize) -> Name {
        let Some((first, rest)) = segments.split_first() else { return at.clone() };
        match first.as_str() {
            "crate" => self.target(&Name::new(), rest, hops),
            "self" => self.target(at, rest, hops),
            "super" => self.target(&at[..at.len().saturating_sub(1)].to_vec(), rest, hops),
            _ => self.find(at, first, rest, hops).unwrap_or_else(|| at.clone()),
        }
    }

    /// Like [`Graph::target`], for a name that is a child module of `at`, or is defined, bound or glob-imported there.
    fn find(&self, at: &Name, first: &String, rest: &[String], hops: usize) -> Option<Name> {
        let child = [at.as_slice(), std::slice::from_ref(first)].concat();
        match self.modules.contains_key(&child) {
            true => Some(self.target(&child, rest, hops)),
            false => self.find_item(at, first, rest, hops, Graph::find),
        }
    }

    /// Like [`Graph::find`], for a single word, which is not a module.
    fn find_word(&self, at: &Name, word: &String, rest: &[String], hops: usize) -> Option<Name> {
        self.find_item(at, word, rest, hops, Graph::find_word)
    }

    fn find_item(&self, at: &Name, first: &String, rest: &[String], hops: usize, opened_by: Find) -> Option<Name> {
        let hops = hops.checked_sub(1)?;
        let module = self.modules.get(at)?;
        if module.items.contains(first) {
            return Some(at.clone());
        }
        if let Some(binding) = module.bindings.get(first) {
            // `use tokio::sync` binds a foreign name: a module that imports it from here depends on this module.
            return Some(self.target(at, &[binding.as_slice(), rest].concat(), hops));
        }
        module.globs.iter().find_map(|glob| {
            let opened = self.target(at, glob, hops);
            if opened == *at { None } else { opened_by(self, &opened, first, rest, hops) }
        })
    }

    /// The uses among siblings, by their parent module.
    fn siblings(&self) -> BTreeMap<Name, Siblings> {
        let mut all: BTreeMap<Name, Siblings> = BTreeMap::new();
        for (user, module) in &self.modules {
            for Path { segments, line, in_use } in &module.paths {
                let used = match segments.as_slice() {
                    [word] if !in_use => self.find_word(user, word, &[], HOPS).unwrap_or_else(|| user.clone()),
                    segments => self.target(user, segments, HOPS),
                };
                let shared = user.iter().zip(&used).take_while(|(one, other)| one == other).count();
                if let (Some(one), Some(other)) = (user.get(shared), used.get(shared)) {
                    let place = Place { file: module.file.clone(), line: *line };
                    let uses = all.entry(user[..shared].to_vec()).or_default().entry(one.clone()).or_default();
                    uses.entry(other.clone()).or_insert(place);
                }
            }
        }
        all
    }
}

fn cycles(graph: &Graph) -> Vec<Finding> {
    let mut found = Vec::new();
    for (parent, siblings) in graph.siblings() {
        let mut seen = BTreeSet::new();
        for (user, uses) in &siblings {
            for used in uses.keys() {
                if let Some(cycle) = shortest(&siblings, used, user) {
                    seen.insert(from_least(cycle));
                }
            }
        }
        found.extend(seen.iter().map(|cycle| finding(&parent, &siblings, cycle)));
    }
    found
}

/// The shortest path from `start` to `end`, including both.
fn shortest(siblings: &Siblings, start: &str, end: &str) -> Option<Vec<String>> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::from([(start, start)]);
    let mut left = VecDeque::from([start]);
    while let Some(at) = left.pop_front() {
        if at == end {
            let mut way = vec![at.to_owned()];
            let mut at = at;
            while at != start {
                at = before[at];
                way.push(at.to_owned());
            }
            way.reverse();
            return Some(way);
        }
        for next in siblings.get(at).into_iter().flat_map(BTreeMap::keys) {
            if !before.contains_key(next.as_str()) {
                before.insert(next, at);
                left.push_back(next);
            }
        }
    }
    None
}

/// Rotates a cycle so that it starts with its alphabetically first name.
fn from_least(mut cycle: Vec<String>) -> Vec<String> {
    let least = (0..cycle.len()).min_by_key(|at| &cycle[*at]).unwrap_or_default();
    cycle.rotate_left(least);
    cycle
}

fn finding(parent: &Name, siblings: &Siblings, cycle: &[String]) -> Finding {
    let name = |module: &String| [parent.as_slice(), std::slice::from_ref(module)].concat().join("::");
    let next = |at: usize| &cycle[(at + 1) % cycle.len()];
    let places: Vec<(Place, &String)> =
        (0..cycle.len()).map(|at| (siblings[&cycle[at]][next(at)].clone(), next(at))).collect();
    let names: Vec<String> = cycle.iter().chain(cycle.first()).map(name).collect();
    let uses: Vec<String> =
        places.iter().map(|(Place { file, line }, used)| format!("{file}:{line} uses {used}")).collect();
    let text = format!(
        "a cycle of modules: {} ({}): move what both need into one that needs neither",
        names.join(" → "),
        uses.join(", ")
    );
    Finding::broken(&places[0].0.file, places[0].0.line, text)
}

/// Reads a file's modules into the graph.
struct Reader<'a> {
    graph: &'a mut Graph,
    file: &'a str,
    at: Name,
}

impl Reader<'_> {
    fn read(mut self, file: &File) {
        self.module();
        self.items(&file.items);
        self.visit_file(file);
    }

    fn module(&mut self) -> &mut Module {
        let file = self.file;
        let module = self.graph.modules.entry(self.at.clone()).or_default();
        module.file = file.to_owned();
        module
    }

    fn items(&mut self, items: &[syn::Item]) {
        let names = items.iter().filter(|item| !matches!(item, syn::Item::Use(_) | syn::Item::Mod(_)));
        let names: Vec<String> = names.filter_map(definitions::name_of).collect();
        self.module().items.extend(names);
    }

    fn push(&mut self, segments: Vec<String>, line: usize, in_use: bool) {
        self.module().paths.push(Path { segments, line, in_use });
    }

    fn tree(&mut self, tree: &UseTree, before: &[String]) {
        let with = |ident: &syn::Ident| [before, &[ident.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.tree(&path.tree, &with(&path.ident)),
            UseTree::Name(name) if name.ident == "self" => {
                let bound = before.last().cloned().unwrap_or_default();
                self.bind(bound, before.to_vec(), &name.ident);
            }
            UseTree::Name(name) => self.bind(name.ident.to_string(), with(&name.ident), &name.ident),
            UseTree::Rename(rename) if rename.ident == "self" => {
                self.bind(rename.rename.to_string(), before.to_vec(), &rename.ident);
            }
            UseTree::Rename(rename) => self.bind(rename.rename.to_string(), with(&rename.ident), &rename.ident),
            UseTree::Glob(glob) => {
                let line = glob.star_token.spans[0].start().line;
                self.module().globs.push(before.to_vec());
                self.push(before.to_vec(), line, true);
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(tree, before)),
        }
    }

    fn bind(&mut self, name: String, segments: Vec<String>, written: &syn::Ident) {
        if name != "_" {
            self.module().bindings.insert(name, segments.clone());
        }
        self.push(segments, written.span().start().line, true);
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let Some((_, items)) = &module.content else { return };
        self.at.push(module.ident.to_string());
        self.items(items);
        visit::visit_item_mod(self, module);
        self.at.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if item.leading_colon.is_none() {
            self.tree(&item.tree, &[]);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if let Some(first) = path.segments.first().filter(|_| path.leading_colon.is_none()) {
            let segments = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.push(segments, first.ident.span().start().line, false);
        }
        visit::visit_path(self, path);
    }

    /// The arguments of a macro are not parsed yet, so paths in them are recognised as words joined by `::`.
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        let tokens = tokens::flat(call.tokens.clone());
        let is = |at: usize, text: &str| tokens.get(at).is_some_and(|token| token.text == text);
        let is_word = |at: usize| {
            tokens.get(at).is_some_and(|token| token.text.starts_with(|c: char| c.is_alphabetic() || c == '_'))
        };
        let mut at = 0;
        while at < tokens.len() {
            let start = at;
            at += 1;
            if is_word(start) && !is(start.wrapping_sub(1), ".") {
                let mut segments = vec![tokens[start].text.clone()];
                while is(at, ":") && is(at + 1, ":") && is_word(at + 2) {
                    segments.push(tokens[at + 2].text.clone());
                    at += 3;
                }
                self.push(segments, tokens[start].line, false);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Weight;
    use super::super::source::tests::sources;
    use super::*;

    fn complaints(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<(String, &str)> =
            files.iter().map(|(path, text)| (format!("crates/media/src/{path}.rs"), *text)).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        against(&sources(&files), &[]).iter().map(ToString::to_string).collect()
    }

    /// The modules of each cycle.
    fn cycles(files: &[(&str, &str)]) -> Vec<String> {
        let text = |complaint: &String| {
            let (_, rest) = complaint.split_once("a cycle of modules: ").expect("a cycle");
            rest.split(" (").next().unwrap_or_default().to_owned()
        };
        complaints(files).iter().map(text).collect()
    }

    #[test]
    fn a_cycle_of_two_is_reported_with_its_places() {
        let found = complaints(&[
            ("lib", "mod slot; mod frame;"),
            ("slot", "// Frames.\nuse crate::frame::Frame; pub struct Slot;"),
            ("frame", "pub struct Frame { of: crate::slot::Slot }"),
        ]);
        assert_eq!(
            found,
            ["crates/media/src/frame.rs:1: a cycle of modules: frame → slot → frame \
              (crates/media/src/frame.rs:1 uses slot, crates/media/src/slot.rs:2 uses frame): \
              move what both need into one that needs neither"]
        );
    }

    #[test]
    fn every_way_to_name_a_sibling_counts() {
        for back in [
            "use crate::a;",
            "use crate::a::{self};",
            "use crate::a as b2;",
            "use crate::{a::A, c::C};",
            "use super::a::A;",
            "use crate::a::*;",
            "fn f() { crate::a::f(); }",
            "fn f(a: super::a::A) {}",
            "fn f() { use crate::a::A; }",
            "fn f() { log!(\"{}\", x.y, crate::a::LEVEL); }",
            "impl crate::a::T for u8 {}",
            "use crate::A;",
            "fn f() { crate::opened(); }",
            "use super::*; fn f(a: A) {}",
            "mod deep { use super::super::a::A; }",
        ] {
            let root = "mod a; mod b; mod c; pub use a::A; use self::a::*;";
            let files =
                [("lib", root), ("a", "use crate::b; struct A; fn opened() {}"), ("b", back), ("c", "struct C;")];
            assert_eq!(cycles(&files), ["a → b → a"], "{back}");
        }
    }

    #[test]
    fn other_paths_are_not_uses_of_a_sibling() {
        for back in [
            "use other::a::A;",
            "use ::a::A;",
            "// crate::a\nconst A: &str = \"crate::a\";",
            "fn f(a: u8) { a.a(); }",
            "#[cfg(test)] mod tests { use crate::a::A; }",
            "#[test] fn f() { crate::a::f(); }",
            "use crate::C;",
            "use super::*; fn f() { let a = 1; g(a); log!(a); }",
        ] {
            let root = "mod a; mod b; mod c; pub use a::A; pub use c::C;";
            let files = [("lib", root), ("a", "use crate::b;"), ("b", back), ("c", "pub struct C;")];
            assert_eq!(cycles(&files), Vec::<String>::new(), "{back}");
        }
    }

    #[test]
    fn a_longer_cycle_begins_at_its_first_name() {
        let files =
            [("lib", "mod c; mod b; mod a;"), ("c", "use crate::a;"), ("b", "use crate::c;"), ("a", "use crate::b;")];
        assert_eq!(cycles(&files), ["a → b → c → a"]);
    }

    #[test]
    fn two_cycles_that_share_a_module_are_both_reported() {
        let files = [
            ("lib", "mod c; mod b; mod a;"),
            ("c", "use crate::a;"),
            ("b", "use crate::a;"),
            ("a", "use crate::{b, c};"),
        ];
        assert_eq!(cycles(&files), ["a → b → a", "a → c → a"]);
    }

    #[test]
    fn a_parent_and_its_children_count_as_one() {
        let (parent, child) = ("mod x; mod y; use x::X; struct P;", "use super::P; fn f(p: crate::a::P) {}");
        assert!(cycles(&[("lib", "mod a;"), ("a", parent), ("a/x", child), ("a/y", "use super::x::X;")]).is_empty());
        assert_eq!(
            cycles(&[("lib", "mod a;"), ("a/mod", parent), ("a/x", "use super::y;"), ("a/y", "use super::x::X;")]),
            ["a::x → a::y → a::x"]
        );
    }

    #[test]
    fn uses_in_a_submodule_count_for_its_parent() {
        let files = [("lib", "mod a; mod b;"), ("a", "mod x;"), ("a/x", "use crate::b::B;"), ("b", "use crate::a;")];
        assert_eq!(cycles(&files), ["a → b → a"]);
    }

    #[test]
    fn a_listed_crate_without_cycles_is_reported() {
        let weights = |b: &str| {
            let files = sources(&[("crates/media/src/a.rs", "use crate::b;"), ("crates/media/src/b.rs", b)]);
            against(&files, &["media"]).iter().map(|finding| finding.weight).collect::<Vec<_>>()
        };
        assert_eq!(weights("use crate::a;"), [Weight::Question]);
        assert_eq!(weights(""), [Weight::Broken]);
    }

    #[test]
    fn a_name_that_is_bound_to_itself_ends() {
        assert!(cycles(&[("lib", "mod a;"), ("a", "use rtc::rtc; use b::b; fn f() { rtc::rtc::x(); }")]).is_empty());
    }
}
