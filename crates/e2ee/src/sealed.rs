//! Sender keys that are sealed to one receiver by HPKE (RFC 9180, base mode).
//!
//! Who sealed a key is proved by the device's signature, which covers everything that the key is bound to
//! (`signaling::statement::frames`). The same bytes are HPKE's `info`, so nobody can sign somebody else's sealed key
//! as their own.

use std::fmt;

use hpke::aead::AesGcm128;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable, single_shot_open, single_shot_seal_with_rng};
use signaling::statement::frames::{FramePublicKey, Giving, Sealed};
use zeroize::Zeroizing;

use crate::random::Random;
use crate::sender_key::SenderKey;

type Private = <X25519HkdfSha256 as Kem>::PrivateKey;
type Public = <X25519HkdfSha256 as Kem>::PublicKey;
type Encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey;

/// Bytes of the encapsulated key, with which a sealed key begins.
const ENCAPSULATED: usize = 32;

/// The secret half of a device's frame key, for one stay. It is erased when it is dropped.
pub struct FrameSecret {
    private: Private,
    public: FramePublicKey,
}

impl FrameSecret {
    /// Derives the pair from 32 random bytes that nobody else knows (RFC 9180 section 7.1.3).
    pub fn derive(random: &[u8; 32]) -> FrameSecret {
        let (private, public) = X25519HkdfSha256::derive_keypair(random);
        FrameSecret { private, public: public.to_bytes().into() }
    }

    /// The public half, which is announced.
    pub fn public(&self) -> FramePublicKey {
        self.public
    }

    /// Opens a key that was sealed to this one. Returns `None` if it was not, or is bound to something else.
    pub fn open(&self, giving: &Giving<'_>, sealed: &Sealed) -> Option<SenderKey> {
        let (encapsulated, encrypted) = sealed.split_at(ENCAPSULATED);
        let encapsulated = Encapsulated::from_bytes(encapsulated).ok()?;
        let info = giving.info();
        let opened = single_shot_open::<AesGcm128, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.private,
            &encapsulated,
            &info,
            encrypted,
            &[],
        );
        let opened = Zeroizing::new(opened.ok()?);
        let base: [u8; 32] = opened.as_slice().try_into().ok()?;
        Some(SenderKey::new(giving.epoch, Zeroizing::new(base)))
    }
}

impl fmt::Debug for FrameSecret {
    /// Does not show the secret half.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameSecret").field("public", &self.public).finish_non_exhaustive()
    }
}

/// Seals a key to one receiver. Returns `None` if their frame key is of small order.
pub(crate) fn seal(random: &mut Random, giving: &Giving<'_>, key: &SenderKey) -> Option<Sealed> {
    let receiver = Public::from_bytes(&giving.to_key).ok()?;
    let info = giving.info();
    let (encapsulated, encrypted) = single_shot_seal_with_rng::<AesGcm128, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &receiver,
        &info,
        key.base(),
        &[],
        random,
    )
    .ok()?;
    [encapsulated.to_bytes().as_slice(), &encrypted].concat().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use signaling::identity::DeviceKey;
    use signaling::statement::{Signer, Stay};

    fn stay(secret: u8) -> Stay {
        Signer::new(DeviceKey::from_secret(&[secret; 32]), [secret; 32]).stay()
    }

    fn giving(to: &FrameSecret) -> Giving<'static> {
        Giving { room: "soup", from: stay(1), to: stay(2), to_key: to.public(), epoch: 3 }
    }

    #[test]
    fn only_the_receiver_opens_a_sealed_key() {
        let (ben, eve) = (FrameSecret::derive(&[2; 32]), FrameSecret::derive(&[3; 32]));
        let key = SenderKey::new(3, Zeroizing::new([7; 32]));
        let giving = giving(&ben);
        let sealed = seal(&mut Random::new([1; 32]), &giving, &key).expect("a key");
        assert_eq!(ben.open(&giving, &sealed), Some(key.clone()));
        assert_eq!(eve.open(&giving, &sealed), None);
        assert!(!sealed.windows(8).any(|window| window == [7; 8]));
        let second = seal(&mut Random::new([2; 32]), &giving, &key);
        assert_ne!(second, Some(sealed), "each is sealed with a key of its own");
    }

    #[test]
    fn a_sealed_key_is_bound_to_what_it_is_for() {
        let ben = FrameSecret::derive(&[2; 32]);
        let giving = giving(&ben);
        let key = SenderKey::new(3, Zeroizing::new([7; 32]));
        let sealed = seal(&mut Random::new([1; 32]), &giving, &key).expect("a key");
        let others = [
            Giving { room: "cake", ..giving },
            Giving { from: stay(9), ..giving },
            Giving { to: stay(9), ..giving },
            Giving { to_key: [9; 32], ..giving },
            Giving { epoch: 4, ..giving },
        ];
        for other in others {
            assert_eq!(ben.open(&other, &sealed), None, "{other:?}");
        }
        for at in 0..sealed.len() {
            let mut changed = sealed;
            changed[at] ^= 4;
            assert_eq!(ben.open(&giving, &changed), None, "{at}");
        }
    }

    #[test]
    fn nothing_is_sealed_to_a_key_of_small_order() {
        let ben = FrameSecret::derive(&[2; 32]);
        let giving = Giving { to_key: [0; 32], ..giving(&ben) };
        let key = SenderKey::new(3, Zeroizing::new([7; 32]));
        assert_eq!(seal(&mut Random::new([1; 32]), &giving, &key), None);
    }

    #[test]
    fn debug_output_hides_the_secret() {
        let secret = FrameSecret::derive(&[2; 32]);
        assert_eq!(format!("{secret:?}"), format!("FrameSecret {{ public: {:?}, .. }}", secret.public()));
    }
}
