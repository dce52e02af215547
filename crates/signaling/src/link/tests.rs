use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

const FP_HEX: &str = "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff";

fn error(text: &str) -> LinkError {
    match Link::parse(text) {
        Ok(link) => panic!("{text:?} is {link}"),
        Err(error) => error,
    }
}

#[test]
fn an_app_link_names_room_server_certificate_and_invite() {
    let text = format!("lunchroom://join/soup-1?server=wss://lunch.example:8443&fp={FP_HEX}&invite=a_B-9");
    let link = Link::parse(&text).unwrap();
    assert_eq!(link.room, "soup-1");
    assert_eq!(link.server.as_str(), "wss://lunch.example:8443/");
    assert_eq!(link.fingerprint.map(|fp| (fp[1], fp[31])), Some((0x11, 0xFF)));
    assert_eq!(link.invite.as_deref(), Some("a_B-9"));
}

#[test]
fn a_web_link_names_the_server_that_served_it() {
    let link = Link::parse("https://lunch.example/r/soup?invite=T").unwrap();
    assert_eq!(link.server.as_str(), "wss://lunch.example/");
    assert_eq!(link.invite.as_deref(), Some("T"));
    assert_eq!(link.to_string(), "lunchroom://join/soup?server=wss://lunch.example&invite=T");
    assert_eq!(Link::parse("http://127.0.0.1:8080/r/soup").unwrap().server.as_str(), "ws://127.0.0.1:8080/");
}

#[test]
fn both_fingerprint_notations_are_equal() {
    let hex = Link::parse(&format!("lunchroom://join/a?server=wss://h&fp={FP_HEX}")).unwrap();
    let text = hex.to_string();
    assert!(text.ends_with("&fp=ABEiM0RVZneImaq7zN3u_wARIjNEVWZ3iJmqu8zd7v8"), "{text}");
    assert_eq!(Link::parse(&text), Ok(hex));
}

#[test]
fn common_damage_to_links_is_repaired() {
    let plain = Link::parse("lunchroom://join/soup?server=wss://lunch.example").unwrap();
    for text in [
        "  lunchroom://join/soup?server=wss://lunch.example\n",
        "LUNCHROOM://join/Soup?server=WSS://LUNCH.example",
        "LUNCHROOM://JOIN/SOUP/?server=WSS://LUNCH.EXAMPLE",
        "Lunchroom://Join/Soup?server=wss://lunch.example&&utm_source=invite&utm_campaign=server&ref=fp&f=1#menu",
        // Mail breaks long lines.
        "lunchroom://join/soup?ser\r\nver=wss://lunch.example",
        "lunchroom://join/soup/?server=wss%3A%2F%2Flunch.example%2F",
        "lunchroom://join/soup?server=wss://lunch.example:443&theme=dark",
        "https://lunch.example/r/soup/",
        "https://lunch.example:443/r/SOUP#top",
    ] {
        assert_eq!(Link::parse(text).as_ref(), Ok(&plain), "{text}");
    }
}

#[test]
fn unencrypted_servers_are_allowed_only_in_private_networks() {
    for host in [
        "localhost",
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.5:9000",
        "169.254.1.1",
        "[::1]:80",
        "[fd00::1]",
        "[fe80::1]",
        "[::ffff:192.168.1.5]",
        "kitchen.local",
        "a.localhost",
    ] {
        let app = Link::parse(&format!("lunchroom://join/a?server=ws://{host}")).unwrap();
        assert_eq!(Link::parse(&format!("http://{host}/r/a")), Ok(app));
    }
    for host in [
        "lunch.example",
        "8.8.8.8",
        "172.32.0.1",
        "[2001:db8::1]",
        "[::ffff:8.8.8.8]",
        "local",
        "notlocal",
        "localhost.example",
        // Public addresses in spellings that look local.
        "127.0.0.1.example",
        "0x08080808",
    ] {
        assert_eq!(error(&format!("lunchroom://join/a?server=ws://{host}")), LinkError::Insecure, "{host}");
        assert_eq!(error(&format!("http://{host}/r/a")), LinkError::Insecure, "{host}");
    }
}

