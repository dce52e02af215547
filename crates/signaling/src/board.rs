//! The board's messages (PROTOCOL.md, *The board*).
//!
//! A subscriber receives the whole board in one or more `snapshot`s, and then only changes, in `patch`es. Everybody
//! with the same rights receives the same bytes. A client finds its own part (its seat, its place in line) by its own
//! key; [`crate::board_fold::BoardFold`] implements this.

mod about_me;
mod notice;
mod order;
mod rounds;

use serde::{Deserialize, Serialize};

pub use self::about_me::{AboutAccount, AboutMe, AboutReport, AboutTable, Meeting, UsedInvite};
pub use self::notice::{Notice, NoticeKind};
pub use self::order::{Act, ActKind, Order, OrderBook, OrderReport, StewardAct, SuspendedPerson, Suspension, Whom};
pub use self::rounds::{AboutRound, RoundDraft, RoundInfo, RoundSize};
use crate::avatar::Avatar;
use crate::id::ParticipantId;

/// Who may join a table's call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// Anybody who finds a free seat.
    #[default]
    Open,
    /// Only people whom the host admits.
    Knock,
}

/// What somebody is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Present, and can be invited to a table.
    #[default]
    Free,
    /// In a table's call.
    AtTable,
    /// Present, and does not want to be invited.
    Away,
}

/// A table to create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Draft {
    /// Topic; may be empty.
    #[serde(default)]
    pub topic: String,
    /// Menu or place; may be empty.
    #[serde(default)]
    pub place: String,
    /// Number of seats, 2 to 12.
    #[serde(default = "four")]
    pub seats: u8,
    /// The table begins immediately; `starts_ms` is ignored.
    #[serde(default)]
    pub now: bool,
    /// Beginning, Unix milliseconds.
    #[serde(default)]
    pub starts_ms: u64,
    /// Length in minutes, 15 to 240.
    #[serde(default = "sixty")]
    pub minutes: u32,
    /// Repeats each week at the same time by the clocks of the community's zone.
    #[serde(default)]
    pub weekly: bool,
    /// Who may join.
    #[serde(default)]
    pub door: Door,
}

fn four() -> u8 {
    4
}

fn sixty() -> u32 {
    60
}

/// A client's request: `{"type":"board","do":"take","table":"…"}`. The server answers it with `done` or with an
/// `error` about it, after the change is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum BoardRequest {
    /// Subscribes to the board. A guest sees one table: the one whose room the link names.
    Subscribe {
        /// The room, for a guest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<String>,
        /// The invite in the link.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        invite: Option<String>,
    },
    /// Ends the subscription.
    Unsubscribe,
    /// Creates a table. The sender becomes its host and has the first seat.
    Lay(Draft),
    /// Takes a seat.
    Take {
        /// The table.
        table: String,
        /// Whether to wait in line if the table is full.
        #[serde(default)]
        wait: bool,
    },
    /// Gives up a seat or a place in line.
    Leave {
        /// The table.
        table: String,
    },
    /// Deletes a table. Only its host may do this.
    Delete {
        /// The table.
        table: String,
    },
    /// Cancels this date of a weekly table. Only its host may do this.
    CancelDate {
        /// The table.
        table: String,
    },
    /// Moves a table that has not begun; of a weekly one, only this date. Only its host may do this.
    Move {
        /// The table.
        table: String,
        /// New beginning, Unix milliseconds.
        starts_ms: u64,
        /// New length in minutes, 15 to 240.
        minutes: u32,
    },
    /// Waits to be seated with others who want to eat now.
    EatNow {
        /// Ids of people to sit with, if they also wait.
        #[serde(default)]
        with: Vec<String>,
    },
    /// Stops waiting.
    StopWaiting,
    /// Sets one's presence to free or away. Only the server sets `at_table`.
    Presence {
        /// The new presence.
        presence: Presence,
    },
    /// Asks for everything that the server holds about this person.
    AboutMe,
    /// Erases everything that the server has stored about this person.
    ForgetMe,
    /// Asks for the address of the person's calendar. Without one, or with another token than the present one, a new
    /// address is made, and an earlier one is no longer valid.
    Calendar {
        /// The token that the client has kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<CalendarToken>,
    },
    /// Voids the address of the person's calendar.
    RevokeCalendar,
    /// Sets how the person is shown. What is absent is removed.
    SetAvatar {
        /// Colour.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        color: Option<u8>,
        /// A letter or an emoji.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        glyph: Option<String>,
        /// A JPEG, base64url.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        jpeg: Option<String>,
    },
    /// Asks for a person's photo.
    Photo {
        /// Its id ([`Avatar::photo`]).
        id: String,
    },
    /// Creates an invite for a table's room.
    Invite {
        /// The room.
        room: String,
        /// Number of devices.
        uses: u16,
        /// Hours of validity.
        hours: u32,
    },
    /// Creates a round, for which people sign up.
    LayRound(RoundDraft),
    /// Cancels a round with all its dates. Only whoever created it and stewards may do this.
    CancelRound {
        /// The round.
        round: String,
    },
    /// Signs up for a round's next date.
    SignUp {
        /// The round.
        round: String,
    },
    /// Withdraws from a round's next date.
    Withdraw {
        /// The round.
        round: String,
    },
    /// Reports somebody to the stewards. Another report of the same person replaces the earlier one.
    Report {
        /// Whom.
        #[serde(flatten)]
        whom: Whom,
        /// What happened: one line.
        text: String,
    },
    /// Never again seats the sender with somebody by `eat_now`. The other does not learn of it.
    Block {
        /// Whom.
        #[serde(flatten)]
        whom: Whom,
    },
    /// Ends a block.
    Unblock {
        /// Person id.
        person: String,
    },
    /// Acknowledges what was done to the sender. It is not sent again.
    Seen,
    /// Closes a table, including all repetitions of a weekly one, and ends its call. Only stewards may do this.
    CloseTable {
        /// The table.
        table: String,
        /// Why, for the people at it.
        reason: String,
    },
    /// Suspends somebody. Only stewards may do this.
    Suspend {
        /// Person id.
        person: String,
        /// For how many hours; 0: until it is lifted.
        #[serde(default)]
        hours: u32,
        /// Why, for the person.
        reason: String,
    },
    /// Lifts a suspension. Only stewards may do this.
    Lift {
        /// Id of the suspended person.
        person: String,
    },
    /// Asks for reports, suspensions and acts. Only stewards may do this.
    OrderBook,
    /// Deletes a report that needs nothing more. Only stewards may do this.
    CloseReport {
        /// Its number.
        report: u32,
    },
}

