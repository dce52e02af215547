//! Skips tests that need a tool which is not installed everywhere.

use std::path::{Path, PathBuf};

/// Whether `tool` is installed. If not, prints a line that starts with `SKIPPED`; with `CI=true` the test fails.
pub fn skip_unless(tool: &str) -> bool {
    find(tool).is_some() || skip(&format!("{tool} is not installed"))
}

/// Reports a skip for another reason. Returns `false`, for `return`.
pub fn skip(reason: &str) -> bool {
    println!("SKIPPED: {reason}");
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "skipped although CI=true: {reason}");
    false
}

/// Finds a tool on the path or in administrators' folders.
pub fn find(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(more).map(|dir| dir.join(tool)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    file.metadata().is_ok_and(|m| m.is_file())
}
