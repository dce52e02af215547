//! What a forwarder or another participant sends in place of encrypted frames and sealed keys.

use std::time::Instant;

use e2ee::limits::MAX_OVERHEAD;
use e2ee::{FrameSecret, KeyExchange, Opener, Sealer, SenderKey, Stream};
use signaling::identity::DeviceKey;
use signaling::message::{MediaState, Participant, ParticipantId};
use signaling::statement::Signer;
use signaling::statement::frames::{Giving, Sealed};

/// A frame: as a received one, which is opened or refused, and as one to send, which is opened as the same.
///
/// Input: a byte for the stream, and the frame.
pub(crate) fn sealed_frame(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else { return };
    let stream = Stream::ALL[usize::from(*first) % Stream::ALL.len()];
    let (now, key) = (Instant::now(), SenderKey::new(1, [7; 32].into()));
    let mut opener = Opener::new(stream);
    opener.accept(now, &SenderKey::new(0, [6; 32].into()));
    opener.accept(now, &key);
    let (mut frame, mut sealed) = (Vec::new(), Vec::new());
    match opener.open(now, bytes, &mut frame) {
        Ok(()) => {
            assert!(frame.len() < bytes.len() && frame.len() + MAX_OVERHEAD >= bytes.len());
            assert!(opener.open(now, bytes, &mut frame).is_err(), "a second time");
        }
        Err(_) => assert!(frame.is_empty()),
    }
    let mut opener = Opener::new(stream);
    opener.accept(now, &key);
    let mut sealer = Sealer::new(&key, stream).expect("a key");
    if sealer.seal(bytes, &mut sealed).is_ok() {
        assert_eq!(opener.open(now, &sealed, &mut frame), Ok(()));
        assert_eq!(frame, bytes);
    }
}

/// A sealed key and its signature: from somebody in the room, and to the secret behind the signature.
///
/// Input: a line for the signature, and the sealed key as bytes and as text.
pub(crate) fn sealed_key(data: &[u8]) {
    let line = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (signature, sealed) = data.split_at(line);
    let sealed = sealed.get(1..).unwrap_or_default();
    let (ada, ben) = (signer(1), signer(2));
    let secret = FrameSecret::derive(&[3; 32]);
    let giving = Giving { room: "soup", from: ada.stay(), to: ben.stay(), to_key: secret.public(), epoch: 1 };
    if let Some(bytes) = sealed.first_chunk::<80>() {
        let bytes: &Sealed = bytes;
        assert!(secret.open(&giving, bytes).is_none_or(|key| key.epoch() == 1));
    }
    let mut keys = KeyExchange::new(ben, "soup", [4; 32]);
    let id = ParticipantId("p1".into());
    keys.joined(Instant::now(), &participant(&id, &ada));
    let received = keys.receive(&id, 1, &String::from_utf8_lossy(sealed), &String::from_utf8_lossy(signature));
    assert!(received.is_err(), "sealed to another key");
}

fn signer(secret: u8) -> Signer {
    Signer::new(DeviceKey::from_secret(&[secret; 32]), [secret; 32])
}

fn participant(id: &ParticipantId, signer: &Signer) -> Participant {
    let stay = signer.stay();
    Participant {
        id: id.clone(),
        name: "x".into(),
        key: stay.key.to_string(),
        nonce: Some(stay.nonce_text()),
        media: MediaState::default(),
        hand: None,
        avatar: Default::default(),
    }
}
