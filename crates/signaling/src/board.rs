//! The board on the wire: what a client may ask of it and what it hears (PROTOCOL.md, *The board*).
//!
//! A subscriber gets the whole board in one or more `snapshot`s and after that only what changes, in `patch`es.
//! Both are the same bytes for everybody who may see the same: what is a person's own (my seat, my place in line)
//! a client reads off the shared picture by its own key; [`crate::board_fold::BoardFold`] does.

use serde::{Deserialize, Serialize};

/// Who may come in to a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// Whoever finds a free seat.
    #[default]
    Open,
    /// Whoever the host lets in.
    Knock,
}

/// Where somebody is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Here, and may be asked along.
    #[default]
    Free,
    /// In a table's call.
    AtTable,
    /// Here, and does not want to be asked.
    Away,
}

/// A table to be laid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// What it is about; may be empty.
    #[serde(default)]
    pub topic: String,
    /// Menu or place; may be empty.
    #[serde(default)]
    pub place: String,
    /// Seats, 2 to 12.
    #[serde(default = "four")]
    pub seats: u8,
    /// At once; `starts_ms` is not looked at then.
    #[serde(default)]
    pub now: bool,
    /// Beginning, Unix milliseconds.
    #[serde(default)]
    pub starts_ms: u64,
    /// Length in minutes, 15 to 240.
    #[serde(default = "sixty")]
    pub minutes: u32,
    /// Again each week at the same time by the clocks of the community's zone.
    #[serde(default)]
    pub weekly: bool,
    /// Who may come in.
    #[serde(default)]
    pub door: Door,
}

fn four() -> u8 {
    4
}

fn sixty() -> u32 {
    60
}

/// What a client may ask: `{"type":"board","do":"take","table":"…"}`. Each is answered by `done` or an `error`
/// about it, once it is kept for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum BoardRequest {
    /// Show me the board from now on. A guest sees one table: the one whose room a link names.
    Subscribe {
        /// A guest's room.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<String>,
        /// The invite of the link.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        invite: Option<String>,
    },
    /// No longer.
    Unsubscribe,
    /// Lay a table and sit down at it as its host.
    Lay(Draft),
    /// Take a seat.
    Take {
        /// At which table.
        table: String,
        /// If it is full, wait for a seat.
        #[serde(default)]
        wait: bool,
    },
    /// Give up a seat, or a place in line.
    Leave {
        /// At which table.
        table: String,
    },
    /// Take a table away. Its host may.
    Delete {
        /// Which.
        table: String,
    },
    /// Seat me with others who are hungry now.
    EatNow {
        /// With these people, by id, if they press it too.
        #[serde(default)]
        with: Vec<String>,
    },
    /// Not hungry any more.
    StopWaiting,
    /// Free or away; `at_table` is the server's to say.
    Presence {
        /// Which.
        presence: Presence,
    },
    /// Erase whom I have met.
    ForgetMe,
    /// Make an invite for a table's room.
    Invite {
        /// Which room.
        room: String,
        /// For so many devices.
        uses: u16,
        /// For so many hours.
        hours: u32,
    },
}

/// What a client hears of the board: `{"type":"board","news":"patch",…}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "news", rename_all = "snake_case")]
pub enum BoardNews {
    /// The whole board, in as many pieces as fit in frames.
    Snapshot(Snapshot),
    /// What has changed.
    Patch(Patch),
    /// What is only yours, whole.
    You {
        /// Since when and with whom you wait to eat now, if you do.
        waiting: Option<Waiting>,
    },
    /// Something you should hear even with the window closed.
    Notice(Notice),
    /// The invite that was asked for.
    Invite {
        /// Room.
        room: String,
        /// Token.
        invite: String,
        /// Good until then, Unix milliseconds.
        expires_ms: u64,
    },
    /// A request is done and kept: not even a power cut takes it back.
    Done {
        /// `seq` of the request.
        about: u64,
    },
}

/// A piece of the whole board. What was known before the first piece is void.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The first piece.
    pub first: bool,
    /// The last piece: the board is whole.
    pub last: bool,
    /// The server's clock, Unix milliseconds.
    pub now_ms: u64,
    /// IANA time zone of the community.
    pub zone: String,
    /// You are a member: you see names.
    pub member: bool,
    /// Tables of this piece.
    pub tables: Vec<TableInfo>,
    /// People of this piece. Guests see none.
    pub people: Vec<PersonInfo>,
    /// How many are free.
    pub free_count: u32,
    /// How many wait to eat now.
    pub hungry_count: u32,
}

