//! Rules about the checkout as a whole: files that must exist, and text that must not occur in any file.

use super::finding::Finding;

/// Documents that must exist.
const DOCUMENTS: &[&str] =
    &["README.md", "ARCHITECTURE.md", "PROTOCOL.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE", "deny.toml"];

/// Folders of one machine, split into two parts so that this file does not break its own rule.
const MACHINE_FOLDERS: &[(&str, &str)] =
    &[("/ro", "ot/"), ("/wo", "rk/"), ("/ho", "me/"), ("/Us", "ers/"), ("C:\\Us", "ers\\")];

/// The only registry that lock files may name for JavaScript packages.
const NPM: &str = "https://registry.npmjs.org/";

/// A text file of the checkout.
pub(crate) struct Text {
    /// Relative to the root, with `/` between folders.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Checks all rules of the tree.
pub(crate) fn check(paths: &[String], texts: &[Text]) -> Vec<Finding> {
    let mut found = documents(paths);
    for text in texts {
        found.extend(machine_paths(text));
        if text.path.ends_with("package-lock.json") {
            found.extend(private_mirrors(text));
        }
    }
    found
}

fn documents(paths: &[String]) -> Vec<Finding> {
    DOCUMENTS
        .iter()
        .filter(|document| !paths.iter().any(|path| path == *document))
        .map(|document| Finding::broken(*document, 0, "is missing"))
        .collect()
}

fn machine_paths(text: &Text) -> Vec<Finding> {
    let folders: Vec<String> = MACHINE_FOLDERS.iter().map(|(one, two)| format!("{one}{two}")).collect();
    text.text
        .lines()
        .enumerate()
        .filter_map(|(number, line)| {
            let folder = folders.iter().find(|folder| names_folder(line, folder))?;
            Some(Finding::broken(&text.path, number + 1, format!("names a folder of one machine: {folder}")))
        })
        .collect()
}

/// Whether the folder occurs as the start of a path, not inside a URL or a longer path.
fn names_folder(line: &str, folder: &str) -> bool {
    let goes_on = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '~' | '}' | '*');
    line.match_indices(folder).any(|(at, _)| !line[..at].ends_with(goes_on))
}

fn private_mirrors(text: &Text) -> Vec<Finding> {
    text.text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.trim_start().starts_with("\"resolved\"") && !line.contains(NPM))
        .map(|(number, _)| Finding::broken(&text.path, number + 1, format!("a package from elsewhere than {NPM}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_documents() -> Vec<String> {
        DOCUMENTS.iter().map(|document| (*document).to_owned()).collect()
    }

    fn complaints(path: &str, text: &str) -> Vec<String> {
        let texts = [Text { path: path.into(), text: text.into() }];
        check(&all_documents(), &texts).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_missing_document_is_reported() {
        for missing in DOCUMENTS {
            let mut paths = all_documents();
            paths.retain(|path| path != missing);
            let found = check(&paths, &[]);
            assert_eq!(found, [Finding::broken(*missing, 0, "is missing")]);
        }
        assert!(check(&all_documents(), &[]).is_empty());
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        for (one, two) in MACHINE_FOLDERS {
            let line = format!("first\ncd {one}{two}somebody\n");
            assert_eq!(complaints("notes.md", &line).len(), 1, "{line}");
            assert!(complaints("notes.md", &line)[0].starts_with("notes.md:2:"), "{line}");
        }
    }

    #[test]
    fn urls_and_longer_paths_are_not_machine_paths() {
        for path in ["https://example.org", "target", "~", "$HOME.", "${ROOT}"] {
            let line = format!("see {path}{}{}place", "/wo", "rk/");
            assert!(complaints("notes.md", &line).is_empty(), "{line}");
        }
    }

    #[test]
    fn lock_files_name_the_public_registry_or_nothing() {
        let lock = |address: &str| format!("{{\n  \"resolved\": \"{address}\"\n}}");
        assert!(complaints("tests/browser/package-lock.json", &lock("https://registry.npmjs.org/a.tgz")).is_empty());
        assert!(complaints("tests/browser/package-lock.json", "{ \"version\": \"1\" }").is_empty());
        assert_eq!(complaints("tests/browser/package-lock.json", &lock("https://mirror.example/a.tgz")).len(), 1);
    }
}
