//! The ciphers of SRTP (RFC 3711, RFC 7714).

use std::fmt;

use aes::cipher::{BlockCipherEncrypt, InnerIvInit, KeyInit, StreamCipher, StreamCipherCoreWrapper};
use ctr::CtrCore;
use ctr::flavors::Ctr128BE;
use ring::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use str0m::crypto::CryptoError;
use str0m::crypto::{
    AeadAes128GcmCipher, AeadAes256GcmCipher, Aes128CmSha1_80Cipher, SrtpProvider, SupportedAeadAes128Gcm,
    SupportedAeadAes256Gcm, SupportedAes128CmSha1_80,
};

/// Length of the authentication tag of AES-GCM in bytes.
const TAG: usize = 16;

#[derive(Debug)]
pub(super) struct Srtp;

impl SrtpProvider for Srtp {
    fn aes_128_cm_sha1_80(&self) -> &'static dyn SupportedAes128CmSha1_80 {
        &Srtp
    }

    fn aead_aes_128_gcm(&self) -> &'static dyn SupportedAeadAes128Gcm {
        &Srtp
    }

    fn aead_aes_256_gcm(&self) -> &'static dyn SupportedAeadAes256Gcm {
        &Srtp
    }

    fn srtp_aes_128_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        encrypt_block(aes::Aes128::new_from_slice(key).ok(), input, output);
    }

    fn srtp_aes_256_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        encrypt_block(aes::Aes256::new_from_slice(key).ok(), input, output);
    }
}

/// Encrypts one block. `output` is not changed if a length is wrong, which would be an error in str0m.
fn encrypt_block<C: BlockCipherEncrypt>(cipher: Option<C>, input: &[u8], output: &mut [u8]) {
    let (Some(cipher), Ok(input)) = (cipher, input.try_into()) else { return };
    let mut block = aes::cipher::Array::clone(input);
    cipher.encrypt_block(&mut block);
    if let Some(output) = output.get_mut(..block.len()) {
        output.copy_from_slice(&block);
    }
}

impl SupportedAes128CmSha1_80 for Srtp {
    fn create_cipher(&self, key: [u8; 16], _: bool) -> Box<dyn Aes128CmSha1_80Cipher> {
        Box::new(Counter(aes::Aes128::new(&key.into())))
    }
}

impl SupportedAeadAes128Gcm for Srtp {
    fn create_cipher(&self, key: [u8; 16], _: bool) -> Box<dyn AeadAes128GcmCipher> {
        Box::new(Gcm::new(&aead::AES_128_GCM, &key))
    }
}

impl SupportedAeadAes256Gcm for Srtp {
    fn create_cipher(&self, key: [u8; 32], _: bool) -> Box<dyn AeadAes256GcmCipher> {
        Box::new(Gcm::new(&aead::AES_256_GCM, &key))
    }
}

/// AES in counter mode, which encrypts and decrypts alike (RFC 3711 section 4.1.1).
struct Counter(aes::Aes128);

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counter")
    }
}

impl Aes128CmSha1_80Cipher for Counter {
    fn encrypt(&mut self, iv: &[u8; 16], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        let output = output.get_mut(..input.len()).ok_or_else(|| refused("the output is too short"))?;
        let core = CtrCore::<_, Ctr128BE>::inner_iv_init(&self.0, iv.into());
        let written = StreamCipherCoreWrapper::from_core(core).try_apply_keystream_b2b(input, output);
        written.map_err(|_| refused("the counter has ended"))
    }

    fn decrypt(&mut self, iv: &[u8; 16], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        self.encrypt(iv, input, output)
    }
}

/// AES-GCM. `None` if the key was refused, which only happens with one of another length.
struct Gcm(Option<LessSafeKey>);

impl fmt::Debug for Gcm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gcm")
    }
}

impl Gcm {
    fn new(algorithm: &'static aead::Algorithm, key: &[u8]) -> Gcm {
        Gcm(UnboundKey::new(algorithm, key).ok().map(LessSafeKey::new))
    }

    fn key(&self) -> Result<&LessSafeKey, CryptoError> {
        self.0.as_ref().ok_or_else(|| refused("no key"))
    }

