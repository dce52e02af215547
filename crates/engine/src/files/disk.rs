//! The disk of one transfer: a thread that carries out its requests in order.
//!
//! A file that is being received is `NAME.part` in the download folder, and `NAME.part.json` says whose it is, so that it
//! continues after a restart. Only a file whose hash is right gets its name. Nothing is ever overwritten, executable or
//! opened.

use files::{Digest, DiskAnswer, DiskError, DiskRequest, TransferId, numbered};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;

/// Bytes that are read at a time.
const BLOCK: usize = 256 * 1024;
/// Most entries of the download folder that are looked at for an earlier part, and most tried names.
const MAX_ENTRIES: usize = 10_000;
const MAX_NAMES: u32 = 10_000;
/// Longest wait for another process that has the part open, and how often it is looked at.
const ENDING: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(50);
/// Longest description of a part in bytes.
const MAX_DESCRIPTION: u64 = 4096;

/// Where a transfer's file is.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// The file that is sent.
    Source(PathBuf),
    /// The folder for received files.
    Folder(PathBuf),
}

/// An answer, or the path of a file that was received.
#[derive(Debug)]
pub(super) enum FromDisk {
    Answer(TransferId, DiskAnswer),
    Stored(TransferId, PathBuf),
}

/// A request, with the permits of the messages whose data it holds.
pub(super) type Work = (DiskRequest, Vec<OwnedSemaphorePermit>);

/// Starts the thread of a transfer. It ends when the sender of its requests is dropped. Requests do not pile up: a
/// transfer reads one block at a time, and the permits bound what is written.
pub(super) fn start(place: Place, answers: tokio::sync::mpsc::Sender<FromDisk>) -> io::Result<mpsc::SyncSender<Work>> {
    let (requests, received) = mpsc::sync_channel::<Work>(super::WRITES);
    thread::Builder::new().name("file".into()).spawn(move || {
        let mut disk = Disk { place, source: None, part: None };
        while let Ok((request, permits)) = received.recv() {
            for answer in disk.carry_out(request) {
                if answers.blocking_send(answer).is_err() {
                    return; // the engine has ended
                }
            }
            drop(permits);
        }
    })?;
    Ok(requests)
}

/// Whose part it is.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Description {
    id: String,
    key: String,
    name: String,
    size: u64,
}

/// A file that is read, and its hash so far.
struct Source {
    file: File,
    size: u64,
    position: u64,
    hash: Sha256,
}

/// A file that is written, and its hash so far.
struct Part {
    file: File,
    path: PathBuf,
    name: String,
    written: u64,
    hash: Sha256,
}

struct Disk {
    place: Place,
    source: Option<Source>,
    part: Option<Part>,
}

impl Disk {
    fn carry_out(&mut self, request: DiskRequest) -> Vec<FromDisk> {
        let answer = |id, answer| vec![FromDisk::Answer(id, answer)];
        let failed = |id, error: io::Error| {
            tracing::warn!("a file that is transferred: {error}");
            vec![FromDisk::Answer(id, DiskAnswer::Failed { error: kind(&error) })]
        };
        match request {
            DiskRequest::Check { id, epoch, offset, sha256 } => match self.check(offset, sha256) {
                Ok(same) => answer(id, DiskAnswer::Checked { epoch, same }),
                Err(error) => failed(id, error),
            },
            DiskRequest::Read { id, epoch } => match self.read() {
                Ok((data, end)) => answer(id, DiskAnswer::Read { epoch, data, end }),
                Err(error) => failed(id, error),
            },
            DiskRequest::Find { id, key, size } => {
                answer(id, DiskAnswer::Found { accepted: self.find(id, &key, size) })
            }
            DiskRequest::Prepare { id, epoch, key, name, size } => {
                let wanted = Description { id: id.to_string(), key, name, size };
                match self.prepare(&wanted) {
                    Ok((offset, sha256)) => answer(id, DiskAnswer::Prepared { epoch, offset, sha256 }),
                    Err(error) => failed(id, error),
                }
            }
            DiskRequest::Write { id, epoch, data } => match self.write(&data) {
                Ok(()) => answer(id, DiskAnswer::Written { epoch }),
                Err(error) => failed(id, error),
            },
            DiskRequest::Reset { id } => self.reset().map_or_else(|error| failed(id, error), |()| vec![]),
            DiskRequest::Finish { id } => match self.finish() {
                Ok(sha256) => answer(id, DiskAnswer::Finished { sha256 }),
                Err(error) => failed(id, error),
            },
            DiskRequest::Keep { id } => match self.keep() {
                Ok(path) => {
                    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    vec![FromDisk::Stored(id, path), FromDisk::Answer(id, DiskAnswer::Kept { name })]
                }
                Err(error) => failed(id, error),
            },
            DiskRequest::Close { .. } => {
                self.source = None;
                vec![]
            }
            DiskRequest::Discard { id } => {
                self.discard(id);
                vec![]
            }
        }
    }