#[test]
fn a_server_is_only_a_host_and_a_port() {
    for server in [
        "",
        "lunch.example",
        "https://lunch.example",
        "wss://",
        "wss://lunch.example/path",
        "wss://lunch.example?x=1",
        "wss://lunch.example%23x",
        "wss://you@lunch.example",
        "wss://you:me@lunch.example",
        "wss://lunch.example:0",
        "wss://lunch.example:99999",
        "javascript:alert(1)",
        // The URL standard accepts this as a domain; in a link it would become another parameter.
        "wss://a%26fp=b",
        "wss://a'b",
    ] {
        assert_eq!(error(&format!("lunchroom://join/a?server={server}")), LinkError::Server, "{server}");
    }
    assert_eq!(error("lunchroom://join/a"), LinkError::Server);
    assert_eq!(error("https://you@lunch.example/r/a"), LinkError::Server);
}

#[test]
fn a_valid_room_name_is_required() {
    for path in ["", "/", "//", "/-a", "/a%20b", "/a/b", "/s%C3%BCppe", "/%61", "/..", "/a%00"] {
        assert_eq!(error(&format!("lunchroom://join{path}?server=wss://h")), LinkError::Room, "{path}");
    }
    assert_eq!(error(&format!("https://h/r/{}", "a".repeat(64))), LinkError::Room);
    assert_eq!(error("https://h/r/"), LinkError::Room);
}

#[test]
fn other_urls_are_not_links() {
    for text in [
        "",
        "soup",
        "lunchroom:",
        "lunchroom:join/soup?server=wss://h",
        "lunchroom://leave/soup?server=wss://h",
        "lunchroom://join:1/soup?server=wss://h",
        "lunchroom://you@join/soup?server=wss://h",
        "https://lunch.example/",
        "https://lunch.example/room/soup",
        "ftp://lunch.example/r/soup",
        "file:///r/soup",
    ] {
        assert_eq!(error(text), LinkError::NotALink, "{text}");
    }
}

#[test]
fn a_damaged_fingerprint_is_never_ignored() {
    for fp in ["", "00", "zz", &FP_HEX[1..], &format!("{FP_HEX}0"), &FP_HEX.replace('A', "g"), &"=".repeat(43)] {
        assert_eq!(error(&format!("lunchroom://join/a?server=wss://h&fp={fp}")), LinkError::Fingerprint, "{fp}");
        assert_eq!(error(&format!("https://h/r/a?fp={fp}")), LinkError::Fingerprint, "{fp}");
    }
    // Without TLS there is no certificate to compare.
    assert_eq!(error(&format!("lunchroom://join/a?server=ws://127.0.0.1&fp={FP_HEX}")), LinkError::Fingerprint);
}

#[test]
fn a_parameter_given_twice_is_refused() {
    assert_eq!(error("lunchroom://join/a?server=wss://h&server=wss://evil"), LinkError::Repeated);
    assert_eq!(error("https://h/r/a?invite=a&invite=b"), LinkError::Repeated);
}

const FP: &str = "ABEiM0RVZneImaq7zN3u_wARIjNEVWZ3iJmqu8zd7v8";

/// Ways in which mail, chat, HTML, shells and tired people damage `&NAME=VALUE`.
fn damaged(name: &str, value: &str) -> Vec<String> {
    let spelled = [
        name.to_uppercase(),
        format!("amp;{name}"),
        format!("amp;amp;{name}"),
        format!("#38;{name}"),
        format!("&amp;&{name} "),
        format!("amp%3B{name}"),
        format!("%26{name}"),
        format!("%2526{name}"),
        format!("%20{name}"),
        format!("+{name}"),
        format!("{name}%20"),
        format!("{name}+"),
        format!(" {name}"),
        format!("\u{A0}{name}"),
        format!("{name}\u{200B}"),
        format!("\u{FEFF}{name}"),
        format!("\u{FF06}{name}"),
        format!("{name}[]"),
        format!("?{name}"),
        format!(";{name}"),
        format!("%{:02x}{}", name.as_bytes()[0], &name[1..]),
        format!("%25{:02x}{}", name.as_bytes()[0], &name[1..]),
        name.chars().filter_map(|c| char::from_u32(u32::from(c) + 0xFEE0)).collect(),
        format!("x={name}"),
        format!("x=%26{name}"),
        format!("x=1;{name}"),
        format!("x=1?{name}"),
        format!("x=1/{name}"),
        format!("x=https%3A%2F%2Fh%2Fr%2Fa%3F{name}"),
    ];
    let parts = spelled.iter().map(|name| format!("&{name}={value}"));
    let escaped = ["%3D", "%3d", "%253D", "%20%3D", "\u{FF1D}"].map(|sign| format!("&{name}{sign}{value}"));
    let behind = ["#", "#x=1&", "#?", "#/", "#%26", "#!", "#X;"].map(|sign| format!("{sign}{name}={value}"));
    parts.chain(escaped).chain(behind).collect()
}

