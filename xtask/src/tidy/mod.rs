//! `cargo xtask tidy`: the rules of the architecture, read off `cargo metadata` and the sources.
//!
//! What a rule is and why it stands is in ARCHITECTURE.md; what it looks for is in the module of its kind.

mod finding;
mod imports;
mod mask;
mod sources;
mod tree;

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use finding::{Finding, Weight};

use crate::command;
use crate::workspace::Workspace;

/// Files that are not ours to judge, or only make noise.
const NOT_OURS: &[&str] = &["Cargo.lock"];

/// `cargo xtask tidy`.
pub(crate) fn main(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    if !arguments.is_empty() {
        bail!("usage: cargo xtask tidy");
    }
    check(workspace)?;
    println!("tidy: every rule is kept");
    Ok(ExitCode::SUCCESS)
}

/// Prints what is found; an error if a rule is broken.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let mut found = findings(workspace)?;
    found.sort_by(|a, b| (a.weight, &a.place, a.line).cmp(&(b.weight, &b.place, b.line)));
    for finding in &found {
        match finding.weight {
            Weight::Question => println!("worth a look: {finding}"),
            Weight::Broken => println!("broken: {finding}"),
        }
    }
    match found.iter().filter(|finding| finding.weight == Weight::Broken).count() {
        0 => Ok(()),
        broken => bail!("{broken} broken rules"),
    }
}

fn findings(workspace: &Workspace) -> Result<Vec<Finding>> {
    let paths = paths(workspace)?;
    let texts: Vec<tree::Text> = paths.iter().filter_map(|path| read(workspace, path)).collect();
    let rust = texts.iter().filter(|text| text.path.ends_with(".rs"));
    let sources: Vec<_> =
        rust.map(|text| sources::Source { path: text.path.clone(), text: text.text.clone() }).collect();
    let members = imports::members(&workspace.metadata()?);
    Ok([imports::check(&members), sources::check(&sources), tree::check(&paths, &texts)].concat())
}

/// All files that are or would be in the repository.
fn paths(workspace: &Workspace) -> Result<Vec<String>> {
    let listed = command::output(
        command::program("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(&workspace.root),
    )
    .context("tidy wants a git checkout")?;
    let mut paths: Vec<String> = listed.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
    paths.retain(|path| !NOT_OURS.contains(&path.as_str()));
    paths.sort();
    paths.dedup();
    Ok(paths)
}

/// A file's text; nothing for what is not text or has just been deleted.
fn read(workspace: &Workspace, path: &str) -> Option<tree::Text> {
    let text = fs::read_to_string(workspace.root.join(path)).ok()?;
    Some(tree::Text { path: path.to_owned(), text })
}