/// A message about the board from the server: `{"type":"board","news":"patch",…}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "news", rename_all = "snake_case")]
pub enum BoardNews {
    /// The whole board, in as many pieces as necessary.
    Snapshot(Snapshot),
    /// Changes to the board.
    Patch(Patch),
    /// Everything on the board that only this person sees.
    You {
        /// Since when and with whom this person waits to eat now, if they do.
        waiting: Option<Waiting>,
        /// Ids of the rounds for which they have signed up.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        rounds: Vec<String>,
    },
    /// A notice for this person, to show even if the window is closed.
    Notice(Notice),
    /// The requested invite.
    Invite {
        /// The room.
        room: String,
        /// The token.
        invite: String,
        /// Expiry, Unix milliseconds.
        expires_ms: u64,
    },
    /// Everything that the server holds about this person, who asked for it.
    AboutMe(Box<AboutMe>),
    /// The requested photo of a person.
    Photo {
        /// Its id.
        id: String,
        /// The JPEG, base64url.
        jpeg: String,
    },
    /// What of the community's order concerns this person: after the snapshot, unless it is nothing, and when it
    /// changes.
    Order(Order),
    /// Reports, suspensions and acts, for a steward who asked for them.
    OrderBook(Box<OrderBook>),
    /// The address of the person's calendar: `/calendar/TOKEN.ics` at the server's address.
    Calendar {
        /// The token.
        token: CalendarToken,
    },
    /// A request succeeded and is stored. The result survives a power failure.
    Done {
        /// `seq` of the request.
        about: u64,
    },
}

/// The secret part of a calendar's address. Whoever has it sees the person's lunches, so logs must not have it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CalendarToken(pub String);

impl std::fmt::Debug for CalendarToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CalendarToken")
    }
}

/// A piece of the whole board. The first piece voids everything that the client knew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Whether this is the first piece.
    pub first: bool,
    /// Whether this is the last piece, which completes the board.
    pub last: bool,
    /// The server's clock, Unix milliseconds.
    pub now_ms: u64,
    /// IANA time zone of the community.
    pub zone: String,
    /// Whether the recipient is a member and sees names.
    pub member: bool,
    /// Tables in this piece.
    pub tables: Vec<TableInfo>,
    /// Rounds in this piece; empty for guests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rounds: Vec<RoundInfo>,
    /// People in this piece; empty for guests.
    pub people: Vec<PersonInfo>,
    /// Number of people who are free.
    pub free_count: u32,
    /// Number of people who wait to eat now.
    pub hungry_count: u32,
}

/// Changes since the last piece or patch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// The server's clock, Unix milliseconds.
    pub now_ms: u64,
    /// New or changed tables, in full.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<TableInfo>,
    /// Ids of tables that no longer exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<String>,
    /// New or changed rounds, in full.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rounds: Vec<RoundInfo>,
    /// Ids of rounds that no longer exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rounds_gone: Vec<String>,
    /// New or changed people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<PersonInfo>,
    /// Ids of people who left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
    /// Number of people who are free.
    pub free_count: u32,
    /// Number of people who wait to eat now.
    pub hungry_count: u32,
}

