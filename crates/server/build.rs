//! Embeds the files of the pages in the program, as they are and compressed.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

#[path = "src/http/files.rs"]
mod files;

/// The pages, without which the program is of no use to browsers.
const PAGES: [&str; 2] = ["door/index.html", "guest/index.html"];
/// Endings of files that are compressed already.
const PACKED: [&str; 4] = [".png", ".webp", ".woff2", ".mp3"];

fn main() -> io::Result<()> {
    let crate_folder = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let ui = crate_folder.join("../../ui").canonicalize()?;
    for folder in files::FOLDERS {
        println!("cargo::rerun-if-changed={}", ui.join(folder).display());
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/http/files.rs");
    let out = PathBuf::from(variable("OUT_DIR")?);
    let mut source = String::from("[\n");
    let files = files::files(&ui)?;
    for page in PAGES {
        if !files.iter().any(|(name, _)| name == page) {
            return Err(io::Error::other(format!("{} has no {page}", ui.display())));
        }
    }
    for (name, path) in files {
        let [brotli, gzip] = compressed(&name, &fs::read(&path)?, &out)?;
        let plain = path.display().to_string();
        writeln!(source, "    ({name:?}, [include_bytes!({plain:?}) as &[u8], {brotli}, {gzip}]),")
            .map_err(io::Error::other)?;
    }
    source.push_str("]\n");
    fs::write(out.join("interface.rs"), source)
}

/// Writes the compressed forms of a file, and returns the expressions that embed them. The expression of a form that
/// saves nothing is an empty slice.
fn compressed(name: &str, data: &[u8], out: &Path) -> io::Result<[String; 2]> {
    if PACKED.iter().any(|ending| name.ends_with(ending)) {
        return Ok(["&[]".into(), "&[]".into()]);
    }
    let stem = name.replace('/', "+");
    let mut brotli = Vec::new();
    let settings =
        brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 22, size_hint: data.len(), ..Default::default() };
    brotli::BrotliCompress(&mut &data[..], &mut brotli, &settings)?;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(data)?;
    let forms = [(brotli, "br"), (gzip.finish()?, "gz")];
    let mut written = [const { String::new() }; 2];
    for (expression, (form, ending)) in written.iter_mut().zip(forms) {
        let path = out.join(format!("{stem}.{ending}"));
        *expression = if form.len() < data.len() {
            format!("include_bytes!({:?})", path.display().to_string())
        } else {
            "&[]".into()
        };
        fs::write(path, form)?;
    }
    Ok(written)
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(|error| io::Error::other(format!("{name}: {error}")))
}
