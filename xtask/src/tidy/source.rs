//! Rust files parsed by `syn`, and which parts of them are product code and which are tests.

use syn::File;
use syn::visit::{self, Visit};

use super::finding::Finding;
use super::product;
use super::tree::Text;

/// The file names of a crate's root, in the order in which cargo prefers them.
const ROOTS: &[&str] = &["lib.rs", "main.rs"];

/// One Rust file.
pub(crate) struct Source {
    /// Relative to the root, with `/` between folders.
    pub(crate) path: String,
    pub(crate) lines: usize,
    /// The whole file.
    pub(crate) whole: File,
    /// The file without test code. `None` if only tests compile the file.
    pub(crate) product: Option<File>,
}

impl Source {
    /// The package and the path inside it: `crates/media/src/slot.rs` is (`media`, `src/slot.rs`).
    pub(crate) fn package(&self) -> (&str, &str) {
        let inside = self.path.strip_prefix("crates/").unwrap_or(&self.path);
        inside.split_once('/').unwrap_or(("", inside))
    }

    /// The code that ships: a crate's `src`, or project commands. `None` for tests, fuzz targets and benchmarks.
    pub(crate) fn shipped(&self) -> Option<&File> {
        let (package, rest) = self.package();
        let is_tooling = matches!(package, "tests" | "testkit");
        self.product.as_ref().filter(|_| rest.starts_with("src/") && !is_tooling)
    }

    /// The path of the file's module inside its crate. Empty for the root, `None` outside `src`.
    pub(crate) fn module(&self) -> Option<Vec<String>> {
        let inside = self.package().1.strip_prefix("src/")?;
        if ROOTS.contains(&inside) {
            return Some(Vec::new());
        }
        let path = inside.strip_suffix(".rs")?;
        let path = path.strip_suffix("/mod").unwrap_or(path);
        Some(path.split('/').map(str::to_owned).collect())
    }
}

/// Parses every Rust file in `texts`. A file that cannot be parsed is a finding.
pub(crate) fn read(texts: &[Text]) -> (Vec<Source>, Vec<Finding>) {
    let (mut sources, mut found) = (Vec::new(), Vec::new());
    for Text { path, text } in texts.iter().filter(|text| text.path.ends_with(".rs")) {
        match syn::parse_file(text) {
            Ok(whole) => {
                let product = Some(product::of(&whole));
                sources.push(Source { path: path.clone(), lines: text.lines().count(), whole, product });
            }
            Err(error) => {
                found.push(Finding::broken(path, error.span().start().line, format!("syn cannot parse it: {error}")));
            }
        }
    }
    let tests: Vec<String> = sources.iter().flat_map(files_of_tests).collect();
    for source in &mut sources {
        if tests.iter().any(|test| source.path.starts_with(test)) {
            source.product = None;
        }
    }
    (sources, found)
}

/// The prefixes of paths that `#[cfg(test)] mod name;` limits to tests: `…/name.rs` and `…/name/`.
fn files_of_tests(source: &Source) -> Vec<String> {
    struct Modules(Vec<String>);
    impl<'ast> Visit<'ast> for Modules {
        fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
            if module.content.is_none() && product::is_test(&module.attrs) {
                self.0.push(module.ident.to_string());
            }
            visit::visit_item_mod(self, module);
        }
    }
    let mut modules = Modules(Vec::new());
    modules.visit_file(&source.whole);
    let (folder, file) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
    let folder = match file {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        _ => format!("{folder}/{}", file.trim_end_matches(".rs")),
    };
    modules.0.iter().flat_map(|name| [format!("{folder}/{name}.rs"), format!("{folder}/{name}/")]).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Parses sources from `(path, text)`. They must be valid Rust.
    pub(crate) fn sources(files: &[(&str, &str)]) -> Vec<Source> {
        let texts: Vec<Text> =
            files.iter().map(|(path, text)| Text { path: (*path).into(), text: (*text).into() }).collect();
        let (sources, found) = read(&texts);
        assert_eq!(found, []);
        sources
    }

    #[test]
    fn a_file_that_does_not_parse_is_a_finding() {
        let texts = [Text { path: "a.rs".into(), text: "fn a() {}\nfn {".into() }];
        let (sources, found) = read(&texts);
        assert!(sources.is_empty());
        assert!(found[0].to_string().starts_with("a.rs:2: syn cannot parse it"), "{found:?}");
    }

    #[test]
    fn a_module_under_cfg_test_makes_its_files_tests() {
        let files = sources(&[
            ("crates/media/src/lib.rs", "#[cfg(test)]\nmod rig;\nmod real;"),
            ("crates/media/src/rig.rs", ""),
            ("crates/media/src/rig/deep.rs", ""),
            ("crates/media/src/real.rs", ""),
        ]);
        let shipped: Vec<&str> = files.iter().filter(|f| f.shipped().is_some()).map(|f| f.path.as_str()).collect();
        assert_eq!(shipped, ["crates/media/src/lib.rs", "crates/media/src/real.rs"]);
    }

    #[test]
    fn a_file_knows_its_package_and_module() {
        let module = |path: &str| sources(&[(path, "")])[0].module();
        assert_eq!(module("crates/media/src/lib.rs"), Some(vec![]));
        assert_eq!(module("xtask/src/main.rs"), Some(vec![]));
        assert_eq!(module("crates/media/src/jitter/mod.rs"), Some(vec!["jitter".into()]));
        assert_eq!(module("src-tauri/src/desk/passing.rs"), Some(vec!["desk".into(), "passing".into()]));
        assert_eq!(module("crates/media/tests/whole.rs"), None);
        assert_eq!(sources(&[("crates/media/src/slot.rs", "")])[0].package(), ("media", "src/slot.rs"));
        assert_eq!(sources(&[("src-tauri/src/desk.rs", "")])[0].package(), ("src-tauri", "src/desk.rs"));
    }
}