/// What has changed since the last piece or patch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// The server's clock, Unix milliseconds.
    pub now_ms: u64,
    /// Tables that are new or otherwise, whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<TableInfo>,
    /// Ids of tables that are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<String>,
    /// People who are new or otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<PersonInfo>,
    /// Ids of people who went.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
    /// How many are free.
    pub free_count: u32,
    /// How many wait to eat now.
    pub hungry_count: u32,
}

/// A table as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableInfo {
    /// Id.
    pub id: String,
    /// Its room: what a link to it names.
    pub room: String,
    /// What it is about; may be empty.
    pub topic: String,
    /// Menu or place; may be empty.
    pub place: String,
    /// Seats.
    pub seats: u8,
    /// Beginning, Unix milliseconds.
    pub starts_ms: u64,
    /// End.
    pub ends_ms: u64,
    /// Laid for at once, not for a slot.
    #[serde(default)]
    pub now: bool,
    /// Laid again each week.
    #[serde(default)]
    pub weekly: bool,
    /// Person id of the host; empty for guests.
    #[serde(default)]
    pub host: String,
    /// Who may come in.
    #[serde(default)]
    pub door: Door,
    /// Nobody new comes in.
    #[serde(default)]
    pub locked: bool,
    /// Who has a seat, earliest first; empty for guests.
    #[serde(default)]
    pub taken: Vec<Sitter>,
    /// How many have one.
    pub taken_count: u8,
    /// Person ids of those in line, first first; empty for guests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<String>,
    /// How many are in line.
    #[serde(default)]
    pub waiting_count: u16,
    /// How many are in its call.
    #[serde(default)]
    pub in_call: u16,
}

/// Somebody with a seat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sitter {
    /// Person id: the device key.
    pub id: String,
    /// Label.
    pub name: String,
}

/// Somebody who is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonInfo {
    /// Person id: the device key.
    pub id: String,
    /// Label.
    pub name: String,
    /// Where they are.
    pub presence: Presence,
}

/// Somebody waits to eat now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Since then, Unix milliseconds by the server's clock.
    pub since_ms: u64,
    /// With whom, by person id.
    #[serde(default)]
    pub with: Vec<String>,
}

/// Something you should hear even with the window closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What.
    pub kind: NoticeKind,
    /// Id of the table.
    pub table: String,
    /// Its room.
    pub room: String,
    /// Its topic.
    #[serde(default)]
    pub topic: String,
    /// Its beginning, Unix milliseconds.
    pub starts_ms: u64,
}

/// What a [`Notice`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// Your table begins in five minutes.
    Soon,
    /// It begins.
    Begins,
    /// You were in line and have a seat.
    MovedUp,
    /// You wanted to eat now and have a table.
    Seated,
    /// Your table was taken away.
    Deleted,
    /// Something this version does not know.
    #[serde(other)]
    Unknown,
}

/// What the host of a table may do in its room: `{"type":"room","do":"admit","id":"k1"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum RoomRequest {
    /// Nobody new comes in, or again who finds a seat.
    Lock {
        /// Which.
        locked: bool,
    },
    /// Let in somebody who knocks.
    Admit {
        /// Who, by their id in the lobby.
        id: crate::message::ParticipantId,
    },
    /// Do not.
    Refuse {
        /// Who, by their id in the lobby.
        id: crate::message::ParticipantId,
    },
    /// Switch off somebody's microphone. Their own client does it; they may switch it on again.
    Mute {
        /// Who.
        id: crate::message::ParticipantId,
    },
    /// Send somebody out, and do not let them in again.
    Remove {
        /// Who.
        id: crate::message::ParticipantId,
    },
}

/// What is told in and at the door of a table's room: `{"type":"room","news":"lobby",…}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "news", rename_all = "snake_case")]
pub enum RoomNews {
    /// You knock; the host has been told. `joined` or an error with `knocking_refused` follows.
    Knocking {
        /// Where.
        room: String,
    },
    /// To the host: who knocks now, earliest first, whole.
    Lobby {
        /// Everybody in it.
        knocking: Vec<Knocker>,
    },
    /// To everybody in the room, when they come in and when it changes.
    State {
        /// Who keeps the door: the table's host, or in their absence the one who has been in longest.
        host: Option<crate::message::ParticipantId>,
        /// Nobody new comes in.
        locked: bool,
    },
    /// The host asks you to be silent: switch the microphone off.
    Muted,
}

/// Somebody in the lobby.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knocker {
    /// Id in the lobby, never a participant's.
    pub id: crate::message::ParticipantId,
    /// Label.
    pub name: String,
    /// Device key.
    pub key: String,
}
