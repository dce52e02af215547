//! The files of the guest page.
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

/// The files found by the build script.
const EMBEDDED: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/interface.rs"));
/// The page itself.
const INDEX: &str = "guest/index.html";

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

/// A file with its content type and tag.
#[derive(Debug, Clone)]
pub(super) struct Served {
    pub(super) data: Bytes,
    pub(super) kind: &'static str,
    pub(super) tag: HeaderValue,
}

impl Interface {
    /// The embedded files, or those of a folder that contains `guest` and `shared`.
    ///
    /// # Errors
    /// Fails if the folder cannot be read or has no page.
    pub(crate) fn new(folder: Option<&Path>) -> io::Result<Interface> {
        let Some(folder) = folder else {
            let embedded = EMBEDDED.iter().map(|(name, data)| ((*name).to_owned(), Bytes::from_static(data)));
            return Ok(Interface::Embedded(Arc::new(Files::new(embedded))));
        };
        if read(folder)?.page().is_none() {
            return Err(io::Error::other(format!("{} has no {INDEX}", folder.display())));
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
    pub(super) fn new(files: impl Iterator<Item = (String, Bytes)>) -> Files {
        let mut all = Sha256::new();
        let files = files.map(|(name, data)| {
            let tag = hex(&Sha256::digest(&data));
            all.update(format!("{name}\n{tag}\n"));
            let kind = kind(&name);
            (name, Served { data, kind, tag: entity_tag(&tag) })
        });
        let files = files.collect();
        Files { hash: hex(&all.finalize()), files }
    }

    /// The HTML of the page, if there is one.
    pub(super) fn page(&self) -> Option<&str> {
        std::str::from_utf8(&self.files.get(INDEX)?.data).ok()
    }
}

/// An entity tag made from a hash of the data (RFC 9110 section 8.8.3).
pub(super) fn tag_of(data: &[u8]) -> HeaderValue {
    entity_tag(&hex(&Sha256::digest(data)))
}

fn entity_tag(hash: &str) -> HeaderValue {
    // Quoted hexadecimal digits are always a valid header value.
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
        assert_eq!((&served.data[..], served.kind, kept), (&b"export {}"[..], "text/javascript; charset=utf-8", true));
        for address in ["shared/a.js", "0/shared/a.js", &format!("{hash}/shared/../shared/a.js"), &hash, ""] {
            assert!(interface.find(address).is_none(), "{address}");
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
