//! The payload descriptor of VP8 (RFC 7741 section 4.2), as far as forwarding needs it.

/// What the descriptor says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Vp8 {
    /// Picture id of 7 or 15 bits.
    pub(crate) picture: Option<u16>,
    /// Whether the picture id has 15 bits.
    pub(crate) wide: bool,
    /// TL0PICIDX, which counts the frames of the base layer.
    pub(crate) base: Option<u8>,
    /// Temporal layer; 0 if there is only one.
    pub(crate) temporal: u8,
    /// The frame depends on the base layer only (Y), so that a receiver may begin with this temporal layer.
    pub(crate) synchronized: bool,
    /// The packet begins a keyframe.
    pub(crate) starts_keyframe: bool,
    /// The height of that keyframe's picture in pixels, if it says one (RFC 6386 section 9.1).
    pub(crate) height: Option<u16>,
}

/// Reads the descriptor. `None` if it is malformed, or nothing follows.
pub(crate) fn parse(payload: &[u8]) -> Option<Vp8> {
    let mut rest = payload.iter();
    let mut bytes = rest.by_ref().copied();
    let first = bytes.next()?;
    let extended = if first & 0x80 != 0 { bytes.next()? } else { 0 };
    let mut vp8 = Vp8::default();
    if extended & 0x80 != 0 {
        let high = bytes.next()?;
        vp8.wide = high & 0x80 != 0;
        vp8.picture = Some(if vp8.wide { u16::from_be_bytes([high & 0x7f, bytes.next()?]) } else { u16::from(high) });
    }
    if extended & 0x40 != 0 {
        vp8.base = Some(bytes.next()?);
    }
    if extended & 0x30 != 0 {
        let layer = bytes.next()?;
        if extended & 0x20 != 0 {
            (vp8.temporal, vp8.synchronized) = (layer >> 6, layer & 0x20 != 0);
        }
    }
    let header = bytes.next()?;
    let starts_frame = first & 0x10 != 0 && first & 0x07 == 0;
    vp8.starts_keyframe = starts_frame && header & 1 == 0;
    if vp8.starts_keyframe {
        vp8.height = height(rest.as_slice());
    }
    Some(vp8)
}

/// The height in a keyframe's header, after its first byte. The upper two bits ask for scaling.
fn height(header: &[u8]) -> Option<u16> {
    match header {
        [_, _, 0x9d, 0x01, 0x2a, _, _, low, high, ..] => Some(u16::from_le_bytes([*low, *high & 0x3f])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn all_fields_are_read() {
        let key = parse(&[0x90, 0xe0, 0x81, 0x02, 7, 0x40 | 0x20, 0x10]).expect("a descriptor");
        let expected = Vp8 {
            picture: Some(0x102),
            wide: true,
            base: Some(7),
            temporal: 1,
            synchronized: true,
            starts_keyframe: true,
            height: None,
        };
        assert_eq!(key, expected);
        let short = parse(&[0x90, 0x80, 0x05, 0x11]).expect("a descriptor");
        assert_eq!(short, Vp8 { picture: Some(5), ..Vp8::default() });
        assert!(parse(&[0x10, 0x00]).expect("none of the fields").starts_keyframe);
        assert!(!parse(&[0x00, 0x00]).expect("a continuation").starts_keyframe);
    }

    #[test]
    fn the_height_of_a_keyframe_is_read() {
        let keyframe = |height: u16| {
            let [low, high] = height.to_le_bytes();
            parse(&[0x10, 0x50, 0x01, 0x02, 0x9d, 0x01, 0x2a, 0x80, 0x02, low, high, 7]).expect("a descriptor").height
        };
        assert_eq!((keyframe(360), keyframe(360 | 0x4000)), (Some(360), Some(360)));
        assert_eq!(parse(&[0x10, 0x50, 0x01, 0x02, 0, 0, 0, 0, 0, 1, 1]).expect("a descriptor").height, None);
    }

    #[test]
    fn a_short_descriptor_is_refused() {
        for payload in [&[][..], &[0x80], &[0x90, 0x80], &[0x90, 0x80, 0x81], &[0x90, 0xe0, 5, 1], &[0x10]] {
            assert_eq!(parse(payload), None, "{payload:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(payload in prop::collection::vec(any::<u8>(), 0..16)) {
            if let Some(vp8) = parse(&payload) {
                prop_assert!(vp8.temporal < 4 && vp8.picture.is_none_or(|id| id < 1 << 15));
            }
        }
    }
}
