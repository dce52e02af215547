//! An initial RAM disk for a Linux kernel, in the "newc" format of cpio (kernel: `initramfs/buffer-format`).

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// An archive under construction.
#[derive(Debug, Default)]
pub struct Initramfs {
    bytes: Vec<u8>,
    entries: u32,
    directories: BTreeSet<String>,
}

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const LINK: u32 = 0o120_777;

impl Initramfs {
    /// Creates an empty archive.
    pub fn new() -> Initramfs {
        Initramfs::default()
    }

    /// Adds a directory and its parents; `path` is absolute.
    pub fn directory(&mut self, path: &str) {
        let path = path.trim_matches('/');
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for end in ends.filter(|end| *end > 0).collect::<Vec<_>>() {
            if self.directories.insert(path[..end].to_owned()) {
                self.entry(&path[..end], DIRECTORY, &[]);
            }
        }
    }

    /// Adds an executable file.
    pub fn file(&mut self, path: &str, content: &[u8]) {
        self.parent(path);
        self.entry(path.trim_start_matches('/'), PROGRAM, content);
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, path: &str, target: &str) {
        self.parent(path);
        self.entry(path.trim_start_matches('/'), LINK, target.as_bytes());
    }

    /// Adds a program at `path`, and the shared libraries that `ldd` lists, each at the same path as on this machine.
    pub fn program(&mut self, path: &str, program: &Path) {
        self.file(path, &read(program));
        let output = Command::new("ldd").arg(program).output().expect("ldd");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        for library in text.split_whitespace().filter(|word| word.starts_with('/')) {
            self.file(library, &read(Path::new(library)));
        }
    }

    /// Returns the archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn parent(&mut self, path: &str) {
        if let Some((parent, _)) = path.trim_start_matches('/').rsplit_once('/') {
            self.directory(parent);
        }
    }

    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.entries += 1;
        let (len, name_len) = (content.len() as u32, name.len() as u32 + 1);
        // magic, inode, mode, uid, gid, links, mtime, size, device and special device numbers, name length, check
        let fields = [self.entries, mode, 0, 0, 1, 0, len, 0, 0, 0, 0, name_len, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend_from_slice(content);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

fn read(file: &Path) -> Vec<u8> {
    std::fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_aligned_and_directories_precede_files() {
        let mut archive = Initramfs::new();
        archive.file("/lib/a/one", b"1");
        archive.file("/lib/a/two", b"22");
        archive.link("/bin/sh", "busybox");
        let bytes = archive.finish();
        assert_eq!(bytes.len() % 4, 0);
        let text = String::from_utf8_lossy(&bytes);
        let names: Vec<_> = text.split("070701").skip(1).map(|e| e[104..].split('\0').next().unwrap_or("")).collect();
        assert_eq!(names, ["lib", "lib/a", "lib/a/one", "lib/a/two", "bin", "bin/sh", "TRAILER!!!"]);
    }
}
