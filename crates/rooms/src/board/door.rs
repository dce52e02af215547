//! Admission to rooms.

use signaling::board::Door;
use signaling::message::ErrorCode;

use super::invite::Invite;
use super::key::Key;
use super::{Board, Change, MAX_INVITE_USES, MAX_REMOVED, OPENS_BEFORE_MS, Who, names, require};

/// How somebody may join a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// The room has no table: anybody may join.
    Plain,
    /// They have a seat at the table and may join.
    Seated {
        /// Number of seats in the room.
        seats: u8,
    },
    /// The host has to admit them.
    Knock,
}

impl Board {
    /// Somebody requests to join a room. Somebody who is allowed in and has no seat at its table takes one.
    ///
    /// # Errors
    /// `not_member` without an invite, whether or not the room exists; `invite_invalid`, `invite_expired`,
    /// `invite_used`; `no_such_table`, `too_early`, `removed`, `room_locked`, `already_seated`, `table_full`.
    pub fn enter(&mut self, now: u64, who: &Who, room: &str, invite: Option<&str>) -> Result<Entry, ErrorCode> {
        let known = self.table_of_room(room).is_some_and(|table| table.inside.contains(&who.key));
        if !who.member && !known {
            self.use_invite(now, &who.key, room, invite)?;
        }
        let Some(table) = self.table_of_room(room) else {
            return if names::is_table_room(room) { Err(ErrorCode::NoSuchTable) } else { Ok(Entry::Plain) };
        };
        require(!self.has_removed(table, &who.key), ErrorCode::Removed)?;
        require(now + OPENS_BEFORE_MS >= table.starts, ErrorCode::TooEarly)?;
        let is_host = table.host == who.key;
        if !known && !is_host {
            require(!table.locked, ErrorCode::RoomLocked)?;
            if table.door == Door::Knock {
                // Nobody should wait at the door of a table whose seats are all taken.
                require(table.seats_key(&who.key) || table.has_room(), ErrorCode::TableFull)?;
                return Ok(Entry::Knock);
            }
        }
        self.come_in(now, who, room)
    }

    /// The host admits somebody who knocked.
    ///
    /// # Errors
    /// `no_such_table`, `already_seated`, `table_full`.
    pub fn admit(&mut self, now: u64, who: &Who, room: &str) -> Result<Entry, ErrorCode> {
        self.come_in(now, who, room)
    }

    /// The host locks the room, or unlocks it, which moves up people in line.
    pub fn lock(&mut self, now: u64, room: &str, locked: bool) {
        if let Some(id) = self.rooms.get(room).cloned() {
            self.change(&id, |table| table.locked = locked);
            self.fill(now, &id);
        }
    }

    /// The host removes somebody, who cannot join again.
    pub fn remove(&mut self, now: u64, room: &str, key: &str) {
        if let Some(id) = self.rooms.get(room).cloned() {
            self.change(&id, |table| {
                if table.removed.len() >= MAX_REMOVED {
                    table.removed.remove(0);
                }
                table.removed.push(key.to_owned());
                table.waiting.retain(|waiting| waiting.id != key);
            });
            self.get_up(now, &id, key);
        }
    }

    /// Whether the room's table has this host.
    pub fn is_host(&self, room: &str, key: &str) -> bool {
        self.table_of_room(room).is_some_and(|table| table.host == key)
    }

    /// Creates an invite for a room and returns the token and its expiry in Unix milliseconds. People with a seat and
    /// the host may do so; for a room without a table, every member.
    ///
    /// # Errors
    /// `not_member`, `no_such_table`, `not_host`.
    pub fn invite(
        &mut self,
        now: u64,
        who: &Who,
        room: &str,
        uses: u16,
        hours: u32,
    ) -> Result<(String, u64), ErrorCode> {
        require(who.member, ErrorCode::NotMember)?;
        match self.table_of_room(room) {
            Some(table) => require(table.host == who.key || table.seats_key(&who.key), ErrorCode::NotHost)?,
            None => require(!names::is_table_room(room), ErrorCode::NoSuchTable)?,
        }
        let [a, b, c, d, e, f, g, h, ..] = self.names.bytes();
        let expires = (now / 1_000 + u64::from(hours) * 3_600) * 1_000;
        let invite = Invite { id: [a, b, c, d, e, f, g, h], expires, uses };
        Ok((invite.token(&self.invite_secret, room), expires))
    }

    /// Whether a token would currently let this device into the room. Does not use it.
    ///
    /// # Errors
    /// Those of [`Board::enter`].
    pub fn check_invite(&self, now: u64, key: &str, room: &str, invite: Option<&str>) -> Result<(), ErrorCode> {
        self.valid_invite(now, key, room, invite).map(|_| ())
    }

    fn use_invite(&mut self, now: u64, key: &str, room: &str, invite: Option<&str>) -> Result<(), ErrorCode> {
        let Invite { id, expires, .. } = self.valid_invite(now, key, room, invite)?;
        let is_new = self.invites.get(&id).is_none_or(|(_, used)| !used.contains(key));
        let uses: usize = self.invites.values().map(|(_, used)| used.len()).sum();
        require(!is_new || uses < MAX_INVITE_USES, ErrorCode::ServerFull)?;
        let (_, used) = self.invites.entry(id).or_insert((expires, Default::default()));
        if used.insert(key.to_owned()) {
            self.changes.push(Change::InviteUsed { id, key: key.to_owned(), expires });
        }
        Ok(())
    }

    /// A device that has used an invite may use it again without counting twice.
    fn valid_invite(&self, now: u64, key: &str, room: &str, invite: Option<&str>) -> Result<Invite, ErrorCode> {
        let invite = Invite::read(invite.ok_or(ErrorCode::NotMember)?, &self.invite_secret, room)?;
        require(now < invite.expires, ErrorCode::InviteExpired)?;
        if let Some((_, used)) = self.invites.get(&invite.id) {
            require(used.contains(key) || used.len() < usize::from(invite.uses), ErrorCode::InviteUsed)?;
        }
        Ok(invite)
    }

    fn come_in(&mut self, now: u64, who: &Who, room: &str) -> Result<Entry, ErrorCode> {
        let table = self.table_of_room(room).ok_or(ErrorCode::NoSuchTable)?;
        let (id, seats, inside) = (table.id.clone(), table.seats, table.inside.contains(&who.key));
        if !table.seats_key(&who.key) {
            require(!self.is_busy(&who.key, table.starts, table.ends), ErrorCode::AlreadySeated)?;
            require(table.has_room(), ErrorCode::TableFull)?;
            self.sit(now, &id, &who.key, &who.name);
        }
        if !inside {
            let key: Key = who.key.clone();
            self.change(&id, |table| table.inside.push(key));
        }
        self.host_if_none(&id, &who.key);
        Ok(Entry::Seated { seats })
    }
}
