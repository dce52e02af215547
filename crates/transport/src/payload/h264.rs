//! H.264 payload format (RFC 6184), packetization mode 1: single NAL units, STAP-A and FU-A. Frames are access units in
//! Annex B format in both directions.

use super::{FrameStart, MAX_PAYLOAD, Malformed, ParsedPayload, Reader, fragment_lengths};
use bytes::{BufMut, Bytes, BytesMut};
use media::encoded::EncodedFrame;

const IDR: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;
const ACCESS_UNIT_DELIMITER: u8 = 9;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// Stores the parameter sets, so that each IDR picture is sent with them.
#[derive(Debug, Default)]
pub(crate) struct Packetizer {
    sps: Option<Bytes>,
    pps: Option<Bytes>,
}

impl Packetizer {
    pub(crate) fn packetize(&mut self, frame: &EncodedFrame) -> Result<Vec<Bytes>, Malformed> {
        let units = self.units(&frame.data);
        if units.is_empty() {
            return Err(Malformed);
        }
        let mut payloads = Vec::new();
        let mut pending: Vec<Bytes> = Vec::new();
        for unit in units {
            let aggregate_len: usize = 1 + pending.iter().chain([&unit]).map(|u| 2 + u.len()).sum::<usize>();
            if aggregate_len > MAX_PAYLOAD {
                aggregate(&mut pending, &mut payloads);
            }
            if unit.len() > MAX_PAYLOAD {
                fragment(&unit, &mut payloads);
            } else {
                pending.push(unit);
            }
        }
        aggregate(&mut pending, &mut payloads);
        Ok(payloads)
    }

    /// The NAL units to send: without access unit delimiters, and with the stored parameter sets before an IDR slice that
    /// has none.
    fn units(&mut self, data: &Bytes) -> Vec<Bytes> {
        let mut units: Vec<Bytes> = split_annex_b(data).into_iter().filter(|u| is_sent(nal_type(u))).collect();
        for unit in &units {
            match nal_type(unit) {
                SPS => self.sps = Some(unit.clone()),
                PPS => self.pps = Some(unit.clone()),
                _ => {}
            }
        }
        let has = |wanted_type: u8| units.iter().any(|u| nal_type(u) == wanted_type);
        if has(IDR)
            && !has(SPS)
            && let (Some(sps), Some(pps)) = (&self.sps, &self.pps)
        {
            units.splice(0..0, [sps.clone(), pps.clone()]);
        }
        units
    }
}

pub(crate) fn parse(payload: &Bytes) -> Result<ParsedPayload, Malformed> {
    let header = *payload.first().ok_or(Malformed)?;
    if header & 0x80 != 0 {
        return Err(Malformed);
    }
    let mut data = BytesMut::with_capacity(payload.len() + 16);
    let (frame_start, keyframe) = match header & 0x1f {
        1..=23 => parse_single(payload, &mut data)?,
        STAP_A => parse_aggregate(&payload[1..], &mut data)?,
        FU_A => parse_fragment(payload, &mut data)?,
        _ => return Err(Malformed),
    };
    if data.is_empty() {
        return Err(Malformed);
    }
    Ok(ParsedPayload {
        frame_start,
        keyframe,
        temporal: 0,
        tl0_pic_idx: None,
        layer_sync: false,
        size: None,
        data: data.freeze(),
    })
}

/// Appends a single NAL unit (RFC 6184 section 5.6) to `data`. Returns whether it starts a frame, and whether it shows a
/// keyframe.
fn parse_single(unit: &[u8], data: &mut BytesMut) -> Result<(FrameStart, bool), Malformed> {
    if unit.len() < 2 {
        return Err(Malformed);
    }
    data.put_slice(&START_CODE);
    data.put_slice(unit);
    Ok((frame_start(nal_type(unit)), nal_type(unit) == IDR))
}

/// Appends the NAL units of an STAP-A without its header (RFC 6184 section 5.7.1) to `data`. Returns the same as
/// [`parse_single`].
fn parse_aggregate(units: &[u8], data: &mut BytesMut) -> Result<(FrameStart, bool), Malformed> {
    let start = frame_start(units.get(2).map_or(0, |header| header & 0x1f));
    let (mut reader, mut keyframe) = (Reader(units), false);
    while !reader.0.is_empty() {
        let len = usize::from(reader.u16()?);
        let unit = reader.0.get(..len).filter(|u| !u.is_empty()).ok_or(Malformed)?;
        keyframe |= nal_type(unit) == IDR;
        data.put_slice(&START_CODE);
        data.put_slice(unit);
        reader.skip(len)?;
    }
    Ok((start, keyframe))
}

/// Appends an FU-A (RFC 6184 section 5.8) to `data`. Returns the same as [`parse_single`].
fn parse_fragment(payload: &[u8], data: &mut BytesMut) -> Result<(FrameStart, bool), Malformed> {
    let [indicator, header, fragment @ ..] = payload else { return Err(Malformed) };
    if fragment.is_empty() {
        return Err(Malformed);
    }
    let is_first = header & 0x80 != 0;
    if is_first {
        data.put_slice(&START_CODE);
        data.put_u8(indicator & 0xe0 | header & 0x1f);
    }
    data.put_slice(fragment);
    let start = if is_first { FrameStart::Unknown } else { FrameStart::No };
    Ok((start, is_first && header & 0x1f == IDR))
}

/// Access unit delimiters and parameter sets start an access unit (H.264 section 7.4.1.2.3).
fn frame_start(first: u8) -> FrameStart {
    if matches!(first, SPS | ACCESS_UNIT_DELIMITER) { FrameStart::Yes } else { FrameStart::Unknown }
}

