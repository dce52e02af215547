//! Recorded speech for benchmarks, and ratings of what became of it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::command;
use crate::setup;
use crate::workspace::Workspace;

/// The parent of Debian's `asterisk-core-sounds-*-g722`: recordings with 16 kHz.
const RECORDINGS: &str = "/usr/share/asterisk/sounds";

/// Clips that are ready for a benchmark.
pub(crate) struct Speech {
    python: PathBuf,
    script: PathBuf,
    /// Folder of the clips, one WAV file for each.
    pub(crate) clips: PathBuf,
    /// An empty folder for what the benchmark makes of them.
    pub(crate) out: PathBuf,
    /// How many clips there are.
    pub(crate) about: String,
}

impl Speech {
    /// Prepares the clips in the folder of reports of this name. `None`, after a line of explanation, if something is missing.
    pub(crate) fn prepare(workspace: &Workspace, name: &str) -> Result<Option<Speech>> {
        let Some(python) = setup::speech_python(workspace) else {
            println!("SKIPPED: the rating of speech is missing; `cargo xtask setup` fetches it");
            return Ok(None);
        };
        let languages = languages()?;
        if languages.is_empty() {
            println!("SKIPPED: there is no recorded speech in {RECORDINGS}; `cargo xtask setup` installs it");
            return Ok(None);
        }
        let (script, reports) = (workspace.root.join("tests/speech/score.py"), workspace.reports().join(name));
        let (clips, out) = (reports.join("clips"), reports.join("played"));
        renew(&clips)?;
        renew(&out)?;
        command::run(command::program(&python).arg(&script).arg("clips").arg(&clips).args(&languages))?;
        let about = format!("{} clips in {} languages", fs::read_dir(&clips)?.count(), languages.len());
        Ok(Some(Speech { python, script, clips, out, about }))
    }

    /// One score for each line that the benchmark printed, by `pesq` or `stoi`.
    pub(crate) fn rate(&self, how: &str, printed: &str) -> Result<Vec<f64>> {
        let pairs: String =
            printed.lines().filter_map(|line| line.split_once('\t')).map(|(_, rest)| pair(rest)).collect();
        let mut rating = command::program(&self.python)
            .arg(&self.script)
            .args([how, "/"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the rating")?;
        rating.stdin.take().context("no standard input")?.write_all(pairs.as_bytes())?;
        let done = rating.wait_with_output()?;
        if !done.status.success() {
            bail!("the rating failed ({})", done.status);
        }
        String::from_utf8(done.stdout)?.lines().map(|line| line.trim().parse().context("a score")).collect()
    }
}

/// The folders of recordings, one for each language.
fn languages() -> Result<Vec<PathBuf>> {
    let Ok(folders) = fs::read_dir(RECORDINGS) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for folder in folders {
        let folder = folder?;
        // Further names of a folder are links.
        if folder.file_type()?.is_dir() && has_recordings(&folder.path()) {
            found.push(folder.path());
        }
    }
    found.sort();
    Ok(found)
}

fn has_recordings(folder: &Path) -> bool {
    let Ok(files) = fs::read_dir(folder) else { return false };
    files.flatten().any(|file| file.path().extension().is_some_and(|extension| extension == "g722"))
}

fn renew(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())
}

/// The reference and the degraded sound: the first two of the fields.
fn pair(fields: &str) -> String {
    fields.split('\t').take(2).collect::<Vec<_>>().join("\t") + "\n"
}

/// The median, the lowest and the highest.
pub(crate) fn spread(mut values: Vec<f64>, digits: usize) -> String {
    values.sort_by(f64::total_cmp);
    let (Some(lowest), Some(highest)) = (values.first(), values.last()) else { return "-".into() };
    let middle = values.len() / 2;
    let median = if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 };
    format!("{median:.digits$} ({lowest:.digits$}-{highest:.digits$})")
}
