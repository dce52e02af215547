//! Parses text frames into messages: first the size, then JSON, then the limits of the protocol.
//!
//! Parsed messages are within every limit, and their names and chat are clean, so that no later code can forget to
//! check. A rejection keeps the frame's numbers if it had any, because a rejected message counts like any other.

mod account;
mod board;
mod forwarding;
mod order;
mod rounds;

use serde::Deserialize;

use crate::limits::{
    MAX_CANDIDATE_BYTES, MAX_CLIENT_BYTES, MAX_FEATURE_BYTES, MAX_FEATURES, MAX_FRAME_BYTES, MAX_ICE_SERVERS,
    MAX_ID_BYTES, MAX_MID_BYTES, MAX_SDP_BYTES, MAX_SENDER_KEYS, MAX_SIGNATURE_BYTES, is_invite, is_room_name,
};
use crate::message::{
    ClientMessage, Envelope, ErrorCode, Hello, IceCandidate, Participant, ParticipantId, Reaction, ServerMessage,
};
use crate::text::{ChatError, clean_chat, clean_name, shown_name};

/// A frame that is not a valid message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("message {seq} refused: {code:?}")]
pub struct Rejected {
    /// Error code for the answer.
    pub code: ErrorCode,
    /// The frame's number, for the `about` of the answer; 0 if it had none.
    pub seq: u64,
    /// The frame's acknowledgement, 0 if it had none.
    pub ack: u64,
}

impl From<Rejected> for ErrorCode {
    fn from(rejected: Rejected) -> ErrorCode {
        rejected.code
    }
}

/// Parses a message from a client. `hello` has `seq` and `ack` 0.
pub fn client_message(text: &str) -> Result<Envelope<ClientMessage>, Rejected> {
    let mut envelope: Envelope<ClientMessage> = decode(text)?;
    match check_client(&mut envelope.message) {
        Ok(()) => Ok(envelope),
        Err(code) => Err(Rejected { code, seq: envelope.seq, ack: envelope.ack }),
    }
}

/// Parses a message from a server. `challenge`, `welcome` and `resumed` have `seq` and `ack` 0.
///
/// Names of participants are cleaned for display, whatever the server accepted.
pub fn server_message(text: &str) -> Result<Envelope<ServerMessage>, Rejected> {
    let mut envelope: Envelope<ServerMessage> = decode(text)?;
    match check_server(&mut envelope.message) {
        Ok(()) => Ok(envelope),
        Err(code) => Err(Rejected { code, seq: envelope.seq, ack: envelope.ack }),
    }
}

/// Checks the limits of a client's message and cleans its texts. A client calls this before it sends.
pub fn check_client(message: &mut ClientMessage) -> Result<(), ErrorCode> {
    match message {
        ClientMessage::Hello(hello) => check_hello(hello),
        ClientMessage::Join { room, media: _, invite, nonce } => {
            require(is_room_name(room), ErrorCode::BadRoom)?;
            require(nonce.as_ref().map_or(0, String::len) <= MAX_ID_BYTES, ErrorCode::TooLarge)?;
            require(invite.as_deref().is_none_or(is_invite), ErrorCode::Malformed)
        }
        ClientMessage::Offer { to, sdp, signature } | ClientMessage::Answer { to, sdp, signature } => {
            check_id(to)?;
            check_description(sdp, signature.as_deref())
        }
        ClientMessage::Candidate { to, candidate } => {
            check_id(to)?;
            check_candidate(candidate)
        }
        ClientMessage::EndOfCandidates { to }
        | ClientMessage::Resolution { to, most: _ }
        | ClientMessage::CheckConnection { to } => check_id(to),
        ClientMessage::ConnectionReport { to, report } => {
            check_id(to)?;
            require(report.is_valid(), ErrorCode::Malformed)
        }
        ClientMessage::View { pictures } => forwarding::check_view(pictures),
        ClientMessage::FrameKey(key) => forwarding::check_frame_key(key),
        ClientMessage::SenderKeys { epoch: _, keys } => forwarding::check_sender_keys(keys),
        ClientMessage::Chat { text } => match clean_chat(text) {
            Ok(clean) => {
                *text = clean;
                Ok(())
            }
            Err(ChatError::TooLong) => Err(ErrorCode::TooLarge),
            Err(ChatError::Empty) => Err(ErrorCode::Malformed),
        },
        ClientMessage::Reaction { reaction } => require(*reaction != Reaction::Unknown, ErrorCode::Malformed),
        ClientMessage::Board(request) => board::check_request(request),
        ClientMessage::Room(request) => board::check_room_request(request),
        ClientMessage::Account(request) => account::check_request(request),
        ClientMessage::Leave
        | ClientMessage::Media(_)
        | ClientMessage::Hand { .. }
        | ClientMessage::Ping { .. }
        | ClientMessage::Ack => Ok(()),
    }
}

fn check_hello(hello: &mut Hello) -> Result<(), ErrorCode> {
    hello.name = clean_name(&hello.name).map_err(|_| ErrorCode::BadName)?;
    require(hello.client.len() <= MAX_CLIENT_BYTES, ErrorCode::TooLarge)?;
    hello.client.retain(|c| !c.is_control());
    hello.features.retain(|feature| feature.len() <= MAX_FEATURE_BYTES);
    hello.features.truncate(MAX_FEATURES);
    require(hello.member.as_ref().map_or(0, String::len) <= MAX_ID_BYTES, ErrorCode::TooLarge)?;
    let session = hello.resume.as_ref().map_or(0, |resume| resume.session.0.len());
    require(session <= MAX_ID_BYTES, ErrorCode::TooLarge)
}