/// The type of a NAL unit, which includes its header octet.
fn nal_type(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |header| header & 0x1f)
}

fn is_sent(nal_type: u8) -> bool {
    (1..=23).contains(&nal_type) && nal_type != ACCESS_UNIT_DELIMITER
}

/// The NAL units of a byte stream (H.264 annex B.1), without start codes and trailing zeros.
fn split_annex_b(data: &Bytes) -> Vec<Bytes> {
    let starts: Vec<usize> = (0..data.len().saturating_sub(2)).filter(|&i| data[i..i + 3] == [0, 0, 1]).collect();
    let ends = starts.iter().skip(1).copied().chain([data.len()]);
    let units = starts.iter().zip(ends).map(|(&start, end)| {
        let unit = &data[start + 3..end];
        let len = unit.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
        data.slice_ref(&unit[..len])
    });
    units.filter(|u| !u.is_empty()).collect()
}

/// Moves the units into one payload: a single NAL unit, or an STAP-A for several.
fn aggregate(units: &mut Vec<Bytes>, payloads: &mut Vec<Bytes>) {
    if units.len() < 2 {
        payloads.append(units);
        return;
    }
    let mut payload = BytesMut::with_capacity(MAX_PAYLOAD);
    let importance = units.iter().map(|u| u[0] & 0x60).max().unwrap_or(0);
    payload.put_u8(importance | STAP_A);
    for unit in units.drain(..) {
        payload.put_u16(unit.len() as u16);
        payload.put_slice(&unit);
    }
    payloads.push(payload.freeze());
}

fn fragment(unit: &Bytes, payloads: &mut Vec<Bytes>) {
    let (header, mut rest) = (unit[0], &unit[1..]);
    let total = rest.len();
    for len in fragment_lengths(total, MAX_PAYLOAD - 2) {
        let (chunk, after) = rest.split_at(len);
        let start = if rest.len() == total { 0x80 } else { 0 };
        let end = if after.is_empty() { 0x40 } else { 0 };
        let mut payload = BytesMut::with_capacity(2 + len);
        payload.put_u8(header & 0xe0 | FU_A);
        payload.put_u8(start | end | header & 0x1f);
        payload.put_slice(chunk);
        payloads.push(payload.freeze());
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::encoded::VideoCodec;
    use std::time::Instant;

    fn frame(units: &[&[u8]]) -> EncodedFrame {
        let data: Vec<u8> = units.iter().flat_map(|u| [&START_CODE[..], u].concat()).collect();
        let (codec, data) = (VideoCodec::H264, Bytes::from(data));
        let (keyframe, layer, temporal, rtp_timestamp, width, height) = (false, 0, 0, 0, 0, 0);
        EncodedFrame {
            codec,
            data,
            keyframe,
            rtp_timestamp,
            width,
            height,
            layer,
            temporal,
            time: Instant::now(),
            captured: None,
            source: None,
        }
    }

    fn join(payloads: &[Bytes]) -> Vec<u8> {
        payloads.iter().flat_map(|p| parse(p).unwrap().data.to_vec()).collect()
    }

    #[test]
    fn an_access_unit_round_trips() {
        let slice: Vec<u8> = [0x65].into_iter().chain((0..5000).map(|i| (i % 250 + 1) as u8)).collect();
        let frame = frame(&[&[0x67, 1, 2], &[0x68, 3], &slice]);
        let payloads = Packetizer::default().packetize(&frame).unwrap();
        assert!(payloads.iter().all(|p| p.len() <= MAX_PAYLOAD));
        assert_eq!(payloads[0][0] & 0x1f, STAP_A);
        assert_eq!(join(&payloads), frame.data.to_vec());
        assert!(payloads.iter().any(|p| parse(p).unwrap().keyframe));
    }

    #[test]
    fn an_idr_without_parameter_sets_gets_the_last_ones() {
        let mut packetizer = Packetizer::default();
        packetizer.packetize(&frame(&[&[0x67, 1], &[0x68, 2], &[0x65, 3]])).unwrap();
        let payloads = packetizer.packetize(&frame(&[&[0x65, 4]])).unwrap();
        assert_eq!(join(&payloads), frame(&[&[0x67, 1], &[0x68, 2], &[0x65, 4]]).data.to_vec());
    }

    #[test]
    fn three_byte_start_codes_and_delimiters_are_parsed() {
        let data = Bytes::from_static(&[0, 0, 0, 1, 9, 0x10, 0, 0, 1, 0x41, 7, 8, 0, 0, 0]);
        assert_eq!(split_annex_b(&data), [Bytes::from_static(&[9, 0x10]), Bytes::from_static(&[0x41, 7, 8])]);
    }

    #[test]
    fn a_truncated_aggregate_is_malformed() {
        let total = [STAP_A, 0, 2, 0x67, 1, 0, 2, 0x68, 2];
        for len in [0, 1, 2, 3, 4, 6, 7, 8] {
            assert_eq!(parse(&Bytes::copy_from_slice(&total[..len])), Err(Malformed), "{len}");
        }
        assert!(parse(&Bytes::copy_from_slice(&total)).is_ok());
    }

    #[test]
    fn unknown_aggregates_are_malformed() {
        for nal_type in [0, 25, 26, 27, 29, 30, 31] {
            assert_eq!(parse(&Bytes::copy_from_slice(&[nal_type, 1, 2, 3])), Err(Malformed));
        }
    }
}
