//! Statements about keys for frames that pass through a forwarder: a device's frame key for one stay, and a sender's
//! key that is sealed to somebody else's (PROTOCOL.md, *Encrypted frames*).

use super::{DOMAIN, Signer, StatementError, Stay};
use crate::forwarding::{FrameKey, SealedKey};
use crate::id::ParticipantId;
use crate::identity::{decode, encode};

/// The public half of a device's key for one stay, to which others seal theirs (X25519).
pub type FramePublicKey = [u8; 32];
/// A sender's key sealed to one other: the encapsulated key and the encrypted key with its tag (RFC 9180).
pub type Sealed = [u8; 80];

/// Who gives a sender's key to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Giving<'a> {
    /// Name of the room.
    pub room: &'a str,
    /// The sender.
    pub from: Stay,
    /// The receiver.
    pub to: Stay,
    /// The receiver's frame key.
    pub to_key: FramePublicKey,
    /// The sender's epoch.
    pub epoch: u32,
}

impl Giving<'_> {
    /// What the sealed key is bound to: HPKE's `info`, and the beginning of what is signed.
    pub fn info(&self) -> Vec<u8> {
        let mut bytes = begin(b"sender-key\0", self.room);
        append_stay(&mut bytes, &self.from);
        append_stay(&mut bytes, &self.to);
        bytes.extend_from_slice(&self.to_key);
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes
    }

    fn bytes(&self, sealed: &Sealed) -> Vec<u8> {
        let mut bytes = self.info();
        bytes.extend_from_slice(sealed);
        bytes
    }

    /// Checks the sealed key and signature that a message has. Returns the sealed key.
    ///
    /// # Errors
    /// [`StatementError::Wrong`] if it is not the sender's for exactly this receiver, room, stay, key and epoch, or if
    /// the sender is the receiver.
    pub fn verify(&self, sealed: &str, signature: &str) -> Result<Sealed, StatementError> {
        let sealed = decode(sealed).ok_or(StatementError::Wrong)?;
        let is_reflected = self.from.key == self.to.key;
        if is_reflected || self.room.contains('\0') || !self.from.key.verify(&self.bytes(&sealed), signature) {
            return Err(StatementError::Wrong);
        }
        Ok(sealed)
    }
}

impl Signer {
    /// Announces the device's frame key for the present stay.
    pub fn announce(&self, room: &str, key: &FramePublicKey) -> FrameKey {
        let signature = self.key.sign_bytes(&announcement(room, &self.stay(), key));
        FrameKey { key: encode(key), signature }
    }

    /// Checks what somebody in the room announces. Returns their frame key.
    ///
    /// # Errors
    /// [`StatementError::Wrong`] if it is not of their device for this room and stay, or of our own device.
    pub fn verify_announced(
        &self,
        room: &str,
        from: Stay,
        announced: &FrameKey,
    ) -> Result<FramePublicKey, StatementError> {
        let key = decode(&announced.key).ok_or(StatementError::Wrong)?;
        let is_own = from.key == self.stay().key;
        if is_own || room.contains('\0') || !from.key.verify(&announcement(room, &from, &key), &announced.signature) {
            return Err(StatementError::Wrong);
        }
        Ok(key)
    }

    /// Signs a sealed key for somebody who has this id. `giving.from` is the present stay.
    pub fn give(&self, to: ParticipantId, giving: &Giving<'_>, sealed: &Sealed) -> SealedKey {
        let signature = self.key.sign_bytes(&giving.bytes(sealed));
        SealedKey { to, sealed: encode(sealed), signature }
    }
}

/// The bytes that are signed to announce a key.
fn announcement(room: &str, from: &Stay, key: &FramePublicKey) -> Vec<u8> {
    let mut bytes = begin(b"frame-key\0", room);
    append_stay(&mut bytes, from);
    bytes.extend_from_slice(key);
    bytes
}

/// Every part has a fixed length, or ends with a zero byte, which it cannot contain.
fn begin(purpose: &[u8], room: &str) -> Vec<u8> {
    [DOMAIN, purpose, room.as_bytes(), b"\0"].concat()
}

fn append_stay(bytes: &mut Vec<u8>, stay: &Stay) {
    bytes.extend_from_slice(stay.key.as_bytes());
    bytes.extend_from_slice(&stay.nonce);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::DeviceKey;

    fn signer(secret: u8) -> Signer {
        Signer::new(DeviceKey::from_secret(&[secret; 32]), [secret; 32])
    }

    fn given() -> (Signer, Giving<'static>, SealedKey) {
        let ada = signer(1);
        let giving = Giving { room: "soup", from: ada.stay(), to: signer(2).stay(), to_key: [3; 32], epoch: 4 };
        let sealed = ada.give(ParticipantId("p2".into()), &giving, &[5; 80]);
        (ada, giving, sealed)
    }

    #[test]
    fn an_announced_key_is_of_one_device_room_and_stay() {
        let (mut ada, ben) = (signer(1), signer(2));
        let stay = ada.stay();
        let announced = ada.announce("soup", &[7; 32]);
        assert_eq!(ben.verify_announced("soup", stay, &announced), Ok([7; 32]));
        let wrong = Err(StatementError::Wrong);
        assert_eq!(ben.verify_announced("cake", stay, &announced), wrong);
        assert_eq!(ben.verify_announced("soup", signer(3).stay(), &announced), wrong);
        ada.begin_stay();
        assert_eq!(ben.verify_announced("soup", ada.stay(), &announced), wrong);
        assert_eq!(ada.verify_announced("soup", stay, &announced), wrong, "our own");
        let other = FrameKey { key: encode(&[8; 32]), ..announced.clone() };
        assert_eq!(ben.verify_announced("soup", stay, &other), wrong);
        for key in ["", "AAAA", "!"] {
            assert_eq!(ben.verify_announced("soup", stay, &FrameKey { key: key.into(), ..announced.clone() }), wrong);
        }
    }

    #[test]
    fn a_sealed_key_is_from_one_stay_to_one_other() {
        let (_, giving, key) = given();
        assert_eq!(giving.verify(&key.sealed, &key.signature), Ok([5; 80]));
        let refused = |giving: Giving<'_>| {
            assert_eq!(giving.verify(&key.sealed, &key.signature), Err(StatementError::Wrong), "{giving:?}");
        };
        refused(Giving { room: "cake", ..giving });
        refused(Giving { from: signer(3).stay(), ..giving });
        refused(Giving { to: signer(3).stay(), ..giving });
        refused(Giving { to_key: [4; 32], ..giving });
        refused(Giving { epoch: 5, ..giving });
        let own = Giving { to: giving.from, ..given().1 };
        refused(own);
        for sealed in [encode(&[6; 80]), encode(&[5; 79]), String::new()] {
            assert_eq!(giving.verify(&sealed, &key.signature), Err(StatementError::Wrong));
        }
    }

    #[test]
    fn each_purpose_has_bytes_of_its_own() {
        let (ada, giving, _) = given();
        let announced = announcement("soup", &ada.stay(), &[0; 32]);
        assert!(announced.starts_with(b"lunchroom-statement-v1\0frame-key\0soup\0"));
        assert!(giving.info().starts_with(b"lunchroom-statement-v1\0sender-key\0soup\0"));
        assert_eq!(announced.len(), 23 + 10 + 5 + 64 + 32);
        assert_eq!(giving.bytes(&[0; 80]).len(), 23 + 11 + 5 + 128 + 32 + 4 + 80);
    }
}