#[test]
fn a_damaged_parameter_is_never_ignored() {
    for (name, value) in [("fp", FP), ("fp", FP_HEX), ("fp", "x"), ("invite", "T0k3n"), ("server", "wss://h")] {
        for part in damaged(name, value) {
            let web = format!("https://h/r/a?lang=ko{part}");
            assert!(Link::parse(&web).is_err(), "{web}");
            let app = format!("lunchroom://join/a?server=wss://h{part}");
            assert!(Link::parse(&app).is_err(), "{app}");
        }
    }
    assert_eq!(error(&format!("lunchroom://join/soup?server=wss://lunch.example&amp;fp={FP}")), LinkError::Parameter);
    assert_eq!(error(&format!("https://lunch.example/r/soup?invite=T0k3n&amp;fp={FP}")), LinkError::Parameter);
    assert_eq!(error(&format!("lunchroom://join/soup?server=wss://lunch.example&FP={FP}")), LinkError::Parameter);
    assert_eq!(error(&format!("https://lunch.example/r/soup?fp={FP}&amp;invite=T0k3n")), LinkError::Parameter);
}

#[test]
fn a_misspelled_fingerprint_parameter_is_never_ignored() {
    for part in [
        format!("?fingerprint={FP}"),
        format!("?sha256={FP_HEX}"),
        format!("?\u{444}\u{440}={FP}"),
        format!("?x={FP}"),
        format!("?{FP}"),
        format!("?x=1&{FP_HEX}"),
        format!("#{FP}"),
        format!("?pin={}", FP_HEX.as_bytes().chunks(2).map(String::from_utf8_lossy).collect::<Vec<_>>().join(":")),
        "?inviet=T".to_owned(),
        "?\u{456}nvite=T".to_owned(),
    ] {
        assert_eq!(error(&format!("https://h/r/a{part}")), LinkError::Parameter, "{part}");
    }
}

#[test]
fn a_parameter_in_the_path_is_not_a_room() {
    for sign in [";", "&", "%3F", ",", "/"] {
        assert_eq!(error(&format!("https://h/r/a{sign}fp={FP}")), LinkError::Room, "{sign}");
        assert_eq!(error(&format!("lunchroom://join/a{sign}fp={FP}?server=wss://h")), LinkError::Room, "{sign}");
    }
    // A page is always on its own server.
    assert_eq!(error("https://h/r/a?server=wss://h"), LinkError::Parameter);
}

#[test]
fn page_addresses_and_links_parse_alike() {
    let soup = WebAddress { room: "soup".into(), fingerprint: None, invite: Some("T".into()) };
    for path in ["/r/soup", "/r/soup/", "/r/Soup", "/r/SOUP/"] {
        assert_eq!(WebAddress::read(path, Some("invite=T&utm_source=mail")), Ok(soup.clone()), "{path}");
    }
    assert_eq!(WebAddress::read("/r/soup", Some("invite=T&amp;fp=1")), Err(LinkError::Parameter));
    assert_eq!(WebAddress::read("/r/soup", Some("invite=%20")), Err(LinkError::Invite));
    assert_eq!(WebAddress::read("/room/soup", None), Err(LinkError::NotALink));
}