fn check_server(message: &mut ServerMessage) -> Result<(), ErrorCode> {
    match message {
        ServerMessage::Welcome(welcome) => {
            welcome.ice_servers.truncate(MAX_ICE_SERVERS);
            account::check_info(welcome.account.as_mut())?;
            require(welcome.session.0.len() <= MAX_ID_BYTES, ErrorCode::TooLarge)
        }
        ServerMessage::Resumed { received: _, ice_servers } => {
            ice_servers.truncate(MAX_ICE_SERVERS);
            Ok(())
        }
        ServerMessage::Joined { room, you, participants } => {
            require(is_room_name(room), ErrorCode::BadRoom)?;
            check_id(you)?;
            participants.iter_mut().try_for_each(check_participant)
        }
        ServerMessage::ParticipantJoined { participant } => check_participant(participant),
        ServerMessage::ParticipantLeft { id, .. } | ServerMessage::ParticipantConnection { id, .. } => check_id(id),
        ServerMessage::Offer { from, sdp, signature } | ServerMessage::Answer { from, sdp, signature } => {
            check_id(from)?;
            check_description(sdp, signature.as_deref())
        }
        ServerMessage::Candidate { from, candidate } => {
            check_id(from)?;
            check_candidate(candidate)
        }
        ServerMessage::EndOfCandidates { from }
        | ServerMessage::Resolution { from, .. }
        | ServerMessage::CheckConnection { from }
        | ServerMessage::Media { from, .. }
        | ServerMessage::Hand { from, .. }
        | ServerMessage::Reaction { from, .. } => check_id(from),
        ServerMessage::Avatar { from, avatar } => {
            avatar.clean();
            check_id(from)
        }
        ServerMessage::ConnectionReport { from, report } => {
            check_id(from)?;
            require(report.is_valid(), ErrorCode::Malformed)
        }
        ServerMessage::Slots { slots, displayed: _ } => forwarding::check_slots(slots),
        ServerMessage::FrameKey { from, key } => {
            check_id(from)?;
            forwarding::check_frame_key(key)
        }
        ServerMessage::SenderKey { from, epoch: _, sealed, signature } => {
            check_id(from)?;
            forwarding::check_sealed(sealed, signature)
        }
        ServerMessage::SenderKeysUndelivered { epoch: _, to } => {
            to.truncate(MAX_SENDER_KEYS);
            to.iter().try_for_each(check_id)
        }
        ServerMessage::Chat { from, text, at: _ } => {
            check_id(from)?;
            *text = clean_chat(text).map_err(|_| ErrorCode::Malformed)?;
            Ok(())
        }
        ServerMessage::Board(news) => board::check_news(news),
        ServerMessage::Room(news) => board::check_room_news(news),
        ServerMessage::Account(news) => account::check_news(news),
        ServerMessage::Challenge { .. }
        | ServerMessage::Forwarded { .. }
        | ServerMessage::Left { .. }
        | ServerMessage::Pong { .. }
        | ServerMessage::Ack
        | ServerMessage::Error(_)
        | ServerMessage::Bye { .. } => Ok(()),
    }
}

fn check_participant(participant: &mut Participant) -> Result<(), ErrorCode> {
    participant.name = shown_name(&participant.name);
    participant.avatar.clean();
    require(participant.key.len() <= MAX_ID_BYTES, ErrorCode::TooLarge)?;
    require(participant.nonce.as_ref().map_or(0, String::len) <= MAX_ID_BYTES, ErrorCode::TooLarge)?;
    check_id(&participant.id)
}

fn check_description(sdp: &str, signature: Option<&str>) -> Result<(), ErrorCode> {
    let fits = sdp.len() <= MAX_SDP_BYTES && signature.map_or(0, str::len) <= MAX_SIGNATURE_BYTES;
    require(fits, ErrorCode::TooLarge)
}

fn check_id(id: &ParticipantId) -> Result<(), ErrorCode> {
    require(id.0.len() <= MAX_ID_BYTES, ErrorCode::TooLarge)
}

/// Checks the id of a table or person.
fn check_text(id: &str) -> Result<(), ErrorCode> {
    require(id.len() <= MAX_ID_BYTES, ErrorCode::TooLarge)
}

fn check_candidate(candidate: &IceCandidate) -> Result<(), ErrorCode> {
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    require(
        candidate.candidate.len() <= MAX_CANDIDATE_BYTES
            && length(&candidate.sdp_mid) <= MAX_MID_BYTES
            && length(&candidate.username_fragment) <= MAX_MID_BYTES,
        ErrorCode::TooLarge,
    )
}

fn require(condition: bool, code: ErrorCode) -> Result<(), ErrorCode> {
    if condition { Ok(()) } else { Err(code) }
}

fn decode<'a, M: Deserialize<'a>>(text: &'a str) -> Result<Envelope<M>, Rejected> {
    if text.len() > MAX_FRAME_BYTES {
        return Err(Rejected { code: ErrorCode::TooLarge, seq: 0, ack: 0 });
    }
    serde_json::from_str(text).map_err(|_| {
        let head: Head = serde_json::from_str(text).unwrap_or_default();
        Rejected { code: ErrorCode::Malformed, seq: head.seq, ack: head.ack }
    })
}

/// The numbers of a frame whose message this version cannot parse.
#[derive(Default, Deserialize)]
struct Head {
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    ack: u64,
}

#[cfg(test)]
mod tests;
