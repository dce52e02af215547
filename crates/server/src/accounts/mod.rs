//! Accounts, and the device keys that they own. Pure: requests and the time go in, changes to store come out.
//!
//! The id of an account's person is the key of its first device. So seats that a device took before it had an account
//! stay with the person. If that device is removed, its key stays the person's id, and the device is a stranger.

mod codes;
mod names;

use std::collections::HashMap;

use signaling::account::AccountDevice;
use signaling::limits::MAX_DEVICES;
use signaling::message::ErrorCode;

use self::codes::Codes;
pub(crate) use self::codes::{CODE_TIME, Challenge, MAX_CODES};

/// Accounts. When full, nobody new can add a device (`server_full`).
pub(crate) const MAX_ACCOUNTS: usize = 4_000;
/// Devices of all accounts together. When full, no account can add another (`server_full`).
pub(crate) const MAX_ALL_DEVICES: usize = 8_000;
/// The last use of a device is stored to a day, so that it costs one write.
const DAY_MS: u64 = 24 * 3_600_000;

/// Who somebody is at the issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) issuer: String,
    /// Id of the account at the issuer (`sub`).
    pub(crate) subject: String,
    /// The name, as the issuer has it.
    pub(crate) name: String,
    /// Whether the person has a role of stewards there.
    pub(crate) steward: bool,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    /// Id of the person: the key of the first device.
    pub(crate) person: String,
    pub(crate) issuer: String,
    pub(crate) subject: String,
    /// The name that others see.
    pub(crate) name: String,
    /// Whether the person had a role of stewards at the last sign-in.
    pub(crate) steward: bool,
}

/// A device of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    pub(crate) key: String,
    pub(crate) person: String,
    pub(crate) name: String,
    /// Unix milliseconds.
    pub(crate) added: u64,
    /// Unix milliseconds, rounded down to a day.
    pub(crate) used: u64,
}

/// A change to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Account(Account),
    Device(Device),
    DeviceGone {
        key: String,
    },
    /// The account and all its devices.
    Forget {
        person: String,
    },
}

/// Everything stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Saved {
    pub(crate) accounts: Vec<Account>,
    pub(crate) devices: Vec<Device>,
}

/// What a device key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing<'a> {
    /// It belongs to no account.
    Stranger,
    /// It belongs to this account.
    Of(&'a Account),
    /// It is the id of a person whose account has removed the device.
    Removed,
}

/// All accounts.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    /// The issuer whose accounts count. Those of others stay stored, in case it is changed back.
    issuer: Option<String>,
    /// By person.
    accounts: HashMap<String, Account>,
    /// Persons by issuer and subject.
    subjects: HashMap<(String, String), String>,
    /// Persons by the look of their names.
    looks: HashMap<String, String>,
    /// By key.
    devices: HashMap<String, Device>,
    codes: Codes,
    changes: Vec<Change>,
}

impl Accounts {
    pub(crate) fn new(saved: Saved, issuer: Option<String>) -> Accounts {
        let mut accounts = Accounts { issuer, ..Accounts::default() };
        saved.accounts.into_iter().for_each(|account| accounts.put(account));
        accounts.devices = saved.devices.into_iter().map(|device| (device.key.clone(), device)).collect();
        accounts
    }

    /// Continues with what is stored after a write failed.
    pub(crate) fn restore(&mut self, saved: Saved) {
        let (codes, issuer) = (std::mem::take(&mut self.codes), self.issuer.take());
        *self = Accounts { codes, ..Accounts::new(saved, issuer) };
    }

    /// Whether people can sign in.
    pub(crate) fn is_open(&self) -> bool {
        self.issuer.is_some()
    }

