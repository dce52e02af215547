//! `cargo xtask tidy`: checks the rules of the architecture against `cargo metadata` and the sources.
//!
//! ARCHITECTURE.md states the rules and their reasons. Each module here documents what it looks for.

mod callbacks;
mod definitions;
mod finding;
mod imports;
mod javascript;
mod modules;
mod names;
mod product;
mod purity;
mod queues;
mod size;
mod source;
mod tokens;
mod tree;
mod unused;

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use finding::{Finding, Weight};
use source::Source;
use tree::Text;

use crate::command;
use crate::workspace::Workspace;

/// Files that are generated or only produce noise.
const NOT_OURS: &[&str] = &["Cargo.lock"];

const USAGE: &str = "\
usage: cargo xtask tidy [--lower | --unused]

  --lower   lower the allowed counts of retired names to those that are left
  --unused  list the public items that nothing in the workspace names";

/// `cargo xtask tidy`.
pub(crate) fn main(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => {
            check(workspace)?;
            println!("tidy: every rule is kept");
        }
        ["--lower"] => lower(workspace)?,
        ["--unused"] => list_unused(workspace)?,
        _ => bail!("{USAGE}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints all findings. Fails if a rule is broken.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let mut found = Checkout::read(workspace)?.findings(workspace)?;
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

fn lower(workspace: &Workspace) -> Result<()> {
    let checkout = Checkout::read(workspace)?;
    let lowered = names::lowered(checkout.named(), checkout.text(names::LEFT));
    fs::write(workspace.root.join(names::LEFT), lowered).context(names::LEFT)
}

fn list_unused(workspace: &Workspace) -> Result<()> {
    for item in unused::list(&Checkout::read(workspace)?.sources) {
        println!("{item}");
    }
    Ok(())
}

/// All files that are in the repository, or would be.
struct Checkout {
    paths: Vec<String>,
    texts: Vec<Text>,
    sources: Vec<Source>,
    /// Findings about files that could not be parsed.
    unread: Vec<Finding>,
}

impl Checkout {
    fn read(workspace: &Workspace) -> Result<Checkout> {
        let paths = paths(workspace)?;
        let texts: Vec<Text> = paths.iter().filter_map(|path| read(workspace, path)).collect();
        let (sources, unread) = source::read(&texts);
        Ok(Checkout { paths, texts, sources, unread })
    }

    fn findings(&self, workspace: &Workspace) -> Result<Vec<Finding>> {
        let members = imports::members(&workspace.metadata()?);
        Ok([
            self.unread.clone(),
            imports::check(&members),
            modules::check(&self.sources),
            purity::check(&self.sources),
            queues::check(&self.sources),
            callbacks::check(&self.sources),
            size::check(&self.sources),
            names::check(self.named(), self.text(names::LEFT)),
            tree::check(&self.paths, &self.texts),
        ]
        .concat())
    }

    fn named(&self) -> names::Files<'_> {
        names::Files { sources: &self.sources, texts: &self.texts, paths: &self.paths }
    }

    /// The text of a file, or an empty one if there is no such file.
    fn text(&self, path: &str) -> &str {
        self.texts.iter().find(|text| text.path == path).map_or("", |text| text.text.as_str())
    }
}

fn paths(workspace: &Workspace) -> Result<Vec<String>> {
    let listed = command::output(
        command::program("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(&workspace.root),
    )
    .context("tidy needs a git checkout")?;
    let mut paths: Vec<String> = listed.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
    // Git still lists files that were just deleted.
    paths.retain(|path| !NOT_OURS.contains(&path.as_str()) && workspace.root.join(path).exists());
    paths.sort();
    paths.dedup();
    Ok(paths)
}

/// The text of a file. `None` if it is not text.
fn read(workspace: &Workspace, path: &str) -> Option<Text> {
    let text = fs::read_to_string(workspace.root.join(path)).ok()?;
    Some(Text { path: path.to_owned(), text })
}