    /// Whether the first bytes of the file have this hash. Reading continues after them if so, otherwise at 0.
    fn check(&mut self, offset: u64, sha256: Digest) -> io::Result<bool> {
        let Place::Source(path) = &self.place else { return Err(ErrorKind::Unsupported.into()) };
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        if offset > size {
            return Err(changed());
        }
        let hash = hash_of(&mut file, offset)?;
        let same = Digest(hash.clone().finalize().into()) == sha256;
        let (hash, position) = if same { (hash, offset) } else { (Sha256::new(), 0) };
        file.seek(SeekFrom::Start(position))?;
        self.source = Some(Source { file, size, position, hash });
        Ok(same)
    }

    fn read(&mut self) -> io::Result<(Vec<u8>, Option<Digest>)> {
        let source = self.source.as_mut().ok_or_else(changed)?;
        let length = BLOCK.min(usize::try_from(source.size - source.position).unwrap_or(BLOCK));
        let mut data = vec![0; length];
        source.file.read_exact(&mut data)?;
        source.position += length as u64;
        source.hash.update(&data);
        if source.position < source.size {
            return Ok((data, None));
        }
        if source.file.metadata()?.len() != source.size {
            return Err(changed());
        }
        Ok((data, Some(Digest(source.hash.clone().finalize().into()))))
    }

    fn folder(&self) -> io::Result<&Path> {
        match &self.place {
            Place::Folder(folder) => Ok(folder),
            Place::Source(_) => Err(ErrorKind::Unsupported.into()),
        }
    }

    fn find(&self, id: TransferId, key: &str, size: u64) -> bool {
        let Ok(folder) = self.folder() else { return false };
        let id = id.to_string();
        descriptions(folder).any(|(_, one)| one.id == id && one.key == key && one.size == size)
    }

    /// Opens the part of this offer, or of an earlier offer of the same file, or a new one.
    fn prepare(&mut self, wanted: &Description) -> io::Result<(u64, Digest)> {
        self.part = None; // unlocks it
        let folder = self.folder()?.to_owned();
        fs::create_dir_all(&folder)?;
        let of_the_same = |one: &Description| one.key == wanted.key && one.size == wanted.size;
        let found: Vec<_> = descriptions(&folder).filter(|(_, one)| of_the_same(one)).collect();
        let this = found.iter().filter(|(_, one)| one.id == wanted.id);
        let earlier = found.iter().filter(|(_, one)| one.id != wanted.id && one.name == wanted.name);
        // The app of a moment ago may still be ending, and have this very part open.
        let part = this.map(|(path, _)| (path, ENDING)).chain(earlier.map(|(path, _)| (path, Duration::ZERO)));
        let part = part.into_iter().find_map(|(path, patience)| reopen(path, wanted, patience).ok());
        let part = match part {
            Some(part) => part,
            None => create(&folder, &wanted.name)?,
        };
        write_description(&part.path, wanted)?;
        let (written, digest) = (part.written, part.hash.clone().finalize());
        self.part = Some(part);
        Ok((written, Digest(digest.into())))
    }

    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        let part = self.part.as_mut().ok_or(ErrorKind::NotFound)?;
        if let Err(error) = part.file.write_all(data) {
            // What was written of it has not been counted.
            part.file.set_len(part.written)?;
            self.part = None;
            return Err(error);
        }
        part.written += data.len() as u64;
        part.hash.update(data);
        Ok(())
    }

    fn reset(&mut self) -> io::Result<()> {
        let part = self.part.as_mut().ok_or(ErrorKind::NotFound)?;
        part.file.set_len(0)?;
        part.file.seek(SeekFrom::Start(0))?;
        (part.written, part.hash) = (0, Sha256::new());
        Ok(())
    }

    fn finish(&mut self) -> io::Result<Digest> {
        let part = self.part.as_mut().ok_or(ErrorKind::NotFound)?;
        part.file.sync_all()?;
        Ok(Digest(part.hash.clone().finalize().into()))
    }

    /// Renames the part to a name that is free, and returns the path.
    fn keep(&mut self) -> io::Result<PathBuf> {
        let folder = self.folder()?.to_owned();
        let Part { file, path, name, .. } = self.part.take().ok_or(ErrorKind::NotFound)?;
        drop(file); // some systems rename no open file
        let (target, _) = claim(&folder, &name)?;
        // It replaces the empty file that has just claimed the name.
        if let Err(error) = fs::rename(&path, &target) {
            let _ = fs::remove_file(&target); // it is empty
            return Err(error);
        }
        let _ = fs::remove_file(description_of(&path)); // without a part it means nothing
        Ok(target)
    }

    fn discard(&mut self, id: TransferId) {
        let open = self.part.take().map(|part| part.path);
        let Ok(folder) = self.folder() else { return };
        let id = id.to_string();
        let found = descriptions(folder).filter(|(_, one)| one.id == id).map(|(path, _)| path);
        for path in found.chain(open).collect::<Vec<_>>() {
            for path in [description_of(&path), path] {
                let _ = fs::remove_file(path); // it may be gone already
            }
        }
    }
}