    pub(crate) fn standing(&self, key: &str) -> Standing<'_> {
        let counts = |person: &str| self.accounts.get(person).filter(|one| Some(&one.issuer) == self.issuer.as_ref());
        match self.devices.get(key).map(|device| counts(&device.person)) {
            Some(Some(account)) => Standing::Of(account),
            None if counts(key).is_some() => Standing::Removed,
            Some(None) | None => Standing::Stranger,
        }
    }

    /// Keeps the result of a sign-in until a device is added with its code. `code` is random. Returns false if too many
    /// wait.
    pub(crate) fn signed_in(&mut self, now: u64, code: &str, identity: Identity, challenge: Option<Challenge>) -> bool {
        self.codes.put(now, code, identity, challenge)
    }

    /// Adds a device to the account that signed in, which is created if it is new. The account's name follows that at
    /// the issuer.
    ///
    /// # Errors
    /// `sign_in_expired`, `device_taken`, `too_many_devices`, `server_full`.
    pub(crate) fn add_device(
        &mut self,
        now: u64,
        key: &str,
        name: &str,
        code: &str,
        verifier: Option<&str>,
    ) -> Result<(), ErrorCode> {
        let identity = self.codes.take(now, code, verifier).ok_or(ErrorCode::SignInExpired)?;
        let known = self.subjects.get(&(identity.issuer.clone(), identity.subject.clone())).cloned();
        let owner = match self.standing(key) {
            Standing::Of(account) => Some(account.person.as_str()),
            Standing::Removed => Some(key),
            Standing::Stranger => None,
        };
        if owner.is_some() && owner != known.as_deref() {
            return Err(ErrorCode::DeviceTaken);
        }
        if known.is_none() {
            // An account of another issuer that had this device.
            let person = self.devices.get(key).map_or(key, |device| &device.person).to_owned();
            self.forget(&person);
        }
        let is_new_device = !self.devices.contains_key(key);
        let theirs = known.as_ref().map_or(0, |person| self.devices_of(person).count());
        if is_new_device && theirs >= MAX_DEVICES {
            return Err(ErrorCode::TooManyDevices);
        }
        let is_full = is_new_device && self.devices.len() >= MAX_ALL_DEVICES
            || known.is_none() && self.accounts.len() >= MAX_ACCOUNTS;
        if is_full {
            return Err(ErrorCode::ServerFull);
        }
        let person = known.unwrap_or_else(|| key.to_owned());
        self.rename(&person, identity);
        if is_new_device {
            let used = now - now % DAY_MS;
            let device = Device { key: key.to_owned(), person, name: name.to_owned(), added: now, used };
            self.devices.insert(key.to_owned(), device.clone());
            self.changes.push(Change::Device(device));
        }
        Ok(())
    }

    /// Creates or renames an account.
    fn rename(&mut self, person: &str, Identity { issuer, subject, name, steward }: Identity) {
        let name = names::distinct(&name, |look| self.looks.get(look).is_some_and(|other| other != person));
        let account = Account { person: person.to_owned(), issuer, subject, name, steward };
        if self.accounts.get(person) != Some(&account) {
            self.put(account.clone());
            self.changes.push(Change::Account(account));
        }
    }

    fn put(&mut self, account: Account) {
        self.take_out(&account.person.clone());
        self.subjects.insert((account.issuer.clone(), account.subject.clone()), account.person.clone());
        self.looks.insert(names::look(&account.name), account.person.clone());
        self.accounts.insert(account.person.clone(), account);
    }

    fn take_out(&mut self, person: &str) {
        let Some(account) = self.accounts.remove(person) else { return };
        self.looks.remove(&names::look(&account.name));
        self.subjects.remove(&(account.issuer, account.subject));
    }

    /// Records that a device is used.
    pub(crate) fn touch(&mut self, now: u64, key: &str) {
        let today = now - now % DAY_MS;
        if let Some(device) = self.devices.get_mut(key).filter(|device| device.used != today) {
            device.used = today;
            self.changes.push(Change::Device(device.clone()));
        }
    }

    /// The devices of a person, the earliest first. `is_connected` says which are connected.
    pub(crate) fn list(&self, person: &str, is_connected: impl Fn(&str) -> bool) -> Vec<AccountDevice> {
        let mut devices: Vec<&Device> = self.devices_of(person).collect();
        devices.sort_by(|a, b| (a.added, &a.key).cmp(&(b.added, &b.key)));
        let info = |device: &Device| AccountDevice {
            key: device.key.clone(),
            name: device.name.clone(),
            added_ms: device.added,
            used_ms: device.used,
            connected: is_connected(&device.key),
        };
        devices.into_iter().map(info).collect()
    }

    /// Removes a device of a person.
    ///
    /// # Errors
    /// `no_such_device`.
    pub(crate) fn remove_device(&mut self, person: &str, key: &str) -> Result<(), ErrorCode> {
        let is_theirs = self.devices.get(key).is_some_and(|device| device.person == person);
        if !is_theirs {
            return Err(ErrorCode::NoSuchDevice);
        }
        self.devices.remove(key);
        self.changes.push(Change::DeviceGone { key: key.to_owned() });
        Ok(())
    }

    /// Erases a person's account and devices. Returns the keys of the devices.
    pub(crate) fn forget(&mut self, person: &str) -> Vec<String> {
        let Some(Account { issuer, subject, .. }) = self.accounts.get(person).cloned() else { return Vec::new() };
        self.take_out(person);
        self.codes.forget(&issuer, &subject);
        let keys: Vec<String> = self.devices_of(person).map(|device| device.key.clone()).collect();
        self.devices.retain(|_, device| device.person != person);
        self.changes.push(Change::Forget { person: person.to_owned() });
        keys
    }

    /// The account of a person.
    pub(crate) fn account(&self, person: &str) -> Option<&Account> {
        self.accounts.get(person)
    }

    /// Returns the changes to store.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    fn devices_of(&self, person: &str) -> impl Iterator<Item = &Device> {
        self.devices.values().filter(move |device| device.person == person)
    }
}

#[cfg(test)]
mod tests;
