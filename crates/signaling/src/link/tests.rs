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
fn a_web_link_leads_to_the_server_that_gave_it() {
    let link = Link::parse("https://lunch.example/r/soup?invite=T").unwrap();
    assert_eq!(link.server.as_str(), "wss://lunch.example/");
    assert_eq!(link.invite.as_deref(), Some("T"));
    assert_eq!(link.to_string(), "lunchroom://join/soup?server=wss://lunch.example&invite=T");
    assert_eq!(Link::parse("http://127.0.0.1:8080/r/soup").unwrap().server.as_str(), "ws://127.0.0.1:8080/");
}

#[test]
fn both_ways_to_write_a_fingerprint_are_one() {
    let hex = Link::parse(&format!("lunchroom://join/a?server=wss://h&fp={FP_HEX}")).unwrap();
    let text = hex.to_string();
    assert!(text.ends_with("&fp=ABEiM0RVZneImaq7zN3u_wARIjNEVWZ3iJmqu8zd7v8"), "{text}");
    assert_eq!(Link::parse(&text), Ok(hex));
}

#[test]
fn what_people_and_shells_do_to_links_is_forgiven() {
    let plain = Link::parse("lunchroom://join/soup?server=wss://lunch.example").unwrap();
    for text in [
        "  lunchroom://join/soup?server=wss://lunch.example\n",
        "LUNCHROOM://join/Soup?server=WSS://LUNCH.example",
        "lunchroom://join/soup/?server=wss%3A%2F%2Flunch.example%2F",
        "lunchroom://join/soup?server=wss://lunch.example:443&theme=dark",
        "https://lunch.example/r/soup/",
        "https://lunch.example:443/r/SOUP#top",
    ] {
        assert_eq!(Link::parse(text).as_ref(), Ok(&plain), "{text}");
    }
}

#[test]
fn unencrypted_servers_are_taken_in_private_networks_only() {
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
        // Spellings of public addresses that only look local.
        "127.0.0.1.example",
        "0x08080808",
    ] {
        assert_eq!(error(&format!("lunchroom://join/a?server=ws://{host}")), LinkError::Insecure, "{host}");
        assert_eq!(error(&format!("http://{host}/r/a")), LinkError::Insecure, "{host}");
    }
}

#[test]
fn a_server_is_a_host_and_a_port_and_nothing_else() {
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
        // A domain to the URL standard; written into a link it would be another parameter.
        "wss://a%26fp=b",
        "wss://a'b",
    ] {
        assert_eq!(error(&format!("lunchroom://join/a?server={server}")), LinkError::Server, "{server}");
    }
    assert_eq!(error("lunchroom://join/a"), LinkError::Server);
    assert_eq!(error("https://you@lunch.example/r/a"), LinkError::Server);
}

#[test]
fn a_room_is_there_and_is_a_room() {
    for path in ["", "/", "//", "/-a", "/a%20b", "/a/b", "/s%C3%BCppe", "/%61", "/..", "/a%00"] {
        assert_eq!(error(&format!("lunchroom://join{path}?server=wss://h")), LinkError::Room, "{path}");
    }
    assert_eq!(error(&format!("https://h/r/{}", "a".repeat(64))), LinkError::Room);
    assert_eq!(error("https://h/r/"), LinkError::Room);
}

#[test]
fn other_addresses_are_no_links() {
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

#[test]
fn invites_have_their_alphabet() {
    assert_eq!(error("https://h/r/a?invite="), LinkError::Invite);
    assert_eq!(error("https://h/r/a?invite=a%20b"), LinkError::Invite);
    assert_eq!(error(&format!("https://h/r/a?invite={}", "a".repeat(129))), LinkError::Invite);
}

#[test]
fn long_texts_are_not_even_read() {
    assert_eq!(error(&format!("https://h/r/a?x={}", "a".repeat(MAX_LINK_BYTES))), LinkError::TooLong);
}

#[test]
fn an_origin_is_the_certificate_or_else_the_address() {
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
    fn every_link_is_read_as_it_was_written(link in any_link()) {
        prop_assert_eq!(Link::parse(&link.to_string()), Ok(link.clone()));
        prop_assert_eq!(Link::parse(&link.to_web()), Ok(link));
    }

    #[test]
    fn whatever_is_read_is_written_and_read_again(text in "(lunchroom://join/|https://h/r/)?[a-zA-Z0-9:/?&=.%@#_-]{0,80}") {
        if let Ok(link) = Link::parse(&text) {
            prop_assert_eq!(Link::parse(&link.to_string()), Ok(link));
        }
    }
}
