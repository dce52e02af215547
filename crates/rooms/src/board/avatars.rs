//! How people are shown, and their photos.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use signaling::avatar::{Avatar, photo_id, without_metadata};
use signaling::message::ErrorCode;

use super::key::Key;
use super::saved::SavedAvatar;
use super::{Board, Change, Who, require};

/// Avatars of all people. When full, the one whose owner was away longest is removed; their client sends it again.
pub const MAX_AVATARS: usize = 4_096;
/// Bytes of all photos. When full, the same happens.
pub const MAX_PHOTOS_BYTES: usize = 20 * 1024 * 1024;
/// How long an avatar is kept whose owner does not come.
pub const AVATAR_KEPT_MS: u64 = 366 * DAY_MS;
/// How often it is stored that its owner was here.
const SEEN_EVERY_MS: u64 = DAY_MS;
const DAY_MS: u64 = 24 * 3_600_000;

/// All avatars.
#[derive(Debug, Default)]
pub(super) struct Avatars {
    of: BTreeMap<Key, SavedAvatar>,
    photos: HashMap<String, Photo>,
    /// Bytes of all photos.
    bytes: usize,
}

/// A photo, which several people may have.
#[derive(Debug)]
struct Photo {
    jpeg: Arc<[u8]>,
    owners: usize,
}

impl Avatars {
    /// Restores the stored avatars.
    pub(super) fn from_saved(saved: Vec<(Key, SavedAvatar)>) -> Avatars {
        let mut avatars = Avatars::default();
        for (key, avatar) in saved {
            avatars.set(&key, avatar);
        }
        avatars
    }

    fn set(&mut self, key: &str, avatar: SavedAvatar) {
        self.remove(key);
        if let Some(jpeg) = &avatar.jpeg {
            let entry = self.photos.entry(photo_id(jpeg));
            let photo = entry.or_insert_with(|| {
                self.bytes += jpeg.len();
                Photo { jpeg: jpeg.clone(), owners: 0 }
            });
            photo.owners += 1;
        }
        self.of.insert(key.to_owned(), avatar);
    }

    fn remove(&mut self, key: &str) -> bool {
        let Some(avatar) = self.of.remove(key) else { return false };
        let Some(id) = avatar.jpeg.map(|jpeg| photo_id(&jpeg)) else { return true };
        if let Some(photo) = self.photos.get_mut(&id) {
            photo.owners -= 1;
            if photo.owners == 0 {
                self.bytes -= photo.jpeg.len();
                self.photos.remove(&id);
            }
        }
        true
    }

    /// Whether there is no room for somebody's avatar with a photo of this many bytes, in place of the one that they have.
    fn is_full(&self, key: &str, bytes: usize) -> bool {
        let own = self.of.get(key);
        let freed = own.and_then(|avatar| avatar.jpeg.as_ref()).filter(|jpeg| self.is_only_theirs(jpeg));
        let kept = self.bytes - freed.map_or(0, |jpeg| jpeg.len());
        own.is_none() && self.of.len() >= MAX_AVATARS || kept + bytes > MAX_PHOTOS_BYTES
    }

    fn is_only_theirs(&self, jpeg: &[u8]) -> bool {
        self.photos.get(&photo_id(jpeg)).is_some_and(|photo| photo.owners == 1)
    }
}

impl Board {
    /// Sets how somebody is shown. `jpeg` is base64url.
    ///
    /// # Errors
    /// `not_member`; `bad_photo`; `server_full` if everybody else whose avatar is kept is here.
    pub fn set_avatar(
        &mut self,
        now: u64,
        who: &Who,
        color: Option<u8>,
        glyph: Option<String>,
        jpeg: Option<&str>,
    ) -> Result<(), ErrorCode> {
        require(who.member, ErrorCode::NotMember)?;
        let jpeg = jpeg.map(read_photo).transpose()?;
        let avatar = SavedAvatar { color, glyph, jpeg, seen: now };
        if avatar.is_default() {
            self.remove_avatar(&who.key);
            return Ok(());
        }
        let bytes = avatar.jpeg.as_ref().map_or(0, |jpeg| jpeg.len());
        while self.avatars.is_full(&who.key, bytes) {
            let absent = self.avatars.of.iter().filter(|(key, _)| **key != who.key && !self.people.contains_key(*key));
            let oldest = absent.min_by_key(|(_, avatar)| avatar.seen).map(|(key, _)| key.clone());
            self.remove_avatar(&oldest.ok_or(ErrorCode::ServerFull)?);
        }
        self.changes.push(Change::Avatar { key: who.key.clone(), avatar: Some(avatar.clone()) });
        self.avatars.set(&who.key, avatar);
        self.show_avatar(&who.key);
        Ok(())
    }

    /// Returns a photo, base64url.
    ///
    /// # Errors
    /// `no_such_photo`.
    pub fn photo(&self, id: &str) -> Result<String, ErrorCode> {
        let photo = self.avatars.photos.get(id).ok_or(ErrorCode::NoSuchPhoto)?;
        Ok(URL_SAFE_NO_PAD.encode(&photo.jpeg))
    }

    /// How somebody is shown.
    pub fn avatar(&self, key: &str) -> Avatar {
        let Some(SavedAvatar { color, glyph, jpeg, .. }) = self.avatars.of.get(key) else { return Avatar::default() };
        Avatar { photo: jpeg.as_ref().map(|jpeg| photo_id(jpeg)), color: *color, glyph: glyph.clone() }
    }

    /// Removes how somebody is shown.
    pub(super) fn remove_avatar(&mut self, key: &str) {
        if self.avatars.remove(key) {
            self.changes.push(Change::Avatar { key: key.to_owned(), avatar: None });
            self.show_avatar(key);
        }
    }

    /// Stores who was here lately, and removes the avatars of those who were not for long.
    pub(super) fn prune_avatars(&mut self, now: u64) {
        let old = |avatar: &SavedAvatar, age| now.saturating_sub(avatar.seen) > age;
        let here = self.avatars.of.iter_mut().filter(|(key, _)| self.people.contains_key(*key));
        for (key, avatar) in here.filter(|(_, avatar)| old(avatar, SEEN_EVERY_MS)) {
            avatar.seen = now;
            self.changes.push(Change::Avatar { key: key.clone(), avatar: Some(avatar.clone()) });
        }
        let gone = self.avatars.of.iter().filter(|(_, avatar)| old(avatar, AVATAR_KEPT_MS));
        for key in gone.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.remove_avatar(&key);
        }
    }

    /// Shows the person, and the tables at which they sit, to everybody.
    fn show_avatar(&mut self, key: &str) {
        if self.people.contains_key(key) {
            self.dirty.person(key);
        }
        for table in self.tables.values().filter(|table| table.seats_key(key)) {
            self.dirty.table(&table.id);
        }
    }
}

fn read_photo(text: &str) -> Result<Arc<[u8]>, ErrorCode> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| ErrorCode::BadPhoto)?;
    without_metadata(&bytes).map(Arc::from).map_err(|_| ErrorCode::BadPhoto)
}
