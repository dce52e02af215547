//! Splits an Annex B access unit into NAL units, and reads size and colour from a sequence parameter set.
//!
//! ITU-T H.264: annex B, sections 7.3.1, 7.3.2.1.1 and E.1.1. openh264 does not report the colour, and it reports the
//! size only after it has allocated memory for it.

use crate::video::{DecodeError, check_size};
use media::frame::{Color, Matrix};

/// `nal_unit_type` of a slice of a picture that is not a keyframe.
pub(super) const SLICE: u8 = 1;
/// `nal_unit_type` of a slice of an instantaneous decoder refresh, a keyframe.
pub(super) const IDR: u8 = 5;
/// `nal_unit_type` of a sequence parameter set.
pub(super) const SPS: u8 = 7;

/// The NAL units, without start codes.
pub(super) fn nal_units(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(data);
    std::iter::from_fn(move || {
        let unit = rest?;
        let next = start_code(unit);
        rest = next.map(|at| &unit[at + 3..]);
        Some(&unit[..next.unwrap_or(unit.len())])
    })
    .map(trim)
    .filter(|unit| !unit.is_empty())
}

/// The type of a NAL unit.
pub(super) fn nal_type(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |header| header & 0x1f)
}

/// The fields of a sequence parameter set that are used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sps {
    /// The colour; limited-range BT.601 if unspecified.
    pub(super) color: Color,
    /// Coded size in pixels, before cropping.
    pub(super) coded: (u32, u32),
}

impl Sps {
    /// Parses a unit with its header byte. Fails for profiles that this project never offers, and for frames above the
    /// bounds.
    pub(super) fn parse(unit: &[u8]) -> Result<Self, DecodeError> {
        let payload = without_emulation_prevention(unit.get(1..).unwrap_or(&[]));
        let mut bits = Bits { data: &payload, at: 0 };
        let profile = bits.read(8)?;
        bits.read(16)?; // constraints and level
        bits.ue()?;
        if HAS_CHROMA_FORMAT.contains(&profile) {
            bits.high_profile()?;
        }
        bits.ue()?; // log2_max_frame_num_minus4
        bits.picture_order_count()?;
        bits.ue()?; // max_num_ref_frames
        bits.read(1)?;
        let (columns, rows) = (bits.ue()?.saturating_add(1), bits.ue()?.saturating_add(1));
        let fields = 1 - bits.read(1)?;
        if fields == 1 {
            bits.read(1)?;
        }
        let coded = (columns.saturating_mul(16), rows.saturating_mul(16).saturating_mul(1 + fields));
        // Cropping may reduce the coded size by less than a pair of macroblocks.
        check_size(coded.0.saturating_sub(15), coded.1.saturating_sub(31).max(1)).map_err(|error| match error {
            DecodeError::TooLarge { .. } => DecodeError::TooLarge { width: coded.0, height: coded.1 },
            other => other,
        })?;
        bits.read(1)?; // direct_8x8_inference_flag
        if bits.read(1)? == 1 {
            for _ in 0..4 {
                bits.ue()?;
            }
        }
        let color = if bits.read(1)? == 1 { bits.vui_color()? } else { Color::default() };
        Ok(Sps { color, coded })
    }
}

