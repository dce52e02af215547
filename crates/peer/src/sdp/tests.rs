use super::*;
use mutate::mutated;
use proptest::prelude::*;

#[path = "../../tests/mutate/mod.rs"]
mod mutate;

const CHROMIUM: &str = include_str!("chromium.sdp");
const FIREFOX: &str = include_str!("firefox.sdp");
const ORIGIN: Origin = Origin { session: 1, version: 2 };

#[test]
fn an_offer_of_chromium_is_understood() {
    let offer = parse(CHROMIUM).unwrap();
    assert_eq!(offer.transport.setup, Setup::ActPass);
    let [audio, video, data] = &offer.lines[..] else { panic!("{:?}", offer.lines) };
    assert_eq!((audio.mid.as_str(), &audio.kind, audio.send, audio.receive), ("0", &LineKind::Audio, true, true));
    assert_eq!(audio.codecs.iter().map(|codec| codec.payload_type).collect::<Vec<_>>(), [111]);
    assert!(audio.codecs[0].feedback.transport_cc);
    let codecs: Vec<_> = video.codecs.iter().map(|c| (c.payload_type, c.format.video(), c.rtx)).collect();
    assert_eq!(
        codecs,
        [
            (96, Some(VideoCodec::Vp8), Some(97)),
            (109, Some(VideoCodec::H264), Some(114)),
            (98, Some(VideoCodec::Vp9), Some(99)),
        ]
    );
    assert_eq!((video.transport_cc, video.mid_extension), (Some(3), Some(4)));
    assert_eq!(video.stream, Some(Stream { ssrc: 2_231_627_014, rtx: Some(632_943_048) }));
    assert!(data.rejected && matches!(&data.kind, LineKind::Foreign { media, .. } if media == "application"));
}

#[test]
fn an_offer_of_firefox_is_understood() {
    let offer = parse(FIREFOX).unwrap();
    let [audio, video] = &offer.lines[..] else { panic!("{:?}", offer.lines) };
    assert_eq!(audio.codecs[0].payload_type, 109);
    let codecs: Vec<_> = video.codecs.iter().map(|c| (c.payload_type, c.format.video(), c.rtx)).collect();
    assert_eq!(
        codecs,
        [
            (120, Some(VideoCodec::Vp8), Some(124)),
            (121, Some(VideoCodec::Vp9), Some(125)),
            (126, Some(VideoCodec::H264), Some(127)),
        ]
    );
    assert_eq!(offer.candidates.len(), 1);
}

#[test]
fn what_is_written_is_read_alike() {
    for text in [CHROMIUM, FIREFOX] {
        let description = parse(text).unwrap();
        assert_eq!(parse(&description.write(ORIGIN)), Ok(description));
    }
}

#[test]
fn only_what_we_support_is_written() {
    let text = parse(CHROMIUM).unwrap().write(ORIGIN);
    for word in ["AV1", "red/48000", "G722", "goog-remb", "abs-send-time", "3gpp:video-orientation"] {
        assert!(CHROMIUM.contains(word) && !text.contains(word), "{word}");
    }
}

fn with(from: &str, to: &str) -> Result<Description, SdpError> {
    assert!(FIREFOX.contains(from), "{from}");
    parse(&FIREFOX.replacen(from, to, 1))
}

#[test]
fn payload_types_that_would_break_a_stack_are_refused() {
    for bad in ["128", "255", "256", "-1", "72", "x", "120 120"] {
        let line = format!("m=video 0 UDP/TLS/RTP/SAVPF {bad}");
        let text = with("m=video 0 UDP/TLS/RTP/SAVPF 120", &line);
        assert_eq!(text, Err(SdpError::Attribute("payload type")), "{bad}");
    }
}

#[test]
fn broken_attributes_are_refused() {
    assert_eq!(with("a=mid:1", "a=mid:0"), Err(SdpError::Attribute("mid")), "two lines of one name");
    assert_eq!(with("a=mid:1", "a=mid:a b"), Err(SdpError::Attribute("mid")));
    assert_eq!(with("a=mid:1\r\n", ""), Err(SdpError::Missing("mid")));
    assert_eq!(with("a=ice-pwd:", "a=ice-pwd:short "), Err(SdpError::Attribute("ice-ufrag")));
    assert_eq!(with("a=setup:actpass", "a=setup:holdconn"), Err(SdpError::Attribute("setup")));
    assert_eq!(with("sha-256 ", "sha-1 "), Err(SdpError::Attribute("fingerprint")));
    assert_eq!(with("a=rtcp-mux\r\n", ""), Err(SdpError::Missing("rtcp-mux")));
    assert_eq!(with("ssrc-group:FID 3", "ssrc-group:FID x3"), Err(SdpError::Attribute("ssrc")));
    assert_eq!(with("v=0", "v"), Err(SdpError::Syntax(1)));
}

#[test]
fn size_is_bounded() {
    assert_eq!(parse(&"a=x\r\n".repeat(MAX_BYTES)), Err(SdpError::TooLong));
    let lines = "m=audio 0 RTP/SAVPF 0\r\na=mid:0\r\n".repeat(crate::MAX_MEDIA_LINES + 1);
    assert_eq!(parse(&format!("v=0\r\n{lines}")), Err(SdpError::TooManyLines));
}

#[test]
fn a_description_without_a_live_line_is_refused() {
    let text = "v=0\r\nm=audio 0 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n";
    assert_eq!(parse(text), Err(SdpError::Missing("a media line")));
}

proptest! {
    #[test]
    fn no_text_panics(text in "([vmaosct]=[ -~]{0,60}\r?\n){0,40}") {
        let _ = parse(&text);
    }

    #[test]
    fn what_is_accepted_can_be_written_and_read_again(text in mutated()) {
        if let Ok(description) = parse(&text) {
            prop_assert_eq!(parse(&description.write(ORIGIN)), Ok(description));
        }
    }
}