/// Creates a file with this name, or with a number if the name is taken.
fn claim(folder: &Path, name: &str) -> io::Result<(PathBuf, File)> {
    for number in 1..MAX_NAMES {
        let name = if number == 1 { name.to_owned() } else { numbered(name, number) };
        let path = folder.join(name);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(file) => return Ok((path, file)),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

fn create(folder: &Path, name: &str) -> io::Result<Part> {
    for number in 1..MAX_NAMES {
        let own = if number == 1 { name.to_owned() } else { numbered(name, number) };
        let path = folder.join(format!("{own}.part"));
        match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(file) => {
                let _ = file.try_lock(); // a file system without locks
                return Ok(Part { file, path, name: name.to_owned(), written: 0, hash: Sha256::new() });
            }
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

/// Opens a part that no other transfer is writing after this time, and hashes what is there.
fn reopen(path: &Path, wanted: &Description, patience: Duration) -> io::Result<Part> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(ErrorKind::InvalidInput.into());
    }
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let start = Instant::now();
    while let Err(fs::TryLockError::WouldBlock) = file.try_lock() {
        if start.elapsed() >= patience {
            return Err(ErrorKind::WouldBlock.into());
        }
        thread::sleep(LOOK);
    }
    let mut written = file.metadata()?.len();
    if written > wanted.size {
        file.set_len(0)?;
        written = 0;
    }
    let hash = hash_of(&mut file, written)?;
    Ok(Part { file, path: path.to_owned(), name: wanted.name.clone(), written, hash })
}

fn description_of(part: &Path) -> PathBuf {
    let mut path = part.as_os_str().to_owned();
    path.push(".json");
    path.into()
}

fn write_description(part: &Path, description: &Description) -> io::Result<()> {
    fs::write(description_of(part), serde_json::to_vec(description)?)
}

/// The parts in a folder, with their descriptions.
fn descriptions(folder: &Path) -> impl Iterator<Item = (PathBuf, Description)> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().take(MAX_ENTRIES).flatten();
    entries.filter_map(|entry| {
        let path = entry.path();
        let part = path.to_str()?.strip_suffix(".part.json").map(|stem| PathBuf::from(format!("{stem}.part")))?;
        let mut text = String::new();
        File::open(&path).ok()?.take(MAX_DESCRIPTION).read_to_string(&mut text).ok()?;
        Some((part, serde_json::from_str(&text).ok()?))
    })
}

/// The hash of the next `length` bytes.
fn hash_of(file: &mut File, length: u64) -> io::Result<Sha256> {
    let (mut hash, mut left, mut block) = (Sha256::new(), length, vec![0; BLOCK]);
    while left > 0 {
        let part = &mut block[..BLOCK.min(usize::try_from(left).unwrap_or(BLOCK))];
        file.read_exact(part)?;
        hash.update(&*part);
        left -= part.len() as u64;
    }
    Ok(hash)
}

fn changed() -> io::Error {
    ErrorKind::UnexpectedEof.into()
}

fn kind(error: &io::Error) -> DiskError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => DiskError::Full,
        ErrorKind::UnexpectedEof => DiskError::Changed,
        _ => DiskError::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: TransferId = TransferId([7; 16]);

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("lunchroom-files-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).unwrap();
            Folder(path)
        }

        fn disk(&self) -> Disk {
            Disk { place: Place::Folder(self.0.clone()), source: None, part: None }
        }

        fn names(&self) -> Vec<String> {
            let names = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<String> = names.collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn description(id: TransferId, name: &str) -> Description {
        Description { id: id.to_string(), key: "ann".into(), name: name.into(), size: 100 }
    }

    fn sha256(data: &[u8]) -> Digest {
        Digest(Sha256::digest(data).into())
    }

    #[test]
    fn nothing_is_overwritten_and_no_file_is_executable() {
        let folder = Folder::new("keep");
        fs::write(folder.0.join("x.pdf"), "mine").unwrap();
        let mut disk = folder.disk();
        assert_eq!(disk.prepare(&description(ID, "x.pdf")).unwrap(), (0, sha256(b"")));
        disk.write(b"theirs").unwrap();
        assert_eq!(disk.finish().unwrap(), sha256(b"theirs"));
        let path = disk.keep().unwrap();
        assert_eq!(path, folder.0.join("x (2).pdf"));
        assert_eq!(
            (fs::read(path.clone()).unwrap(), fs::read(folder.0.join("x.pdf")).unwrap()),
            (b"theirs".into(), b"mine".into())
        );
        assert_eq!(folder.names(), ["x (2).pdf", "x.pdf"], "no part is left");
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o111, 0);
    }

    #[test]
    fn a_part_continues_after_a_restart_and_with_a_new_offer_of_the_same_file() {
        let folder = Folder::new("continue");
        let mut disk = folder.disk();
        disk.prepare(&description(ID, "x")).unwrap();
        disk.write(&[1; 40]).unwrap();
        let other = TransferId([8; 16]);
        let second = folder.disk().prepare(&description(other, "x")).unwrap();
        assert_eq!(second.0, 0, "the first is being written");
        folder.disk().discard(other);
        drop(disk);
        assert!(folder.disk().find(ID, "ann", 100) && !folder.disk().find(ID, "eve", 100));
        for id in [ID, other] {
            let mut disk = folder.disk();
            assert_eq!(disk.prepare(&description(id, "x")).unwrap(), (40, sha256(&[1; 40])));
        }
        let mut disk = folder.disk();
        disk.prepare(&description(other, "x")).unwrap();
        disk.reset().unwrap();
        disk.write(b"new").unwrap();
        assert_eq!(disk.finish().unwrap(), sha256(b"new"));
        disk.discard(other);
        assert!(folder.names().is_empty(), "{:?}", folder.names());
    }

    #[test]
    fn a_file_that_changes_while_it_is_sent_is_noticed() {
        let folder = Folder::new("source");
        let path = folder.0.join("source");
        fs::write(&path, vec![5; 2 * BLOCK + 7]).unwrap();
        let mut disk = Disk { place: Place::Source(path.clone()), source: None, part: None };
        assert!(disk.check(10, sha256(&[5; 10])).unwrap());
        assert_eq!(disk.read().unwrap().0.len(), BLOCK);
        assert!(!disk.check(10, sha256(&[6; 10])).unwrap(), "from the beginning");
        let mut read = 0;
        let end = loop {
            let (data, end) = disk.read().unwrap();
            read += data.len();
            if let Some(end) = end {
                break end;
            }
        };
        assert_eq!((read, end), (2 * BLOCK + 7, sha256(&vec![5; 2 * BLOCK + 7])));
        assert!(disk.check(0, sha256(b"")).unwrap());
        fs::write(&path, "short").unwrap();
        assert_eq!(disk.read().map_err(|error| kind(&error)), Err(DiskError::Changed));
    }
}