/// Profiles whose SPS contains the chroma format, section 7.3.2.1.1.
const HAS_CHROMA_FORMAT: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn read(&mut self, count: usize) -> Result<u32, DecodeError> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.data.get(self.at / 8).ok_or(DecodeError::Corrupt)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Ok(value)
    }

    /// Reads an unsigned Exp-Golomb code of up to 32 bits, section 9.1.
    fn ue(&mut self) -> Result<u32, DecodeError> {
        let mut zeros = 0;
        while self.read(1)? == 0 {
            zeros += 1;
            if zeros > 31 {
                return Err(DecodeError::Corrupt);
            }
        }
        Ok((1u32 << zeros) - 1 + self.read(zeros)?)
    }

    /// Reads a signed Exp-Golomb code. Its value matters only in scaling lists.
    fn se(&mut self) -> Result<i64, DecodeError> {
        let code = i64::from(self.ue()?);
        Ok(if code % 2 == 1 { (code + 1) / 2 } else { -code / 2 })
    }

    fn high_profile(&mut self) -> Result<(), DecodeError> {
        let chroma_format = self.ue()?;
        let (luma_extra, chroma_extra) = match chroma_format {
            1 => (self.ue()?, self.ue()?),
            _ => return Err(DecodeError::Unsupported),
        };
        if luma_extra != 0 || chroma_extra != 0 {
            return Err(DecodeError::Unsupported);
        }
        self.read(1)?;
        if self.read(1)? == 1 {
            for list in 0..8 {
                if self.read(1)? == 1 {
                    self.scaling_list(if list < 6 { 16 } else { 64 })?;
                }
            }
        }
        Ok(())
    }

    fn scaling_list(&mut self, len: usize) -> Result<(), DecodeError> {
        let (mut last, mut next) = (8, 8);
        for _ in 0..len {
            if next != 0 {
                next = (last + self.se()?).rem_euclid(256);
            }
            last = if next == 0 { last } else { next };
        }
        Ok(())
    }

    fn picture_order_count(&mut self) -> Result<(), DecodeError> {
        match self.ue()? {
            0 => {
                self.ue()?;
            }
            1 => {
                self.read(1)?;
                self.se()?;
                self.se()?;
                for _ in 0..self.ue()?.min(255) {
                    self.se()?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Reads the beginning of `vui_parameters`, up to the matrix coefficients.
    fn vui_color(&mut self) -> Result<Color, DecodeError> {
        const EXTENDED_SAR: u32 = 255;
        if self.read(1)? == 1 && self.read(8)? == EXTENDED_SAR {
            self.read(32)?;
        }
        if self.read(1)? == 1 {
            self.read(1)?; // overscan
        }
        if self.read(1)? == 0 {
            return Ok(Color::default());
        }
        self.read(3)?; // video_format
        let full_range = self.read(1)? == 1;
        let matrix = match self.read(1)? {
            0 => Matrix::Bt601,
            _ => match self.read(24)? & 0xff {
                1 => Matrix::Bt709,
                _ => Matrix::Bt601,
            },
        };
        Ok(Color { matrix, full_range })
    }
}

fn start_code(data: &[u8]) -> Option<usize> {
    data.windows(3).position(|three| three == [0, 0, 1])
}

fn after_start_code(data: &[u8]) -> Option<&[u8]> {
    start_code(data).map(|at| &data[at + 3..])
}

/// Removes trailing zero bytes, which belong to the next start code or are padding.
fn trim(unit: &[u8]) -> &[u8] {
    let end = unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &unit[..end]
}

fn without_emulation_prevention(data: &[u8]) -> Vec<u8> {
    let mut zeros = 0;
    let mut out = Vec::with_capacity(data.len());
    for &byte in data {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nal_units_are_found_after_both_start_codes() {
        let data = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 0, 1, 0x65, 9];
        let units: Vec<&[u8]> = nal_units(&data).collect();
        assert_eq!(units, [&[0x67, 1, 2][..], &[0x68, 3], &[0x65, 9]]);
        assert_eq!(nal_units(&[1, 2, 3]).count(), 0);
        assert_eq!(nal_units(&[0, 0, 1]).count(), 0);
    }

    #[test]
    fn range_and_matrix_are_parsed_from_the_vui() {
        for (full_range, code, matrix) in
            [(false, 1, Matrix::Bt709), (true, 6, Matrix::Bt601), (true, 1, Matrix::Bt709)]
        {
            let unit = Writer::sps(80, 45, Some((full_range, code)));
            let sps = Sps::parse(&unit).expect("valid");
            assert_eq!(sps, Sps { color: Color { matrix, full_range }, coded: (1280, 720) });
        }
        assert_eq!(Sps::parse(&Writer::sps(20, 15, None)).expect("valid").color, Color::default());
    }

    #[test]
    fn a_frame_above_the_bound_is_refused_and_1080p_is_not() {
        assert!(matches!(Sps::parse(&Writer::sps(1000, 1000, None)), Err(DecodeError::TooLarge { .. })));
        assert!(Sps::parse(&Writer::sps(120, 68, None)).is_ok());
        assert!(Sps::parse(&Writer::sps(256, 144, None)).is_ok());
    }

    #[test]
    fn every_truncation_is_an_error_or_parses() {
        let unit = Writer::sps(80, 45, Some((true, 1)));
        for len in 0..unit.len() {
            let _ = Sps::parse(&unit[..len]); // must not panic
        }
        assert_eq!(Sps::parse(&unit[..6]), Err(DecodeError::Corrupt));
    }

    /// Writes parameter sets bit by bit.
    #[derive(Default)]
    struct Writer(Vec<bool>);

    impl Writer {
        fn sps(columns: u32, rows: u32, color: Option<(bool, u32)>) -> Vec<u8> {
            let mut w = Writer::default();
            w.bits(8, 0x67).bits(8, 66).bits(8, 0xe0).bits(8, 31).ue(0);
            w.ue(0).ue(2).ue(1).bits(1, 0).ue(columns - 1).ue(rows - 1).bits(1, 1).bits(1, 1).bits(1, 0);
            match color {
                None => w.bits(1, 0),
                Some((full, matrix)) => {
                    w.bits(1, 1).bits(1, 0).bits(1, 0).bits(1, 1).bits(3, 5).bits(1, u32::from(full)).bits(1, 1);
                    w.bits(8, matrix).bits(8, matrix).bits(8, matrix)
                }
            };
            w.bits(1, 1);
            w.0.chunks(8)
                .map(|b| b.iter().enumerate().fold(0, |sum, (n, bit)| sum | u8::from(*bit) << (7 - n)))
                .collect()
        }

        fn bits(&mut self, count: u32, value: u32) -> &mut Self {
            self.0.extend((0..count).rev().map(|n| value >> n & 1 == 1));
            self
        }

        fn ue(&mut self, value: u32) -> &mut Self {
            let len = (value + 1).ilog2();
            self.bits(len, 0).bits(len + 1, value + 1)
        }
    }
}
