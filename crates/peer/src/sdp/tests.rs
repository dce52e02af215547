use super::*;
use mutate::{mutated, mutated_shape};
use proptest::prelude::*;

#[path = "../../tests/mutate/mod.rs"]
mod mutate;

const CHROMIUM: &str = include_str!("chromium.sdp");
const FIREFOX: &str = include_str!("firefox.sdp");
const ORIGIN: Origin = Origin { session: 1, version: 2 };

fn parse(text: &str) -> Result<Description, SdpError> {
    super::parse(text, &VideoCodec::ALL)
}

#[test]
fn a_chromium_offer_is_parsed() {
    let offer = parse(CHROMIUM).unwrap();
    assert_eq!(offer.transport.setup, Setup::ActPass);
    let [audio, video, data] = &offer.lines[..] else { panic!("{:?}", offer.lines) };
    assert_eq!((audio.mid.as_str(), &audio.kind, audio.send, audio.receive), ("0", &LineKind::Audio, true, true));
    assert_eq!(audio.codecs.iter().map(|codec| codec.payload_type).collect::<Vec<_>>(), [111]);
    assert!(audio.codecs[0].feedback.transport_cc);
    assert_eq!((audio.audio_level, video.audio_level), (Some(1), None));
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
    assert!(!data.rejected && data.kind == LineKind::Data && data.codecs.is_empty());
}