    /// Writes the encrypted input and its tag.
    fn seal(&self, iv: &[u8; 12], aad: &[u8], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        let (text, tag) = output
            .get_mut(..input.len() + TAG)
            .and_then(|output| output.split_at_mut_checked(input.len()))
            .ok_or_else(|| refused("the output is too short"))?;
        text.copy_from_slice(input);
        let nonce = Nonce::assume_unique_for_key(*iv);
        let made = self.key()?.seal_in_place_separate_tag(nonce, Aad::from(aad), text);
        tag.copy_from_slice(made.map_err(|_| refused("not encrypted"))?.as_ref());
        Ok(())
    }

    /// Writes the decrypted input and returns its length.
    fn open(&self, iv: &[u8; 12], aads: &[&[u8]], input: &[u8], output: &mut [u8]) -> Result<usize, CryptoError> {
        let length = input.len().checked_sub(TAG).ok_or_else(|| refused("the input is too short"))?;
        let (text, tag) = input.split_at(length);
        let output = output.get_mut(..length).ok_or_else(|| refused("the output is too short"))?;
        output.copy_from_slice(text);
        let tag = aead::Tag::try_from(tag).map_err(|_| refused("no tag"))?;
        let nonce = Nonce::assume_unique_for_key(*iv);
        let opened = self.key()?.open_in_place_separate_tag(nonce, Aad::from(joined(aads)), tag, output, 0..);
        opened.map(|text| text.len()).map_err(|_| refused("not authentic"))
    }
}

impl AeadAes128GcmCipher for Gcm {
    fn encrypt(&mut self, iv: &[u8; 12], aad: &[u8], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        self.seal(iv, aad, input, output)
    }

    fn decrypt(
        &mut self,
        iv: &[u8; 12],
        aads: &[&[u8]],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<usize, CryptoError> {
        self.open(iv, aads, input, output)
    }
}

impl AeadAes256GcmCipher for Gcm {
    fn encrypt(&mut self, iv: &[u8; 12], aad: &[u8], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        self.seal(iv, aad, input, output)
    }

    fn decrypt(
        &mut self,
        iv: &[u8; 12],
        aads: &[&[u8]],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<usize, CryptoError> {
        self.open(iv, aads, input, output)
    }
}

/// The associated data in one slice. RTP has one part; only SRTCP has more.
fn joined(aads: &[&[u8]]) -> Vec<u8> {
    aads.concat()
}

fn refused(why: &str) -> CryptoError {
    CryptoError::Other(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counter_mode_matches_the_keystream_of_rfc_3711() {
        // Appendix B.2: the first two blocks.
        let key = u128::from_str_radix("2b7e151628aed2a6abf7158809cf4f3c", 16).expect("a key").to_be_bytes();
        let iv = u128::from_str_radix("f0f1f2f3f4f5f6f7f8f9fafbfcfd0000", 16).expect("an iv").to_be_bytes();
        let mut keystream = [0; 32];
        let mut cipher = SupportedAes128CmSha1_80::create_cipher(&Srtp, key, true);
        cipher.encrypt(&iv, &[0; 32], &mut keystream).expect("encrypts");
        let expected = [0xe03e_ad09_35c9_5e80_e166_b16d_d92b_4eb4_u128, 0xd235_1316_2b02_d0f7_2a43_a2fe_4a5f_97ab];
        assert_eq!(keystream, expected.map(u128::to_be_bytes).concat()[..]);
    }

    #[test]
    fn a_block_is_encrypted_as_in_fips_197() {
        let key: Vec<u8> = (0..16).collect();
        let text: Vec<u8> = (0..16).map(|n| n * 0x11).collect();
        let mut output = [0; 16];
        Srtp.srtp_aes_128_ecb_round(&key, &text, &mut output);
        assert_eq!(u128::from_be_bytes(output), 0x69c4_e0d8_6a7b_0430_d8cd_b780_70b4_c55a);
    }

    #[test]
    fn gcm_opens_what_it_sealed_and_nothing_else() {
        let mut cipher = SupportedAeadAes128Gcm::create_cipher(&Srtp, [7; 16], true);
        let (mut sealed, mut opened) = ([0; 21], [0; 5]);
        cipher.encrypt(&[1; 12], b"header", b"voice", &mut sealed).expect("encrypts");
        assert_eq!(cipher.decrypt(&[1; 12], &[b"hea", b"der"], &sealed, &mut opened).expect("opens"), 5);
        assert_eq!(&opened, b"voice");
        sealed[0] ^= 1;
        assert!(cipher.decrypt(&[1; 12], &[b"header"], &sealed, &mut opened).is_err());
        assert!(cipher.decrypt(&[1; 12], &[b"header"], &sealed[..15], &mut opened).is_err());
    }
}
