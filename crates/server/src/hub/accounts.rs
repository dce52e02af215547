//! Accounts: who a device belongs to, signing in, and the requests about devices.

use rooms::{Output, Person, text};
use signaling::account::{AccountInfo, AccountNews, AccountRequest};
use signaling::board::{AboutAccount, BoardNews};
use signaling::message::{ClientMessage, ErrorCode, ErrorMessage, ServerMessage, SessionId};

use super::{Hub, unix_ms};
use crate::accounts::{Challenge, Identity, Standing};
use crate::data::random_token;
use crate::keeping::Word;

/// What the id of a stranger begins with whose device was the first of an account. Keys have no `:`.
const REMOVED: &str = "removed:";

impl Hub {
    /// The person to whom a device belongs. Several devices of an account are one person, with the account's name.
    pub(super) fn person(&mut self, key: &str, name: String, member: bool) -> Person {
        let listed = |key: &str| self.stewards.iter().any(|steward| steward == key);
        let person = match self.accounts.standing(key) {
            Standing::Stranger => {
                return Person { key: key.to_owned(), name, member, steward: member && listed(key), device: None };
            }
            // Its key is still the id of the person whose device it was, so as a stranger it has another one.
            Standing::Removed => {
                let (person, device) = (format!("{REMOVED}{key}"), Some(key.to_owned()));
                return Person { key: person, name, member, steward: false, device };
            }
            Standing::Of(account) => {
                let device = (account.person != key).then(|| key.to_owned());
                let steward = account.steward || listed(key) || listed(&account.person);
                Person { key: account.person.clone(), name: account.name.clone(), member: true, steward, device }
            }
        };
        self.accounts.touch(unix_ms(), key);
        self.store_accounts();
        person
    }

    /// What a client learns of the account of its device.
    pub(super) fn account_info(&self, key: &str) -> Option<AccountInfo> {
        let Standing::Of(account) = self.accounts.standing(key) else { return None };
        Some(AccountInfo { person: account.person.clone(), name: account.name.clone() })
    }

    /// Keeps the result of a sign-in and returns its one-time code.
    pub(super) fn signed_in(&mut self, identity: Identity, challenge: Option<Challenge>) -> Option<String> {
        let code = random_token().ok()?;
        self.accounts.signed_in(unix_ms(), &code, identity, challenge).then_some(code)
    }

    /// Handles a request about an account.
    pub(super) fn account_request(&mut self, session: &SessionId, seq: u64, message: ClientMessage) {
        let ClientMessage::Account(request) = message else { return };
        let Some(key) = self.sessions.get(session).map(|member| member.key.clone()) else { return };
        let done = self.decide_account(&key, request);
        // First the changes to store, then the answer.
        self.store_accounts();
        match done {
            Ok(news) => {
                let answers = news.into_iter().chain([AccountNews::Done { about: seq }]);
                for news in answers.collect::<Vec<_>>() {
                    self.say_when_safe(Word::To(session.clone(), ServerMessage::Account(news)));
                }
            }
            Err(code) => {
                let error = ErrorMessage { code, message: text(code).into(), about: Some(seq) };
                self.say_when_safe(Word::To(session.clone(), ServerMessage::Error(error)));
            }
        }
    }

    fn decide_account(&mut self, key: &str, request: AccountRequest) -> Result<Option<AccountNews>, ErrorCode> {
        if let AccountRequest::AddDevice { code, verifier, name } = request {
            self.accounts.add_device(unix_ms(), key, &name, &code, verifier.as_deref())?;
            return Ok(None);
        }
        let Standing::Of(account) = self.accounts.standing(key) else { return Err(ErrorCode::NotMember) };
        let person = account.person.clone();
        match request {
            AccountRequest::RemoveDevice { key } => {
                self.accounts.remove_device(&person, &key)?;
                self.end_later(|device| device == key);
                Ok(None)
            }
            AccountRequest::Devices | AccountRequest::AddDevice { .. } => {
                let devices = self.accounts.list(&person, |key| self.is_connected(key));
                Ok(Some(AccountNews::Devices { devices }))
            }
        }
    }

    /// Somebody is being erased: their account too, and then their sessions end.
    pub(super) fn forget_account(&mut self, person: &str) {
        let devices = self.accounts.forget(person);
        self.store_accounts();
        self.end_later(|device| devices.iter().any(|key| key == device));
    }

    /// Adds the account to what the board holds about somebody.
    pub(super) fn with_account(&self, message: ServerMessage) -> ServerMessage {
        let ServerMessage::Board(BoardNews::AboutMe(mut about)) = message else { return message };
        about.account = self.accounts.account(&about.key).map(|account| AboutAccount {
            issuer: account.issuer.clone(),
            subject: account.subject.clone(),
            name: account.name.clone(),
            devices: self.accounts.list(&account.person, |key| self.is_connected(key)),
        });
        ServerMessage::Board(BoardNews::AboutMe(about))
    }

    /// The next output of the rooms. When there is none, sessions of devices that were removed end, after the answer to
    /// whoever removed them.
    pub(super) fn next_output(&mut self) -> Option<Output> {
        let output = self.rooms.poll_output();
        if output.is_none() {
            for (session, code) in std::mem::take(&mut self.endings) {
                self.say_when_safe(Word::End(session, code));
            }
            return self.rooms.poll_output();
        }
        output
    }

    fn end_later(&mut self, is_removed: impl Fn(&str) -> bool) {
        let removed = self.sessions.iter().filter(|(_, member)| is_removed(&member.key));
        self.endings.extend(removed.map(|(id, _)| (id.clone(), ErrorCode::DeviceRemoved)));
    }

    fn is_connected(&self, key: &str) -> bool {
        self.sessions.values().any(|member| member.key == key && member.line.is_some())
    }

    fn store_accounts(&mut self) {
        let changes = self.accounts.take_changes();
        if !changes.is_empty() {
            self.keeping.write(changes);
        }
    }
}
