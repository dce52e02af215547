//! The files of the pages: the community's door and the guest page.
//!
//! Their URLs contain a hash of all of them, so a browser may cache each file forever, imports between them stay
//! relative, and a page never mixes files of two versions.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use hyper::header::HeaderValue;
use sha2::{Digest, Sha256};

use super::files::files;
use super::modules;

/// The files found by the build script: as they are, with Brotli, with gzip. An empty form is not worth sending.
const EMBEDDED: &[(&str, [&[u8]; 3])] = &include!(concat!(env!("OUT_DIR"), "/interface.rs"));
/// The page of a room.
pub(super) const GUEST: &str = "guest/index.html";
/// The page of the community.
pub(super) const DOOR: &str = "door/index.html";

/// The source of the files.
#[derive(Debug, Clone)]
pub(crate) enum Interface {
    /// The files built into the program.
    Embedded(Arc<Files>),
    /// A folder under development: read again for each request, and not cached by browsers.
    Folder(PathBuf),
}

/// All files of one version.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// In hexadecimal.
    pub(super) hash: String,
    files: BTreeMap<String, Served>,
}

/// A file with its content type.
#[derive(Debug, Clone)]
pub(super) struct Served {
    pub(super) kind: &'static str,
    pub(super) plain: Form,
    pub(super) brotli: Option<Form>,
    pub(super) gzip: Option<Form>,
}

/// The bytes of a file, compressed or not, and their tag.
#[derive(Debug, Clone)]
pub(super) struct Form {
    pub(super) data: Bytes,
    pub(super) tag: HeaderValue,
}

impl Interface {
    /// The embedded files, or those of a folder that contains `guest` and `shared`.
    ///
    /// # Errors
    /// Fails if the folder cannot be read or has no page.
    pub(crate) fn new(folder: Option<&Path>) -> io::Result<Interface> {
        let Some(folder) = folder else {
            let embedded = EMBEDDED.iter().map(|(name, forms)| ((*name).to_owned(), forms.map(Bytes::from_static)));
            return Ok(Interface::Embedded(Arc::new(Files::packed(embedded))));
        };
        if read(folder)?.page(GUEST).is_none() {
            return Err(io::Error::other(format!("{} has no {GUEST}", folder.display())));
        }
        Ok(Interface::Folder(folder.to_owned()))
    }

    /// The current files.
    pub(super) fn files(&self) -> Arc<Files> {
        match self {
            Interface::Embedded(files) => Arc::clone(files),
            Interface::Folder(folder) => Arc::new(read(folder).unwrap_or_else(|error| {
                tracing::warn!(%error, folder = %folder.display(), "cannot read the interface");
                Files::default()
            })),
        }
    }

    /// The file at a URL path below `/assets/`, and whether browsers may cache it forever.
    pub(super) fn find(&self, address: &str) -> Option<(Served, bool)> {
        let (hash, name) = address.split_once('/')?;
        let (files, kept) = match self {
            Interface::Embedded(files) => (Arc::clone(files), true),
            Interface::Folder(_) => (self.files(), false),
        };
        // A file of another version must not be cached under this URL.
        let fits = !kept || hash == files.hash;
        files.files.get(name).filter(|_| fits).map(|served| (served.clone(), kept))
    }
}

impl Files {
    /// Files without compressed forms.
    pub(super) fn new(files: impl Iterator<Item = (String, Bytes)>) -> Files {
        Files::packed(files.map(|(name, data)| (name, [data, Bytes::new(), Bytes::new()])))
    }

    /// Files as they are, with Brotli, and with gzip. An empty form does not exist.
    fn packed(files: impl Iterator<Item = (String, [Bytes; 3])>) -> Files {
        let mut all = Sha256::new();
        let files = files.map(|(name, [data, brotli, gzip])| {
            let hash = hex(&Sha256::digest(&data));
            all.update(format!("{name}\n{hash}\n"));
            let form = |data: Bytes, coding: &str| Form { data, tag: entity_tag(&format!("{hash}{coding}")) };
            let packed = |data: Bytes, coding| (!data.is_empty()).then(|| form(data, coding));
            let (kind, brotli, gzip) = (kind(&name), packed(brotli, "-br"), packed(gzip, "-gzip"));
            (name, Served { kind, plain: form(data, ""), brotli, gzip })
        });
        let files = files.collect();
        Files { hash: hex(&all.finalize()), files }
    }

    /// The HTML of a page, if it exists.
    pub(super) fn page(&self, name: &str) -> Option<&str> {
        self.text(name)
    }

    /// The modules that a page's scripts import, and these scripts, in the order in which they run.
    pub(super) fn modules(&self, page: &str) -> Vec<String> {
        let html = self.text(page).unwrap_or_default();
        modules::imported(modules::scripts(html), |name| self.text(name))
    }

    fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(&self.files.get(name)?.plain.data).ok()
    }
}

impl Served {
    /// A text that is not a file.
    pub(super) fn text(kind: &'static str, text: String) -> Served {
        let data = Bytes::from(text);
        let tag = entity_tag(&hex(&Sha256::digest(&data)));
        Served { kind, plain: Form { data, tag }, brotli: None, gzip: None }
    }
}

/// An entity tag (RFC 9110 section 8.8.3). Each form of a file has its own.
fn entity_tag(hash: &str) -> HeaderValue {
    // Quoted letters and digits are always a valid header value.
    HeaderValue::from_str(&format!("\"{hash}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// The first 80 bits. That is enough, because nobody else adds files here.
fn hex(hash: &[u8]) -> String {
    hash.iter().take(10).map(|byte| format!("{byte:02x}")).collect()
}

fn read(folder: &Path) -> io::Result<Files> {
    let read = |(name, path): (String, PathBuf)| Ok((name, Bytes::from(std::fs::read(path)?)));
    let files: Vec<(String, Bytes)> = files(folder)?.into_iter().map(read).collect::<io::Result<_>>()?;
    Ok(Files::new(files.into_iter()))
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        // The type of RFC 9239. Browsers reject modules with any other.
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "mp3" => "audio/mpeg",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &'static str)]) -> Files {
        Files::new(files.iter().map(|(name, text)| ((*name).to_owned(), Bytes::from(*text))))
    }

    #[test]
    fn the_hash_depends_only_on_names_and_contents() {
        let one = of(&[("a", "1"), ("b", "2")]).hash;
        assert_eq!(one, of(&[("a", "1"), ("b", "2")]).hash);
        for other in [of(&[("a", "1"), ("b", "3")]), of(&[("a", "1"), ("c", "2")]), of(&[("a", "1")])] {
            assert_ne!(one, other.hash);
        }
    }

    #[test]
    fn a_file_is_found_only_under_the_hash_of_its_version() {
        let files = of(&[("guest/index.html", "x"), ("shared/a.js", "export {}")]);
        let hash = files.hash.clone();
        let interface = Interface::Embedded(Arc::new(files));
        let (served, kept) = interface.find(&format!("{hash}/shared/a.js")).expect("found");
        assert_eq!(
            (&served.plain.data[..], served.kind, kept),
            (&b"export {}"[..], "text/javascript; charset=utf-8", true)
        );
        for address in ["shared/a.js", "0/shared/a.js", &format!("{hash}/shared/../shared/a.js"), &hash, ""] {
            assert!(interface.find(address).is_none(), "{address}");
        }
    }

    #[test]
    fn compressed_forms_are_those_of_the_files() {
        use std::io::Read as _;
        let Ok(Interface::Embedded(files)) = Interface::new(None) else { panic!("embedded") };
        let mut sizes = [0; 3];
        for (name, served) in &files.files {
            let (Some(brotli), Some(gzip)) = (&served.brotli, &served.gzip) else { continue };
            let (mut one, mut other) = (Vec::new(), Vec::new());
            brotli::BrotliDecompress(&mut &brotli.data[..], &mut one).expect("Brotli");
            flate2::read::GzDecoder::new(&gzip.data[..]).read_to_end(&mut other).expect("gzip");
            assert!(one == served.plain.data && other == served.plain.data, "{name}");
            assert!(served.plain.tag != brotli.tag && brotli.tag != gzip.tag, "{name}");
            for (size, form) in sizes.iter_mut().zip([&served.plain, brotli, gzip]) {
                *size += form.data.len();
            }
        }
        assert!(sizes[1] < sizes[2] && sizes[2] < sizes[0] / 2, "{sizes:?}");
    }

    #[test]
    fn a_page_preloads_every_module_that_it_imports() {
        let Ok(Interface::Embedded(files)) = Interface::new(None) else { panic!("embedded") };
        for (page, needs) in [(DOOR, "shared/board-fold.js"), (GUEST, "shared/call.js")] {
            let modules = files.modules(page);
            assert!(modules.iter().any(|one| one == needs), "{page}: {modules:?}");
            assert!(modules.iter().all(|one| files.files.contains_key(one)), "{page}: {modules:?}");
        }
    }

    #[test]
    fn only_files_that_a_page_can_use_are_embedded() {
        assert!(EMBEDDED.iter().any(|(name, _)| *name == "shared/protocol.js"));
        for (name, _) in EMBEDDED {
            assert_ne!(kind(name), "application/octet-stream", "{name}");
            assert!(!name.ends_with(".d.ts"), "{name}");
        }
    }
}
