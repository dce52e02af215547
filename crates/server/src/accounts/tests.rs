use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::*;

const NOW: u64 = 1_774_605_600_000;

fn identity(subject: &str, name: &str) -> Identity {
    Identity { issuer: "https://accounts.example".into(), subject: subject.into(), name: name.into(), steward: false }
}

fn accounts() -> Accounts {
    Accounts::new(Saved::default(), Some("https://accounts.example".into()))
}

/// Signs in and adds a device.
fn add(accounts: &mut Accounts, now: u64, key: &str, subject: &str, name: &str) -> Result<(), ErrorCode> {
    assert!(accounts.signed_in(now, "code", identity(subject, name), None));
    accounts.add_device(now, key, "a device", "code", None)
}

fn name_of(accounts: &Accounts, key: &str) -> String {
    match accounts.standing(key) {
        Standing::Of(account) => account.name.clone(),
        other => panic!("{key}: {other:?}"),
    }
}

#[test]
fn all_devices_of_an_account_are_one_person() {
    let mut accounts = accounts();
    for key in ["laptop", "phone", "app"] {
        add(&mut accounts, NOW, key, "1", "Ada").unwrap();
        let Standing::Of(account) = accounts.standing(key) else { panic!("{key}") };
        assert_eq!((account.person.as_str(), account.name.as_str()), ("laptop", "Ada"));
    }
    add(&mut accounts, NOW, "other", "2", "Ben").unwrap();
    assert_eq!(accounts.list("laptop", |key| key == "app").iter().filter(|device| device.connected).count(), 1);
    assert_eq!(accounts.list("laptop", |_| false).len(), 3);
}

#[test]
fn a_code_is_valid_once_for_its_time_and_with_its_verifier() {
    let mut accounts = accounts();
    let challenge = Challenge::parse(&URL_SAFE_NO_PAD.encode(Sha256::digest("secret"))).unwrap();
    let mut tries = |now: u64, challenge, verifier| {
        assert!(accounts.signed_in(NOW, "code", identity("1", "Ada"), challenge));
        let first = accounts.add_device(now, "key", "", "code", verifier);
        assert_eq!(accounts.add_device(now, "key", "", "code", verifier), Err(ErrorCode::SignInExpired), "twice");
        first
    };
    assert_eq!(tries(NOW, None, None), Ok(()));
    assert_eq!(tries(NOW, Some(challenge), Some("secret")), Ok(()));
    for (challenge, verifier) in [(Some(challenge), Some("guess")), (Some(challenge), None), (None, Some("secret"))] {
        assert_eq!(tries(NOW, challenge, verifier), Err(ErrorCode::SignInExpired));
    }
    assert_eq!(tries(NOW + CODE_TIME - 1, None, None), Ok(()));
    assert_eq!(tries(NOW + CODE_TIME, None, None), Err(ErrorCode::SignInExpired));
    assert_eq!(tries(NOW - 1, None, None), Err(ErrorCode::SignInExpired), "the clock was set back");
}

#[test]
fn a_device_of_one_account_cannot_be_added_to_another() {
    let mut accounts = accounts();
    add(&mut accounts, NOW, "laptop", "1", "Ada").unwrap();
    add(&mut accounts, NOW, "phone", "1", "Ada").unwrap();
    for key in ["laptop", "phone"] {
        assert_eq!(add(&mut accounts, NOW, key, "2", "Ben"), Err(ErrorCode::DeviceTaken));
    }
    accounts.remove_device("laptop", "laptop").unwrap();
    assert_eq!(add(&mut accounts, NOW, "laptop", "2", "Ben"), Err(ErrorCode::DeviceTaken), "it is Ada's id");
    add(&mut accounts, NOW, "laptop", "1", "Ada").unwrap();
    accounts.remove_device("laptop", "phone").unwrap();
    add(&mut accounts, NOW, "phone", "2", "Ben").unwrap();
    assert_eq!(name_of(&accounts, "phone"), "Ben");
}

#[test]
fn a_removed_device_is_nobodys_and_the_first_one_stays_the_persons_id() {
    let mut accounts = accounts();
    add(&mut accounts, NOW, "laptop", "1", "Ada").unwrap();
    add(&mut accounts, NOW, "phone", "1", "Ada").unwrap();
    assert_eq!(accounts.remove_device("ben", "phone"), Err(ErrorCode::NoSuchDevice));
    for key in ["laptop", "phone"] {
        accounts.remove_device("laptop", key).unwrap();
        assert_eq!(accounts.remove_device("laptop", key), Err(ErrorCode::NoSuchDevice));
    }
    assert_eq!((accounts.standing("phone"), accounts.standing("laptop")), (Standing::Stranger, Standing::Removed));
    add(&mut accounts, NOW, "tablet", "1", "Ada").unwrap();
    let Standing::Of(account) = accounts.standing("tablet") else { panic!("signed in") };
    assert_eq!(account.person, "laptop", "the seats stay");
}

