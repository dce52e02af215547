//! The paths of the checkout and of build results.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command;

/// The checkout that this command runs in.
pub(crate) struct Workspace {
    /// The folder of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Cargo's target folder, which the environment may set.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Asks cargo, which works in any folder of the checkout and without a network.
    pub(crate) fn find() -> Result<Workspace> {
        let text = command::output(command::cargo().args(["metadata", "--format-version=1", "--no-deps"]))?;
        let metadata: Value = serde_json::from_str(&text).context("cargo metadata")?;
        Ok(Workspace { root: path(&metadata, "workspace_root")?, target: path(&metadata, "target_directory")? })
    }

    /// Returns cargo's metadata of our crates and all their dependencies. May download manifests.
    pub(crate) fn metadata(&self) -> Result<Value> {
        let text = command::output(command::cargo().args(["metadata", "--format-version=1"]).current_dir(&self.root))?;
        serde_json::from_str(&text).context("cargo metadata")
    }

    /// The folder for tools that we fetch. Nothing is installed into the user's home.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// The folder for logs and results of these commands.
    pub(crate) fn reports(&self) -> PathBuf {
        self.target.join("xtask")
    }
}

fn path(metadata: &Value, key: &str) -> Result<PathBuf> {
    let text = metadata[key].as_str().with_context(|| format!("cargo metadata has no {key}"))?;
    Ok(PathBuf::from(text))
}
