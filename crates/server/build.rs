//! Embeds the guest page's files in the program.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

#[path = "src/http/files.rs"]
mod files;

fn main() -> io::Result<()> {
    let crate_folder = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let ui = crate_folder.join("../../ui").canonicalize()?;
    for folder in ["guest", "shared"] {
        println!("cargo::rerun-if-changed={}", ui.join(folder).display());
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/http/files.rs");
    let mut source = String::from("[\n");
    let files = files::files(&ui)?;
    if !files.iter().any(|(name, _)| name == "guest/index.html") {
        return Err(io::Error::other(format!("{} has no guest/index.html", ui.display())));
    }
    for (name, path) in files {
        writeln!(source, "    ({name:?}, include_bytes!({:?}) as &[u8]),", path.display().to_string())
            .map_err(io::Error::other)?;
    }
    source.push_str("]\n");
    fs::write(Path::new(&variable("OUT_DIR")?).join("interface.rs"), source)
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(|error| io::Error::other(format!("{name}: {error}")))
}
