//! stub
use crate::workspace::Workspace;
use anyhow::Result;
use std::process::ExitCode;
pub(crate) fn main(_: &Workspace, _: &[String]) -> Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
