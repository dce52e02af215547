//! People with device keys, whose descriptions are signed.

#![allow(dead_code)] // each test binary uses another part

use call::{Command, Input, Output};
use signaling::avatar::Avatar;
use signaling::identity::{DeviceKey, decode_nonce};
use signaling::message::{ClientMessage, MediaState, Participant, ParticipantId, ServerMessage};
use signaling::statement::{Fingerprint, Signer, Stay};

/// The certificate that [`sdp`] names.
pub(crate) const CERTIFICATE: Fingerprint = Fingerprint([7; 32]);

/// Signs for the person whose call is tested.
pub(crate) fn signer() -> Signer {
    Signer::new(DeviceKey::from_secret(&[255; 32]), [255; 32])
}

/// Signs for the participant with this id.
pub(crate) fn signer_of(id: &str) -> Signer {
    let mut secret = [0; 32];
    secret[..id.len()].copy_from_slice(id.as_bytes());
    Signer::new(DeviceKey::from_secret(&secret), secret)
}

pub(crate) fn participant(id: &str, name: &str, media: MediaState) -> Participant {
    let stay = signer_of(id).stay();
    let (key, nonce) = (stay.key.to_string(), Some(stay.nonce_text()));
    Participant {
        id: ParticipantId(id.into()),
        name: name.into(),
        key,
        nonce,
        media,
        hand: None,
        avatar: Avatar::default(),
    }
}

pub(crate) fn join(room: &str, media: MediaState) -> Command {
    Command::Join { room: room.into(), invite: None, media, signer: Box::new(signer()) }
}

/// A description with one certificate.
pub(crate) fn sdp() -> String {
    format!("v=0\r\na=fingerprint:sha-256 {CERTIFICATE}\r\n")
}

/// Our stay, as the call announced it with its last `join`.
pub(crate) fn own_stay(outputs: &[Output]) -> Option<Stay> {
    let nonce = outputs.iter().rev().find_map(|output| match output {
        Output::Send(ClientMessage::Join { nonce, .. }) => decode_nonce(nonce.as_deref()?),
        _ => None,
    })?;
    Some(Stay { key: signer().stay().key, nonce })
}

/// An offer of a participant, signed for somebody.
pub(crate) fn offer(from: &str, room: &str, to: Stay) -> ServerMessage {
    let signature = signer_of(from).sign(room, to, &sdp());
    ServerMessage::Offer { from: ParticipantId(from.into()), sdp: sdp(), signature }
}

/// An input from the server.
pub(crate) fn message(message: ServerMessage) -> Input {
    Input::Signal(call::Signal::Message(message))
}
