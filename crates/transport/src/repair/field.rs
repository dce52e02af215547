//! Arithmetic in GF(256) with the polynomial x^8 + x^4 + x^3 + x^2 + 1 (RFC 5510 section 8.1), and the coefficients of the
//! code.

/// Powers of the generator, repeated once, so that the sum of two logarithms is a valid index.
const EXP: [u8; 510] = tables().0;
const LOG: [u8; 256] = tables().1;

const fn tables() -> ([u8; 510], [u8; 256]) {
    let (mut exp, mut log, mut power, mut i) = ([0; 510], [0; 256], 1_u16, 0);
    while i < 255 {
        exp[i] = power as u8;
        exp[i + 255] = power as u8;
        log[power as usize] = i as u8;
        power = if power & 0x80 != 0 { power << 1 ^ 0x11d } else { power << 1 };
        i += 1;
    }
    (exp, log)
}

/// The product of two elements.
pub(super) fn mul(a: u8, b: u8) -> u8 {
    if a == 0 || b == 0 { 0 } else { EXP[usize::from(LOG[usize::from(a)]) + usize::from(LOG[usize::from(b)])] }
}

/// The inverse of an element other than 0.
pub(super) fn inverse(a: u8) -> u8 {
    EXP[255 - usize::from(LOG[usize::from(a)])]
}

/// Adds `coefficient * from` to the start of `to`, which is at least as long.
pub(super) fn add_scaled(to: &mut [u8], coefficient: u8, from: &[u8]) {
    if coefficient == 1 {
        to.iter_mut().zip(from).for_each(|(to, from)| *to ^= from);
        return;
    }
    // Products of the two halves of a byte: 32 multiplications for any length.
    let low: [u8; 16] = std::array::from_fn(|half| mul(coefficient, half as u8));
    let high: [u8; 16] = std::array::from_fn(|half| mul(coefficient, (half << 4) as u8));
    for (to, from) in to.iter_mut().zip(from) {
        *to ^= low[usize::from(from & 15)] ^ high[usize::from(from >> 4)];
    }
}

/// The coefficient of the `index`th source packet in the combination with this seed, which is not 0. Both ends compute it
/// with the finalizer of SplitMix64 (Steele et al., "Fast Splittable Pseudorandom Number Generators", 2014).
pub(super) fn coefficient(seed: u16, index: usize) -> u8 {
    let mut z = (u64::from(seed) << 16 | index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((z ^ z >> 27) % 255) as u8 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_field() {
        for a in 1..=255 {
            assert_eq!(mul(a, inverse(a)), 1);
            assert_eq!((mul(a, 1), mul(a, 0)), (a, 0));
            assert_eq!(mul(a, mul(7, 99)), mul(mul(a, 7), 99));
            assert_eq!(mul(a, 7 ^ 99), mul(a, 7) ^ mul(a, 99));
        }
    }

    #[test]
    fn a_scaled_sum_is_that_of_its_bytes() {
        for coefficient in [1, 2, 0x80, 0xff] {
            let from: Vec<u8> = (0..=255).collect();
            let mut to = vec![0x5a; 300];
            add_scaled(&mut to, coefficient, &from);
            assert!(from.iter().zip(&to).all(|(from, to)| *to == 0x5a ^ mul(coefficient, *from)));
            assert!(to[256..].iter().all(|byte| *byte == 0x5a));
        }
    }
}
