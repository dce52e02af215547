//! Selects the files of the interface to serve. Shared with the build script, which embeds the same files.
//!
//! `rust-embed` is not used, because it filters only at compile time: a folder given at run time must pass the same
//! list.

use std::io;
use std::path::{Path, PathBuf};

/// The folders of the pages.
pub(crate) const FOLDERS: [&str; 3] = ["door", "guest", "shared"];
/// File extensions to serve. Types, tests and notes are left out.
const ENDINGS: [&str; 12] =
    ["html", "js", "css", "json", "webmanifest", "svg", "png", "webp", "ico", "woff2", "wasm", "mp3"];

/// Every file to serve with its name in URLs ("shared/call.js"), sorted by name. Symbolic links are not followed.
pub(crate) fn files(root: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        let path = root.join(folder);
        if path.is_dir() {
            collect(&path, folder, &mut found)?;
        }
    }
    found.sort();
    Ok(found)
}

fn collect(folder: &Path, name: &str, found: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // A name that is not UTF-8 has no plain URL.
        let Ok(part) = entry.file_name().into_string() else { continue };
        let plain = part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if !plain || part.starts_with('.') || part == "node_modules" {
            continue;
        }
        let (kind, name) = (entry.file_type()?, format!("{name}/{part}"));
        if kind.is_dir() {
            collect(&entry.path(), &name, found)?;
        } else if kind.is_file() && is_served(&part) {
            found.push((name, entry.path()));
        }
    }
    Ok(())
}

fn is_served(name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    ENDINGS.contains(&ending) && !name.contains(".test.")
}
