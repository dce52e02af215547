//! The code by which two people find out, by voice, whether somebody is between them.
//!
//! The server announces the participants' keys, so it could announce keys of its own. Each side computes a code from
//! both keys. With somebody in between, the two sides have different pairs of keys, and their codes differ.
//! PROTOCOL.md, *Comparing keys*, says how much work it takes to find keys whose codes agree.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::identity::PublicKey;

/// Numbers of a code. Each stands for one of 256 words.
pub const NUMBERS: usize = 10;
/// Iterations of PBKDF2: about a quarter of a second, to make a search for similar codes costly.
const ITERATIONS: u32 = 1 << 19;
const SALT: &[u8] = b"lunchroom-comparison-v1";

/// Computes the code of two keys, in either order. This takes about a quarter of a second, and in a build without
/// optimisation some seconds.
///
/// It is the beginning of PBKDF2-HMAC-SHA256 (RFC 8018 section 5.2) over both keys, the smaller one first.
pub fn code(one: PublicKey, other: PublicKey) -> [u8; NUMBERS] {
    let (low, high) = if one.as_bytes() <= other.as_bytes() { (one, other) } else { (other, one) };
    let password = [*low.as_bytes(), *high.as_bytes()].concat();
    let block = pbkdf2_block(&password);
    std::array::from_fn(|index| block[index])
}

/// The first block of PBKDF2. The password is hashed into the key of HMAC once, not in each iteration.
fn pbkdf2_block(password: &[u8]) -> [u8; 32] {
    // HMAC accepts keys of any length, so this never fails.
    let Ok(keyed) = <Hmac<Sha256> as Mac>::new_from_slice(password) else { return [0; 32] };
    let mac = |bytes: &[u8]| -> [u8; 32] { keyed.clone().chain_update(bytes).finalize().into_bytes().into() };
    let mut last = mac(&[SALT, &1u32.to_be_bytes()].concat());
    let mut block = last;
    for _ in 1..ITERATIONS {
        last = mac(&last);
        block.iter_mut().zip(last).for_each(|(sum, byte)| *sum ^= byte);
    }
    block
}