/// A table as it is displayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct TableInfo {
    /// Id.
    pub id: String,
    /// Room of its call, which a link to the table names.
    pub room: String,
    /// Topic; may be empty.
    pub topic: String,
    /// Menu or place; may be empty.
    pub place: String,
    /// Number of seats.
    pub seats: u8,
    /// Beginning, Unix milliseconds.
    pub starts_ms: u64,
    /// End, Unix milliseconds.
    pub ends_ms: u64,
    /// Whether the table began immediately, not at a time slot.
    #[serde(default)]
    pub now: bool,
    /// Whether the table repeats each week.
    #[serde(default)]
    pub weekly: bool,
    /// Person id of the host; empty for guests.
    #[serde(default)]
    pub host: String,
    /// Who may join.
    #[serde(default)]
    pub door: Door,
    /// Whether nobody new may join.
    #[serde(default)]
    pub locked: bool,
    /// People with a seat, earliest first; empty for guests.
    #[serde(default)]
    pub taken: Vec<Sitter>,
    /// Number of people with a seat.
    pub taken_count: u8,
    /// Person ids in line, first to last; empty for guests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "typescript", ts(as = "Option<Vec<String>>", optional))]
    pub waiting: Vec<String>,
    /// Number of people in line.
    #[serde(default)]
    pub waiting_count: u16,
    /// Number of people in the table's call.
    #[serde(default)]
    pub in_call: u16,
    /// Version of the table in calendars (RFC 5545 section 3.8.7.4). It grows when the table is moved.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[cfg_attr(feature = "typescript", ts(as = "Option<u32>", optional))]
    pub sequence: u32,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A person with a seat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Sitter {
    /// Person id: the device key.
    pub id: String,
    /// Display name.
    pub name: String,
    /// How they are shown.
    #[serde(default, skip_serializing_if = "Avatar::is_default")]
    #[cfg_attr(feature = "typescript", ts(as = "Option<Avatar>", optional))]
    pub avatar: Avatar,
}

impl Sitter {
    /// Somebody who is shown by their name.
    pub fn new(id: &str, name: &str) -> Sitter {
        Sitter { id: id.to_owned(), name: name.to_owned(), avatar: Avatar::default() }
    }
}

/// A person who is present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct PersonInfo {
    /// Person id: the device key.
    pub id: String,
    /// Display name.
    pub name: String,
    /// What they are doing.
    pub presence: Presence,
    /// How they are shown.
    #[serde(default, skip_serializing_if = "Avatar::is_default")]
    #[cfg_attr(feature = "typescript", ts(as = "Option<Avatar>", optional))]
    pub avatar: Avatar,
}

/// A person's wait to eat now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Waiting {
    /// Beginning of the wait, Unix milliseconds by the server's clock.
    pub since_ms: u64,
    /// Person ids to sit with.
    #[serde(default)]
    pub with: Vec<String>,
}

/// A request of a table's host in its room: `{"type":"room","do":"admit","id":"k1"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum RoomRequest {
    /// Locks the room so that nobody new can join, or unlocks it.
    Lock {
        /// Whether to lock.
        locked: bool,
    },
    /// Admits somebody who knocks.
    Admit {
        /// Their id in the lobby.
        id: ParticipantId,
    },
    /// Refuses somebody who knocks.
    Refuse {
        /// Their id in the lobby.
        id: ParticipantId,
    },
    /// Mutes somebody's microphone. Their own client does it, and they may unmute.
    Mute {
        /// The participant.
        id: ParticipantId,
    },
    /// Lowers somebody's hand.
    LowerHand {
        /// The participant.
        id: ParticipantId,
    },
    /// Shows somebody large to everybody, or nobody any longer.
    Spotlight {
        /// The participant.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<ParticipantId>,
    },
    /// Makes somebody who has a seat at the table its host.
    HandOver {
        /// The participant.
        id: ParticipantId,
    },
    /// Removes somebody and does not admit them again.
    Remove {
        /// The participant.
        id: ParticipantId,
    },
}

/// News in a table's room, or for somebody who knocks at it: `{"type":"room","news":"lobby",…}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "news", rename_all = "snake_case")]
pub enum RoomNews {
    /// The client knocks and the host has been informed. `joined` or the error `knocking_refused` follows.
    Knocking {
        /// The room.
        room: String,
    },
    /// To the host: everybody who knocks now, earliest first.
    Lobby {
        /// Everybody in the lobby.
        knocking: Vec<Knocker>,
    },
    /// To everybody in the room, when they join and when it changes.
    State {
        /// The participant who admits people: the table's host, or in their absence the one who has been in the room
        /// longest.
        host: Option<ParticipantId>,
        /// Whether nobody new may join.
        locked: bool,
        /// The participant whom the host shows large to everybody.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spotlight: Option<ParticipantId>,
    },
    /// The host asks this client to mute its microphone.
    Muted,
}

/// A person in the lobby.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Knocker {
    /// Id in the lobby, different from any participant's.
    pub id: ParticipantId,
    /// Display name.
    pub name: String,
    /// Device key.
    pub key: String,
}
