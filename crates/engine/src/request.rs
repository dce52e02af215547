//! Requests of the engine's handle and of the feeds to the driver.

use crate::config::Command;
use crate::stats::EngineStats;
use crate::view::{Picture, Problem, Tile};
use media::slot::FrameSlot;
use signaling::account::{AccountDevice, AccountRequest};
use signaling::board::{AboutMe, BoardRequest, CalendarToken, OrderBook};
use signaling::message::ParticipantId;
use std::path::PathBuf;
use tokio::sync::oneshot;

/// The server's answer to a request about the board or the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BoardAnswer {
    /// The request took effect and is stored.
    Done,
    /// The requested invite.
    Invite {
        /// Room.
        room: String,
        /// Token.
        invite: String,
        /// The end of its validity, in Unix milliseconds.
        expires_ms: u64,
    },
    /// What the server holds about this person.
    AboutMe(Box<AboutMe>),
    /// Reports, suspensions and acts, for a steward.
    OrderBook(Box<OrderBook>),
    /// The devices of the person's account.
    Devices(Vec<AccountDevice>),
    /// The requested photo: a JPEG, base64url.
    Photo(String),
    /// The address of the person's calendar.
    Calendar {
        /// The secret part of it.
        token: CalendarToken,
    },
}

/// The sender for the answer to a request.
pub(crate) type Answer = oneshot::Sender<Result<BoardAnswer, Problem>>;

/// A request to the driver, with the sender for its answer.
pub(crate) enum Request {
    Command(Command),
    Picture(Picture, oneshot::Sender<Option<FrameSlot>>),
    /// The tiles that the window of this feed displays. `None`: the feed has ended.
    Tiles(u64, Option<Vec<Tile>>),
    Stats(oneshot::Sender<EngineStats>),
    Board(BoardRequest, Answer),
    Account(AccountRequest, Answer),
    /// Offers files to these participants.
    Offer(Vec<PathBuf>, Vec<ParticipantId>, oneshot::Sender<Result<(), Problem>>),
    /// The path of a received file, by the transfer's id.
    Received(String, oneshot::Sender<Option<PathBuf>>),
    Chat(String, oneshot::Sender<Result<u64, Problem>>),
    End(oneshot::Sender<()>),
}
