//! How people are shown, and their photos.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rooms::board::{AVATAR_KEPT_MS, Board, Calendar, Change, Saved, Who};
use signaling::avatar::{Avatar, photo_id};
use signaling::board::{Draft, Presence};
use signaling::message::ErrorCode;

/// Friday, 2026-01-02, 03:00 UTC.
const NOW: u64 = 1_767_322_800_000;
const DAY: u64 = 24 * 3_600_000;

fn who(name: &str) -> Who {
    Who { key: format!("key of {name}"), name: name.into(), member: true, steward: false }
}

fn board(saved: Saved) -> Board {
    Board::new(Calendar::new("Asia/Seoul").expect("a zone"), [1; 32], [2; 32], saved, NOW)
}

/// The structure of a JPEG of 16x16 pixels, with this comment and this scan.
fn jpeg(comment: &[u8], scan: &[u8]) -> Vec<u8> {
    let length = u16::try_from(comment.len() + 2).expect("short").to_be_bytes();
    let comment = if comment.is_empty() { vec![] } else { [&[0xff, 0xfe], &length[..], comment].concat() };
    let frame = [0xff, 0xc0, 0, 11, 8, 0, 16, 0, 16, 1, 1, 0x11, 0];
    let header = [0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0];
    [&[0xff, 0xd8][..], &comment, &frame, &header, scan, &[0xff, 0xd9]].concat()
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What would be stored, from the changes.
fn stored(board: &mut Board) -> Saved {
    let mut saved = Saved::default();
    for change in board.take_changes() {
        if let Change::Avatar { key, avatar } = change {
            saved.avatars.retain(|(of, _)| *of != key);
            saved.avatars.extend(avatar.map(|avatar| (key, avatar)));
        }
    }
    saved
}

fn set(board: &mut Board, name: &str, jpeg: &[u8]) -> Result<(), ErrorCode> {
    board.set_avatar(NOW, &who(name), None, None, Some(&text(jpeg)))
}

#[test]
fn an_avatar_is_shown_with_the_person_and_at_their_tables_and_survives_a_restart() {
    let mut board = board(Saved::default());
    board.come(&who("Ada"));
    board.lay(NOW, &who("Ada"), Draft { now: true, ..serde_json::from_str("{}").unwrap() }).unwrap();
    board.turn(NOW);
    let photo = jpeg(b"taken at 37.5665 N", &[1, 2, 3]);
    board.set_avatar(NOW, &who("Ada"), Some(3), Some("🍜".into()), Some(&text(&photo))).unwrap();
    let clean = jpeg(b"", &[1, 2, 3]);
    let shown = Avatar { photo: Some(photo_id(&clean)), color: Some(3), glyph: Some("🍜".into()) };
    let news = board.take_patch(NOW).unwrap();
    assert_eq!(news.patches[0].people[0].avatar, shown);
    assert_eq!(news.patches[0].tables[0].taken[0].avatar, shown);
    assert!(news.guests.iter().all(|(_, patch)| patch.tables.iter().all(|table| table.taken.is_empty())));

    let restored = self::board(stored(&mut board));
    assert_eq!(restored.avatar("key of Ada"), shown);
    assert_eq!(restored.photo(&photo_id(&clean)), Ok(text(&clean)), "without its metadata");
    assert_eq!(restored.about(NOW, &who("Ada")).avatar, shown);
}

#[test]
fn a_photo_is_kept_as_long_as_anybody_has_it() {
    let mut board = board(Saved::default());
    let (one, other) = (jpeg(b"", &[1]), jpeg(b"", &[2]));
    set(&mut board, "Ada", &one).unwrap();
    set(&mut board, "Ben", &one).unwrap();
    set(&mut board, "Ada", &other).unwrap();
    assert!(board.photo(&photo_id(&one)).is_ok() && board.photo(&photo_id(&other)).is_ok());
    board.forget(NOW, &who("Ben"));
    assert_eq!(board.photo(&photo_id(&one)), Err(ErrorCode::NoSuchPhoto));
    board.set_avatar(NOW, &who("Ada"), None, None, None).unwrap();
    assert_eq!(board.photo(&photo_id(&other)), Err(ErrorCode::NoSuchPhoto));
    assert!(stored(&mut board).avatars.is_empty());
}

#[test]
fn guests_and_other_files_are_refused() {
    let mut board = board(Saved::default());
    let guest = Who { member: false, ..who("Gus") };
    assert_eq!(board.set_avatar(NOW, &guest, Some(1), None, None), Err(ErrorCode::NotMember));
    assert_eq!(set(&mut board, "Ada", b"GIF89a"), Err(ErrorCode::BadPhoto));
    assert_eq!(board.set_avatar(NOW, &who("Ada"), None, None, Some("*")), Err(ErrorCode::BadPhoto));
    assert!(board.avatar("key of Ada").is_default());
}

#[test]
fn when_full_the_avatar_of_whoever_was_away_longest_is_removed() {
    let mut board = board(Saved::default());
    board.come(&who("Ada"));
    set(&mut board, "Ada", &jpeg(b"", &[7; 40_000])).unwrap();
    let photo = |n: u32| jpeg(b"", &[n.to_string().as_bytes(), &[7; 40_000]].concat());
    let set_later = |board: &mut Board, n: u32| {
        let jpeg = text(&photo(n));
        board.set_avatar(NOW + u64::from(n), &who(&n.to_string()), None, None, Some(&jpeg)).unwrap();
    };
    (0..2_000).for_each(|n| set_later(&mut board, n));
    assert!(!board.avatar("key of Ada").is_default(), "she is here");
    assert!(board.avatar("key of 0").is_default());
    assert!(!board.avatar("key of 1999").is_default());
    let kept = (0..2_000).filter(|n| board.photo(&photo_id(&photo(*n))).is_ok()).count();
    assert!((500..530).contains(&kept), "{kept} photos fit");
}

#[test]
fn a_photo_in_place_of_a_colour_counts_as_any_other() {
    let mut board = board(Saved::default());
    for n in 0..1_000u32 {
        board.set_avatar(NOW, &who(&n.to_string()), Some(1), None, None).unwrap();
    }
    for n in 0..1_000u32 {
        let jpeg = text(&jpeg(b"", &[n.to_string().as_bytes(), &[7; 40_000]].concat()));
        board.set_avatar(NOW + u64::from(n), &who(&n.to_string()), None, None, Some(&jpeg)).unwrap();
    }
    let kept: usize =
        stored(&mut board).avatars.iter().filter_map(|(_, avatar)| avatar.jpeg.as_ref()).map(|j| j.len()).sum();
    assert!(kept <= rooms::board::MAX_PHOTOS_BYTES, "{kept} bytes");
}

#[test]
fn an_avatar_expires_when_its_owner_does_not_come() {
    let mut board = board(Saved::default());
    for name in ["Ada", "Ben"] {
        set(&mut board, name, &jpeg(b"", &[1])).unwrap();
    }
    board.come(&who("Ada"));
    board.set_presence("key of Ada", Presence::Free);
    board.tick(NOW + AVATAR_KEPT_MS - DAY);
    board.go("key of Ada");
    board.tick(NOW + AVATAR_KEPT_MS + DAY);
    assert!(!board.avatar("key of Ada").is_default());
    assert!(board.avatar("key of Ben").is_default());
}
