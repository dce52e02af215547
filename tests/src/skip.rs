//! Tests that need a tool which is not everywhere.

use std::path::{Path, PathBuf};

/// Whether `tool` can be run. If not, says so in a line that starts with `SKIPPED`; with `CI=true` the test fails.
pub fn skip_unless(tool: &str) -> bool {
    find(tool).is_some() || skip(&format!("{tool} is not installed"))
}

/// Skips for another reason. Always `false`, for `return`.
pub fn skip(reason: &str) -> bool {
    println!("SKIPPED: {reason}");
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "skipped although CI=true: {reason}");
    false
}

/// The tool's file, on the path or where administrators' tools are.
pub fn find(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(more).map(|dir| dir.join(tool)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    file.metadata().is_ok_and(|m| m.is_file())
}