#[test]
fn spellings_of_a_server_have_one_origin() {
    let origin = |server: &str| Link::new("a", server, None, None).unwrap().origin();
    for server in ["wss://lunch.example.", "wss://LUNCH.example:443", "WSS://lunch.example.:443/"] {
        assert_eq!(origin(server), "wss://lunch.example", "{server}");
    }
    assert_eq!(origin("wss://b\u{FC}cher.example:1"), "wss://xn--bcher-kva.example:1");
    assert_eq!(origin("ws://[0:0::1]:7077"), "ws://[::1]:7077");
}

#[test]
fn invites_are_limited_to_their_alphabet() {
    assert_eq!(error("https://h/r/a?invite="), LinkError::Invite);
    assert_eq!(error("https://h/r/a?invite=a%20b"), LinkError::Invite);
    assert_eq!(error(&format!("https://h/r/a?invite={}", "a".repeat(129))), LinkError::Invite);
}

#[test]
fn oversized_texts_are_not_parsed() {
    assert_eq!(error(&format!("https://h/r/a?x={}", "a".repeat(MAX_LINK_BYTES))), LinkError::TooLong);
}

#[test]
fn an_origin_is_the_fingerprint_or_the_address() {
    let pinned = |host: &str| Link::new("a", &format!("wss://{host}"), Some([7; 32]), None).unwrap().origin();
    assert_eq!(pinned("10.0.0.1"), pinned("10.0.0.2"));
    let origin = |server: &str| Link::new("a", server, None, None).unwrap().origin();
    assert_eq!(origin("wss://h:443"), "wss://h");
    assert_ne!(origin("wss://h:444"), origin("wss://h"));
    assert_ne!(origin("ws://10.0.0.1"), origin("wss://10.0.0.1"));
}

fn any_link() -> impl Strategy<Value = Link> {
    let host = prop_oneof![
        "[a-z][a-z0-9]{0,9}(\\.[a-z][a-z0-9]{0,5}){0,2}",
        any::<Ipv4Addr>().prop_map(|a| a.to_string()),
        any::<Ipv6Addr>().prop_map(|a| format!("[{a}]")),
    ];
    let server = (any::<bool>(), host, proptest::option::of(1..=u16::MAX)).prop_map(|(tls, host, port)| {
        let port = port.map_or(String::new(), |port| format!(":{port}"));
        format!("{}://{host}{port}", if tls { "wss" } else { "ws" })
    });
    let parts = (
        "[a-z0-9][a-z0-9-]{0,62}",
        server,
        proptest::option::of(any::<[u8; 32]>()),
        proptest::option::of("[A-Za-z0-9_-]{1,128}"),
    );
    parts.prop_filter_map("not a link", |(room, server, fingerprint, invite)| {
        Link::new(&room, &server, fingerprint, invite.as_deref()).ok()
    })
}

proptest! {
    #[test]
    fn a_fingerprint_is_never_lost_by_preceding_text(before in "[&;#?/+ ]{0,2}(amp;|#38;|%26|%20|[a-z]=)?", name in "(fp|FP|Fp|f%70|f p|fp%20)", after in "(=|%3D|=%20| = )") {
        let text = format!("lunchroom://join/a?server=wss://h&{before}{name}{after}{FP}");
        if let Ok(link) = Link::parse(&text) {
            prop_assert!(link.fingerprint.is_some(), "{}", text);
        }
    }

    #[test]
    fn other_parameters_are_ignored(name in "utm_[a-z]{1,9}|lang|theme|v[0-9]", value in "[a-z0-9._~-]{0,40}") {
        let text = format!("lunchroom://join/a?{name}={value}&server=wss://h");
        prop_assert_eq!(Link::parse(&text), Link::parse("lunchroom://join/a?server=wss://h"));
    }

    #[test]
    fn every_link_round_trips(link in any_link()) {
        prop_assert_eq!(Link::parse(&link.to_string()), Ok(link.clone()));
        prop_assert_eq!(Link::parse(&link.to_web()), Ok(link));
    }

    #[test]
    fn every_parsed_link_round_trips(text in "(lunchroom://join/|https://h/r/)?[a-zA-Z0-9:/?&=.%@#_-]{0,80}") {
        if let Ok(link) = Link::parse(&text) {
            prop_assert_eq!(Link::parse(&link.to_string()), Ok(link));
        }
    }
}