#[test]
fn a_firefox_offer_is_parsed() {
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
fn written_descriptions_parse_to_the_same() {
    for text in [CHROMIUM, FIREFOX] {
        let description = parse(text).unwrap();
        assert_eq!(parse(&description.write(ORIGIN)), Ok(description));
    }
}

#[test]
fn only_what_we_support_is_written() {
    let text = parse(CHROMIUM).unwrap().write(ORIGIN);
    for word in ["AV1", "red/90000", "G722", "goog-remb", "abs-send-time", "3gpp:video-orientation"] {
        assert!(CHROMIUM.contains(word) && !text.contains(word), "{word}");
    }
}

#[test]
fn red_is_parsed_for_sound_if_its_blocks_are_opus() {
    let red = |text: &str| parse(text).unwrap().lines.iter().map(|line| line.red).collect::<Vec<_>>();
    assert_eq!(red(CHROMIUM)[..2], [Some(63), None]);
    assert_eq!(red(FIREFOX)[0], None);
    let written = parse(CHROMIUM).unwrap().write(ORIGIN);
    assert_eq!(red(&written), red(CHROMIUM));
    assert!(written.contains("a=fmtp:63 111/111\r\n"));
    assert_eq!(red(&CHROMIUM.replace("a=fmtp:63 111/111", "a=x:y"))[0], Some(63), "without a list of blocks");
    for blocks in ["111/9", "9/9", "111/", "x"] {
        assert_eq!(red(&CHROMIUM.replace("a=fmtp:63 111/111", &format!("a=fmtp:63 {blocks}")))[0], None, "{blocks}");
    }
}

fn with(from: &str, to: &str) -> Result<Description, SdpError> {
    assert!(FIREFOX.contains(from), "{from}");
    parse(&FIREFOX.replacen(from, to, 1))
}

#[test]
fn duplicate_and_invalid_payload_types_are_refused() {
    for bad in ["128", "255", "256", "-1", "x", "120 120"] {
        let line = format!("m=video 0 UDP/TLS/RTP/SAVPF {bad}");
        let text = with("m=video 0 UDP/TLS/RTP/SAVPF 120", &line);
        assert_eq!(text, Err(SdpError::Attribute("payload type")), "{bad}");
    }
}

#[test]
fn malformed_attributes_are_refused() {
    assert_eq!(with("a=mid:1", "a=mid:0"), Err(SdpError::Attribute("mid")), "two lines of one name");
    assert_eq!(with("a=mid:1", "a=mid:a b"), Err(SdpError::Attribute("mid")));
    assert_eq!(with("a=ice-pwd:", "a=ice-pwd:short "), Err(SdpError::Attribute("ice-ufrag")));
    assert_eq!(with("a=setup:actpass", "a=setup:holdconn"), Err(SdpError::Attribute("setup")));
    for hash in ["sha-1 ", "md5 ", "sha-384 ", "sha-512 ", "sha-256"] {
        assert_eq!(with("sha-256 ", hash), Err(SdpError::Fingerprint), "{hash}");
    }
    assert_eq!(parse(&FIREFOX.replace("a=rtcp-mux\r\n", "")), Err(SdpError::Missing("rtcp-mux")));
    assert_eq!(with("ssrc-group:FID 3", "ssrc-group:FID x3"), Err(SdpError::Attribute("ssrc")));
    assert_eq!(with("v=0", "v"), Err(SdpError::Syntax(1)));
}

#[test]
fn oversized_descriptions_are_refused() {
    assert_eq!(parse(&"a=x\r\n".repeat(MAX_BYTES)), Err(SdpError::TooLong));
    let lines = "m=audio 0 RTP/SAVPF 0\r\na=mid:0\r\n".repeat(crate::MAX_MEDIA_LINES + 1);
    assert_eq!(parse(&format!("v=0\r\n{lines}")), Err(SdpError::TooManyLines));
}

#[test]
fn a_description_without_an_active_line_is_refused() {
    let text = "v=0\r\nm=audio 0 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n";
    assert_eq!(parse(text), Err(SdpError::Missing("a media line that we take")));
    assert_eq!(parse("v=0\r\ns=-\r\n"), Err(SdpError::Missing("a media line")));
}

/// A summary of a description: its lines as `mid kind direction codecs`, and the transport.
fn summary(description: &Description) -> (Vec<String>, String) {
    let lines = description.lines.iter().map(|line| {
        let mid = if line.named { &line.mid } else { "-" };
        let direction = if line.rejected {
            "rejected"
        } else {
            ["none", "in", "out", "both"][usize::from(line.send) * 2 + usize::from(line.receive)]
        };
        let kind = match &line.kind {
            LineKind::Audio => "audio",
            LineKind::Video => "video",
            LineKind::Data => "data",
            LineKind::Foreign { media } => media,
        };
        let codecs = line.codecs.iter().map(|codec| {
            let name = codec.format.video().map_or("opus".to_owned(), |video| format!("{video:?}").to_lowercase());
            format!(" {name}={}{}", codec.payload_type, codec.rtx.map_or(String::new(), |rtx| format!("+{rtx}")))
        });
        let extensions = [("mid", line.mid_extension), ("twcc", line.transport_cc)];
        let extensions = extensions.iter().filter_map(|(name, id)| Some(format!(" {name}:{}", (*id)?)));
        let ssrc = line
            .stream
            .map(|stream| format!(" ssrc {}{}", stream.ssrc, if stream.rtx.is_some() { "+rtx" } else { "" }));
        format!(
            "{mid} {kind} {direction}{}{}{}",
            codecs.collect::<String>(),
            extensions.collect::<String>(),
            ssrc.unwrap_or_default()
        )
    });
    let Transport { ufrag, fingerprint, setup, .. } = &description.transport;
    let bundle = description.bundle.join(" ");
    let transport = format!("{ufrag} {} {setup:?} [{bundle}] {}", &fingerprint[8..13], description.candidates.len());
    (lines.collect(), transport)
}

#[test]
fn offers_of_other_implementations_are_parsed() {
    for (program, text, lines, transport) in OFFERS {
        let offer = parse(text).unwrap_or_else(|error| panic!("{program}: {error}"));
        let (found, at) = summary(&offer);
        assert_eq!(
            (found, at.as_str()),
            (lines.iter().map(|line| (*line).to_owned()).collect(), *transport),
            "{program}"
        );
        assert_eq!(parse(&offer.write(ORIGIN)), Ok(offer), "{program}");
        assert!(parse(&text.replace('\n', "\r\n")).is_ok() && parse(&format!("{text}\n\n\r\n")).is_ok());
    }
}

#[rustfmt::skip]
const OFFERS: &[(&str, &str, &[&str], &str)] = &[
    ("Chromium, simulcast", include_str!("../../tests/shapes/offers/chromium-simulcast.sdp"),
        &["0 audio both opus=111 mid:4 twcc:3 ssrc 1203984571", "1 video both vp8=96+97 vp9=98+99 mid:4 twcc:3"], "mK2p 3B:55 ActPass [0 1] 0"),
    ("Chromium, data channel tagged", include_str!("../../tests/shapes/offers/chromium-data-tagged.sdp"),
        &["0 data both", "1 audio both opus=111 mid:4", "2 video in vp8=96+97 mid:4"], "dA7a 91:2E ActPass [0 1 2] 1"),
    ("Safari", include_str!("../../tests/shapes/offers/safari.sdp"),
        &["audio audio both opus=111 mid:9 twcc:5 ssrc 3049182733", "video video both h264=98+99 vp8=100+101 mid:9 twcc:5 ssrc 1827364550+rtx"], "SaFr C4:0B ActPass [audio video] 0"),
    ("aiortc", include_str!("../../tests/shapes/offers/aiortc.sdp"),
        &["0 audio both opus=96 mid:1 ssrc 2750918342", "1 video both vp8=97+98 h264=101+102 mid:1 ssrc 1144093720+rtx"], "9fQe 5E:71 ActPass [0 1] 2"),
    ("Janus", include_str!("../../tests/shapes/offers/janus.sdp"),
        &["a audio out opus=111 mid:4 ssrc 3120450912", "v video out vp8=96+97 mid:4 twcc:5 ssrc 2099187765+rtx"], "Jan5 0A:9C ActPass [a v] 2"),
    ("Asterisk", include_str!("../../tests/shapes/offers/asterisk.sdp"),
        &["audio-0 audio both opus=107 ssrc 1520148821", "video-1 video both vp8=108 h264=99 ssrc 607412993"], "3e1d6a7b55c9f0aa4d7b D8:07 ActPass [audio-0 video-1] 1"),
    ("Asterisk, sound alone", include_str!("../../tests/shapes/offers/asterisk-audio.sdp"),
        &["- audio both opus=107", "- video rejected"], "61f0c2d95b7e3a84 D8:07 ActPass [] 1"),
    ("pion", include_str!("../../tests/shapes/offers/pion.sdp"),
        &["0 audio both opus=111 mid:2 twcc:3 ssrc 2801174590", "1 video in vp8=96+97 mid:2 twcc:3", "2 data both"], "kQpLmZrTxVwYbNcD 77:18 ActPass [0 1 2] 0"),
    ("a gateway of many kinds", include_str!("../../tests/shapes/offers/gateway.sdp"),
        &["fax image rejected", "deaf text rejected", "- audio rejected", "speech audio out opus=35 mid:5", "cam video both vp9=127+100 mid:5", "second video rejected"], "gate E9:4C Active [cam speech] 0"),
    ("no bundle", include_str!("../../tests/shapes/offers/unbundled.sdp"),
        &["0 audio both opus=111", "1 video rejected"], "one1 E9:4C Passive [] 1"),
];

/// A description with one audio and one video line, with these additional lines in its three parts.
fn three(session: &str, audio: &str, video: &str) -> String {
    format!(
        "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nt=0 0\n{session}\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111\na=rtpmap:111 opus/48000/2\n{audio}\n\
         m=video 9 UDP/TLS/RTP/SAVPF 96 97\na=rtpmap:96 VP8/90000\na=rtpmap:97 rtx/90000\na=fmtp:97 apt=96\n{video}\n"
    )
}

const GROUP: &str = "a=group:BUNDLE 0 1";
const ICE: &str = "a=ice-ufrag:Lu9c\na=ice-pwd:soupsoupsoupsoupsoup1234";
const KEY: &str = "a=fingerprint:sha-256 78:9B:34:CA:F5:4F:2E:22:0A:CD:94:1E:71:B8:8D:58:36:86:6D:0D:85:8B:63:54:9E:94:BE:2C:AC:C6:7F:5B\na=setup:actpass";

/// Each attribute of the transport is found in the session, in the tagged line, and in any other line of the group.
#[test]
fn transport_attributes_are_found_at_media_and_session_level() {
    let [mid0, mid1, mux] = ["a=mid:0", "a=mid:1", "a=rtcp-mux"];
    for group in ["0 1", "1 0"] {
        for ice in 0..3 {
            for key in 0..3 {
                for muxed in 1..3 {
                    let mut parts = [format!("a=group:BUNDLE {group}"), mid0.to_owned(), mid1.to_owned()];
                    for (place, words) in [(ice, ICE), (key, KEY), (muxed, mux)] {
                        parts[place] = format!("{}\n{words}", parts[place]);
                    }
                    let found = parse(&three(&parts[0], &parts[1], &parts[2]));
                    let found = found.unwrap_or_else(|error| panic!("{group} {ice} {key} {muxed}: {error}"));
                    assert_eq!(found.transport.ufrag, "Lu9c");
                    assert_eq!(found.bundle, group.split(' ').collect::<Vec<_>>());
                }
            }
        }
    }
}

#[test]
fn the_tagged_line_takes_precedence_over_others_and_the_session() {
    let own = |ufrag: &str| ICE.replace("Lu9c", ufrag);
    let session = format!("a=group:BUNDLE 1 0\n{KEY}\n{}", own("session"));
    let text =
        three(&session, &format!("a=mid:0\na=rtcp-mux\n{}", own("first")), &format!("a=mid:1\n{}", own("tagged")));
    assert_eq!(parse(&text).unwrap().transport.ufrag, "tagged");
    let unsaid = text.replace(&own("tagged"), "");
    assert_eq!(parse(&unsaid).unwrap().transport.ufrag, "first", "the next that has its own");
    let session = unsaid.replace(&own("first"), "");
    assert_eq!(parse(&session).unwrap().transport.ufrag, "session");
}

#[test]
fn a_supported_fingerprint_is_found_at_any_level() {
    let sha1 = "a=fingerprint:sha-1 7E:F2:8F:2D:99:03:95:9F:63:D3:D8:93:DC:E7:52:77:9C:84:16:29";
    for (session, audio, video) in [
        (format!("{sha1}\n{KEY}"), "", ""),
        (KEY.into(), sha1, sha1),
        (sha1.into(), KEY, sha1),
        (sha1.into(), sha1, KEY),
    ] {
        let text = three(
            &format!("{GROUP}\n{ICE}\n{session}"),
            &format!("a=mid:0\na=rtcp-mux\n{audio}"),
            &format!("a=mid:1\n{video}"),
        );
        assert_eq!(parse(&text).unwrap().transport.fingerprint[..13], *"sha-256 78:9B");
    }
    let text = three(&format!("{GROUP}\n{ICE}\na=setup:active\n{sha1}"), "a=mid:0\na=rtcp-mux", "a=mid:1");
    assert_eq!(parse(&text), Err(SdpError::Fingerprint));
}

#[test]
fn line_attributes_override_session_attributes() {
    let session = format!("{GROUP}\n{ICE}\n{KEY}\na=recvonly\na=extmap:3 {TRANSPORT_CC_URI}\na=extmap:4 {MID_URI}");
    let text = three(&session, "a=mid:0\na=rtcp-mux", &format!("a=mid:1\na=sendonly\na=extmap:7/sendrecv {MID_URI}"));
    let found = parse(&text).unwrap();
    let lines: Vec<_> = found.lines.iter().map(|l| (l.send, l.receive, l.transport_cc, l.mid_extension)).collect();
    assert_eq!(lines, [(false, true, Some(3), Some(4)), (true, false, Some(3), Some(7))]);
}

#[test]
fn a_line_with_port_0_is_active_only_if_bundle_only() {
    let text = |group: &str, more: &str| {
        let video = format!("a=mid:1\n{more}");
        three(&format!("{group}\n{ICE}\n{KEY}"), "a=mid:0\na=rtcp-mux", &video).replace("m=video 9", "m=video 0")
    };
    let taken = |group, more| !parse(&text(group, more)).unwrap().lines[1].rejected;
    assert!(taken(GROUP, "a=bundle-only"));
    assert!(!taken(GROUP, ""));
    assert!(!taken("a=group:BUNDLE 0", "a=bundle-only"));
}

#[test]
fn a_rejected_line_needs_no_attributes() {
    for more in ["", "a=mid:0", "a=mid:a b", "a=mid:far-too-long-to-be-in-a-packet", "a=rtpmap:x", "a=ssrc:x"] {
        let text =
            three(&format!("{GROUP}\n{ICE}\n{KEY}"), "a=mid:0\na=rtcp-mux", more).replace("m=video 9", "m=video 0");
        let found = parse(&text).unwrap_or_else(|error| panic!("{more}: {error}"));
        assert_eq!((found.lines[0].rejected, found.lines[1].rejected), (false, true), "{more}");
        assert_eq!(parse(&found.write(ORIGIN)), Ok(found), "{more}");
    }
}

#[test]
fn lines_outside_the_first_bundle_group_are_rejected() {
    let parts = |group| three(&format!("{group}\n{ICE}\n{KEY}"), "a=mid:0\na=rtcp-mux", "a=mid:1\na=rtcp-mux");
    for group in ["a=group:LS 0 1", "a=group:BUNDLE 0\na=group:BUNDLE 1", "a=group:BUNDLE 0 x", "a=group:BUNDLE"] {
        let found = parse(&parts(group)).unwrap();
        assert_eq!((found.lines[0].rejected, found.lines[1].rejected), (false, true), "{group}");
    }
    let found = parse(&parts("a=group:BUNDLE\na=group:BUNDLE 1 0")).unwrap();
    assert!(found.lines.iter().all(|line| !line.rejected));
}

#[test]
fn codec_names_are_case_insensitive() {
    let codecs = |media: &str, said: &str| {
        let head = format!("{ICE}\n{KEY}");
        let text = format!("v=0\n{head}\nm={media}\na=rtcp-mux\n{said}\n");
        let found = parse(&text).map(|found| found.lines[0].codecs.clone());
        found
            .unwrap_or_default()
            .iter()
            .map(|codec| (codec.payload_type, codec.rtx, codec.feedback.nack))
            .collect::<Vec<_>>()
    };
    for opus in ["opus/48000/2", "OPUS/48000/2", "opus/48000", "Opus/48000/1"] {
        assert_eq!(codecs("audio 9 RTP/SAVPF 127", &format!("a=rtpmap:127 {opus}")).len(), 1, "{opus}");
    }
    for opus in ["opus/8000/2", "opus/48000/6", "multiopus/48000/6"] {
        assert_eq!(codecs("audio 9 RTP/SAVPF 127", &format!("a=rtpmap:127 {opus}")).len(), 0, "{opus}");
    }
    let rtx = "a=rtpmap:35 vp8/90000\na=rtcp-fb:* nack\na=rtpmap:36 RTX/90000\na=fmtp:36 rtx-time=200; APT = 35";
    assert_eq!(codecs("video 9 UDP/TLS/RTP/SAVPF 35 36", rtx), [(35, Some(36), true)]);
    assert_eq!(
        codecs("video 9 UDP/TLS/RTP/SAVPF 64 36 95", "a=rtpmap:64 VP8/90000\na=rtpmap:36 VP8/90000"),
        [(36, None, false)]
    );
    for (id, known) in [
        ("profile-level-id=42e01f;packetization-mode=1", true),
        ("x;packetization-mode = 1 ; profile-level-id = 42C034;", true),
        ("packetization-mode=1", true),
        ("packetization-mode=1;profile-level-id=4d801f", true),
        ("packetization-mode=1;profile-level-id=42001f", false),
        ("packetization-mode=1;profile-level-id=640c1f", false),
        ("packetization-mode=1;profile-level-id=+2e01f", false),
        ("packetization-mode=0;profile-level-id=42e01f", false),
        ("profile-level-id=42e01f", false),
    ] {
        let said = format!("a=rtpmap:99 h264/90000\na=fmtp:99 {id}");
        assert_eq!(codecs("video 9 TCP/TLS/RTP/SAVPF 99", &said).len(), usize::from(known), "{id}");
    }
    for protocol in ["RTP/AVP", "RTP/AVPF", "UDP/RTP/SAVPF", "udptl"] {
        assert_eq!(codecs(&format!("audio 9 {protocol} 111"), "a=rtpmap:111 opus/48000/2"), [], "{protocol}");
    }
}

#[test]
fn the_dtls_cookie_is_written_and_parsed() {
    let session = format!("{GROUP}\n{ICE}\n{KEY}");
    let cookie = |attribute: &str| {
        let text = three(&format!("{session}\n{attribute}"), "a=mid:0\na=rtcp-mux", "a=mid:1");
        parse(&text).unwrap().transport.cookie
    };
    let digits = "000102030405060708090a0b0c0d0e0f10111213";
    let expected = std::array::from_fn(|index| index as u8);
    assert_eq!(cookie(&format!("a=x-lunchroom-dtls-cookie:{digits}")), Some(expected));
    for wrong in ["", "00", &digits[1..], &format!("{digits}00"), &digits.replace('0', "g"), &"é".repeat(20)] {
        assert_eq!(cookie(&format!("a=x-lunchroom-dtls-cookie:{wrong}")), None, "{wrong}");
    }
    let mut description = parse(&three(&session, "a=mid:0\na=rtcp-mux", "a=mid:1")).unwrap();
    description.transport.cookie = Some(expected);
    let written = description.write(ORIGIN);
    assert_eq!(parse(&written).unwrap().transport.cookie, Some(expected));
}

#[test]
fn the_dtls_setup_role_is_parsed_and_never_invented() {
    let setup = |word: &str| {
        let session = format!("{GROUP}\n{ICE}\n{KEY}").replace("actpass", word);
        parse(&three(&session, "a=mid:0\na=rtcp-mux", "a=mid:1")).map(|found| found.transport.setup)
    };
    assert_eq!(setup("active"), Ok(Setup::Active));
    assert_eq!(setup("passive"), Ok(Setup::Passive));
    assert_eq!(setup("actpass"), Ok(Setup::ActPass));
    assert_eq!(setup("holdconn"), Err(SdpError::Attribute("setup")));
}

#[test]
fn candidates_of_other_transports_are_skipped() {
    let at = |port: u16| format!("a=candidate:1 1 udp 1 192.0.2.1 {port} typ host\na=end-of-candidates");
    let other = ICE.replace("Lu9c", "other");
    let text = three(
        &format!("{GROUP}\n{KEY}"),
        &format!("a=mid:0\na=rtcp-mux\n{ICE}\n{}", at(1)),
        &format!("a=mid:1\n{other}\n{}", at(2)),
    );
    let ports: Vec<u16> = parse(&text).unwrap().candidates.iter().map(|candidate| candidate.port).collect();
    assert_eq!(ports, [1]);
}

#[test]
fn only_a_stopped_line_may_be_reused() {
    let of = |mid: &str, port: u16| {
        let video = format!("a=mid:{mid}");
        let session = format!("a=group:BUNDLE 0 {mid}\n{ICE}\n{KEY}");
        parse(&three(&session, "a=mid:0\na=rtcp-mux", &video).replace("m=video 9", &format!("m=video {port}"))).unwrap()
    };
    assert!(of("2", 9).continues(&of("1", 0)));
    assert!(!of("2", 9).continues(&of("1", 9)));
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "([vmaosct]=[ -~]{0,60}\r?\n){0,40}") {
        let _ = parse(&text);
    }

    #[test]
    fn accepted_descriptions_survive_a_round_trip(text in prop_oneof![mutated(), mutated_shape()]) {
        crate::fuzz::description(text.as_bytes());
        if let Ok(description) = parse(&text) {
            let lines = text.lines().filter(|line| line.starts_with("m=")).count();
            prop_assert_eq!(description.lines.len(), lines);
            prop_assert_eq!(parse(&description.write(ORIGIN)), Ok(description));
        }
    }

    /// The order of a line's attributes does not matter.
    #[test]
    fn attribute_order_does_not_matter(shape in 0..OFFERS.len(), seed in any::<u64>()) {
        let (program, text, ..) = OFFERS[shape];
        let shuffled = shuffled(text, seed);
        let (was, is) = (parse(text).unwrap(), parse(&shuffled));
        let with_codecs = |d: &Description| (summary(d), d.lines.iter().map(|l| l.codecs.clone()).collect::<Vec<_>>());
        prop_assert_eq!(is.as_ref().map(with_codecs), Ok(with_codecs(&was)), "{} {}", program, shuffled);
    }
}

/// The text with the `a=` lines of each part in a different order. Lines whose order matters keep theirs.
fn shuffled(text: &str, mut seed: u64) -> String {
    let mut parts: Vec<Vec<&str>> = vec![Vec::new()];
    for line in text.lines() {
        if line.starts_with("m=") {
            parts.push(Vec::new());
        }
        parts.last_mut().unwrap().push(line);
    }
    for part in &mut parts {
        let movable: Vec<usize> =
            (0..part.len()).filter(|at| part[*at].starts_with("a=") && !part[*at].starts_with("a=ssrc")).collect();
        for last in (1..movable.len()).rev() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            part.swap(movable[last], movable[(seed >> 33) as usize % (last + 1)]);
        }
    }
    parts.concat().join("\n")
}