#[test]
fn a_name_in_look_alike_letters_gets_a_number() {
    let mut accounts = accounts();
    add(&mut accounts, NOW, "a", "1", "Ada").unwrap();
    add(&mut accounts, NOW, "b", "2", "\u{410}d\u{430}").unwrap();
    assert_eq!((name_of(&accounts, "a"), name_of(&accounts, "b")), ("Ada".into(), "\u{410}d\u{430} 2".into()));
    add(&mut accounts, NOW, "b2", "2", "\u{410}d\u{430}").unwrap();
    assert_eq!(name_of(&accounts, "b"), "\u{410}d\u{430} 2", "signing in again changes nothing");
    add(&mut accounts, NOW, "a2", "1", "Ada Kim").unwrap();
    assert_eq!(name_of(&accounts, "a"), "Ada Kim", "the name follows the account");
    add(&mut accounts, NOW, "c", "3", "Ada").unwrap();
    assert_eq!(name_of(&accounts, "c"), "Ada", "the name is free");
}

#[test]
fn devices_accounts_and_codes_are_bounded() {
    let mut accounts = accounts();
    for n in 0..MAX_DEVICES {
        add(&mut accounts, NOW, &format!("key {n}"), "1", "Ada").unwrap();
    }
    assert_eq!(add(&mut accounts, NOW, "one more", "1", "Ada"), Err(ErrorCode::TooManyDevices));
    assert_eq!(add(&mut accounts, NOW, "key 3", "1", "Ada"), Ok(()), "a known device is no new one");
    for n in 1..MAX_ACCOUNTS {
        add(&mut accounts, NOW, &format!("of {n}"), &format!("subject {n}"), &format!("Person {n}")).unwrap();
    }
    assert_eq!(add(&mut accounts, NOW, "last", "new", "New"), Err(ErrorCode::ServerFull));
    for n in 0..MAX_CODES {
        assert!(accounts.signed_in(NOW, &format!("{n}"), identity("1", "Ada"), None));
    }
    assert!(!accounts.signed_in(NOW, "too many", identity("1", "Ada"), None));
    assert!(accounts.signed_in(NOW + CODE_TIME, "later", identity("1", "Ada"), None));
}

#[test]
fn a_forgotten_account_leaves_nothing() {
    let mut accounts = accounts();
    add(&mut accounts, NOW, "laptop", "1", "Ada").unwrap();
    add(&mut accounts, NOW, "phone", "1", "Ada").unwrap();
    accounts.signed_in(NOW, "code", identity("1", "Ada"), None);
    let mut keys = accounts.forget("laptop");
    keys.sort();
    assert_eq!(keys, ["laptop", "phone"]);
    assert_eq!((accounts.standing("laptop"), accounts.standing("phone")), (Standing::Stranger, Standing::Stranger));
    assert_eq!(accounts.add_device(NOW, "phone", "", "code", None), Err(ErrorCode::SignInExpired));
    assert_eq!(accounts.take_changes().last(), Some(&Change::Forget { person: "laptop".into() }));
    assert!(accounts.looks.is_empty() && accounts.subjects.is_empty() && accounts.devices.is_empty());
}

#[test]
fn the_last_use_is_stored_once_a_day() {
    let mut accounts = accounts();
    add(&mut accounts, NOW, "laptop", "1", "Ada").unwrap();
    accounts.take_changes();
    accounts.touch(NOW + 1, "laptop");
    accounts.touch(NOW, "unknown");
    assert_eq!(accounts.take_changes(), []);
    accounts.touch(NOW + DAY_MS, "laptop");
    let [Change::Device(device)] = &accounts.take_changes()[..] else { panic!("not stored") };
    assert_eq!(device.used, NOW + DAY_MS - (NOW + DAY_MS) % DAY_MS);
}

#[test]
fn accounts_of_another_issuer_count_for_nothing() {
    let mut before = accounts();
    add(&mut before, NOW, "laptop", "1", "Ada").unwrap();
    add(&mut before, NOW, "phone", "1", "Ada").unwrap();
    let saved =
        Saved { accounts: before.accounts.into_values().collect(), devices: before.devices.into_values().collect() };
    let mut moved = Accounts::new(saved.clone(), Some("https://other.example".into()));
    assert_eq!((moved.standing("laptop"), moved.standing("phone")), (Standing::Stranger, Standing::Stranger));
    let identity = Identity { issuer: "https://other.example".into(), ..identity("7", "Ben") };
    moved.signed_in(NOW, "code", identity, None);
    moved.add_device(NOW, "laptop", "", "code", None).unwrap();
    assert_eq!(name_of(&moved, "laptop"), "Ben");
    assert_eq!(moved.standing("phone"), Standing::Stranger, "it does not come along");
    let none = Accounts::new(saved, None);
    assert_eq!(none.standing("laptop"), Standing::Stranger);
}
