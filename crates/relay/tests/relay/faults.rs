//! Attempts by strangers and with spoofed addresses.

use relay::{Action, Client, OwnService, PeerPolicy, Shares};
use stun_types::AddressFamily;
use stun_types::attribute::RawAttribute;
use stun_types::message::{BINDING, Message, MessageWriteVec};
use stun_types::prelude::{MessageWrite as _, MessageWriteExt as _};
use turn_types::attribute::{Lifetime, RequestedAddressFamily, XorPeerAddress};
use turn_types::message::{ALLOCATE, CREATE_PERMISSION, REFRESH};

use crate::world::*;

#[test]
fn a_nonce_of_another_client_is_stale() {
    let mut world = World::new();
    let mut ada = Person::shared("s1.ada", "198.51.100.1:5000");
    world.allocate(&mut ada).expect("an allocation");
    let mut mallory = Person::shared("s2.mallory", "198.51.100.66:5000");
    assert_eq!(world.refresh(&mut mallory, 600), 437);
    // With Ada's source address spoofed, he does not receive the answers.
    mallory.client = ada.client;
    for _ in 0..3 {
        let request = mallory.request(REFRESH, &[&Lifetime::new(0)]);
        assert_eq!(world.send(&mallory, &request).expect("an answer").code(), Some(438));
    }
    assert_eq!(world.refresh(&mut ada, 600), 0);
}

#[test]
fn another_persons_credentials_cannot_use_an_allocation() {
    let mut world = World::new();
    let mut ada = Person::shared("s1.ada", "198.51.100.1:5000");
    world.allocate(&mut ada).expect("an allocation");
    let mut mallory = Person::shared("s2.mallory", "198.51.100.1:5000");
    mallory.nonce = ada.nonce.clone();
    let peer = addr("20.0.0.1:7");
    assert_eq!(world.permit(&mut mallory, &[peer]), Some(441));
    assert_eq!(world.bind(&mut mallory, 0x4007, peer), 441);
    assert_eq!(world.refresh(&mut mallory, 0), 441);
    assert_eq!(world.allocate(&mut mallory), Err(441));
    assert_eq!(world.indicate(&ada, peer, b"x"), Action::Drop);
    assert_eq!(world.permit(&mut ada, &[peer]), Some(0));
}

#[test]
fn wrong_and_expired_credentials_are_unauthorized() {
    let mut world = World::new();
    let good = Person::shared("s.ada", "198.51.100.1:5000");
    let guessed = Person { password: "guess".into(), ..good.clone() };
    let stretched = Person { username: good.username.replacen('1', "9", 1), ..good.clone() };
    let of_no_form = ["", "x", ":", "-1:a", "99999999999999999999:a"].map(|username| {
        let password = relay::password(SHARED.as_bytes(), username);
        Person { username: username.into(), password, ..good.clone() }
    });
    let expired = Person::expiring("s.ada", "198.51.100.1:5000", 0);
    for mut person in [guessed, stretched, expired].into_iter().chain(of_no_form) {
        assert_eq!(world.allocate(&mut person), Err(401), "{}", person.username);
    }
    let mut short = Person::expiring("s.ada", "198.51.100.1:5000", 3);
    world.allocate(&mut short).expect("an allocation");
    world.wait(std::time::Duration::from_secs(3));
    assert_eq!(world.refresh(&mut short, 600), 401);
    assert_eq!(world.permit(&mut short, &[addr("20.0.0.1:7")]), Some(401));
}

#[test]
fn attributes_after_the_integrity_are_ignored() {
    let mut world = World::new();
    let mut ada = Person::shared("s.ada", "198.51.100.1:5000");
    world.allocate(&mut ada).expect("an allocation");
    let transaction = ada.next_transaction();
    let mut request =
        ada.signed(CREATE_PERMISSION, transaction, &[&XorPeerAddress::new(addr("20.0.0.1:7"), transaction)]);
    let hidden = XorPeerAddress::new(addr("20.0.0.2:7"), transaction);
    let hidden = stun_types::attribute::AttributeWrite::to_raw(&hidden).to_bytes();
    request.extend_from_slice(&hidden);
    let length = (request.len() - 20) as u16;
    request[2..4].copy_from_slice(&length.to_be_bytes());
    assert_eq!(world.send(&ada, &request).expect("an answer").code(), None);
    assert_ne!(world.indicate(&ada, addr("20.0.0.1:7"), b"x"), Action::Drop);
    assert_eq!(world.indicate(&ada, addr("20.0.0.2:7"), b"x"), Action::Drop);
}

/// A spoofed sender uses up nothing of the owner of the address.
#[test]
fn spoofed_requests_consume_no_budget() {
    let mut world = World::new();
    let mut ada = Person::shared("s.ada", "198.51.100.1:5000");
    world.allocate(&mut ada).expect("an allocation");
    let mut spoofer = Person { nonce: Some("guessed".into()), password: "guessed".into(), ..ada.clone() };
    let bare = Message::builder_request(REFRESH, MessageWriteVec::new()).finish();
    for _ in 0..5_000 {
        let signed = spoofer.request(REFRESH, &[]);
        for datagram in [&bare, &signed] {
            let _ = world.handle(&ada.client, datagram);
        }
    }
    for _ in 0..12 {
        assert_eq!(world.refresh(&mut ada, 600), 0);
    }
    assert_eq!(world.permit(&mut ada, &[addr("20.0.0.1:7")]), Some(0));
}

#[test]
fn refusals_to_one_source_are_capped_and_short() {
    let mut world = World::new();
    let victim = Person::shared("s.v", "198.51.100.1:5000");
    let bare = Message::builder_request(ALLOCATE, MessageWriteVec::new()).finish();
    let binding = Message::builder_request(BINDING, MessageWriteVec::new()).finish();
    let longest = world.send(&victim, &bare).expect("an answer").bytes.len();
    assert!(longest <= 72, "{longest}");
    let ports = (0..41_000_u32).filter(|n| {
        let remote = std::net::SocketAddr::new(victim.client.remote.ip(), 1_024 + (n % 60_000) as u16);
        let client = Client { remote, ..victim.client };
        world.handle(&client, if n % 2 == 0 { &bare } else { &binding }) != Action::Drop
    });
    assert!(ports.count() < 2_000);
    let mut elsewhere = Person::shared("s.ada", "198.51.100.2:5000");
    assert!(world.allocate(&mut elsewhere).is_ok(), "others are not refused");
}

#[test]
fn denied_peers_are_neither_permitted_nor_reached() {
    let mut world = World::new();
    let mut ada = Person::shared("s.ada", "198.51.100.1:5000");
    world.allocate(&mut ada).expect("an allocation");
    let port = world.port();
    // Its own two public addresses are treated like loopback.
    for denied in ["127.0.0.1", "0.0.0.0", "10.0.0.1", "192.168.1.1", "169.254.169.254", "224.0.0.1", HERE, "12.0.0.1"]
    {
        let peer = std::net::SocketAddr::new(denied.parse().expect("an IP"), 53);
        assert_eq!(world.permit(&mut ada, &[peer]), Some(403), "{denied}");
        assert_eq!(world.bind(&mut ada, 0x4000, peer), 403, "{denied}");
        assert_eq!(world.indicate(&ada, peer, b"x"), Action::Drop, "{denied}");
        assert_eq!(world.channel(&ada, 0x4000, b"x"), Action::Drop, "{denied}");
        assert_eq!(world.receive_from_peer(port, &peer.to_string(), b"x"), None, "{denied}");
    }
}

/// CVE-2020-26262 and CVE-2026-27624: an allocation of IPv6 reached loopback by another form of its address.
#[test]
fn denied_ipv4_peers_are_not_reached_in_any_ipv6_form() {
    let mut world = World::new();
    let mut ada = Person::shared("s.ada", "198.51.100.1:5000");
    let v6 = RequestedAddressFamily::new(AddressFamily::IPV6);
    assert!(world.ask(&mut ada, ALLOCATE, &[&udp(), &v6]).expect("an answer").relayed().is_ipv6());
    let port = world.port();
    for inside in ["7f00:1", "a00:1", "c0a8:101", "a9fe:a9fe", "a83f:8110", "0:0", "b00:1", "e000:1"] {
        let forms =
            ["::ffff:", "::", "::ffff:0:", "64:ff9b::", "64:ff9b:1::", "2606:4700::5efe:", "2606:4700::200:5efe:"];
        let forms = forms.map(|prefix| format!("{prefix}{inside}"));
        for form in forms.into_iter().chain([format!("2002:{inside}::1")]) {
            world.wait(std::time::Duration::from_secs(1));
            let peer = std::net::SocketAddr::new(form.parse().expect("an IP"), 53);
            assert_eq!(world.permit(&mut ada, &[peer]), Some(403), "{form}");
            assert_eq!(world.bind(&mut ada, 0x4000, peer), 403, "{form}");
            assert_eq!(world.indicate(&ada, peer, b"x"), Action::Drop, "{form}");
            assert_eq!(world.channel(&ada, 0x4000, b"x"), Action::Drop, "{form}");
            assert_eq!(world.receive_from_peer(port, &peer.to_string(), b"x"), None, "{form}");
        }
    }
    assert_eq!(world.permit(&mut ada, &[addr("[2606:4700::1]:53")]), Some(0));
}

#[test]
fn an_address_that_becomes_ours_is_denied() {
    let mut world = World::new();
    let mut ada = Person::shared("s.ada", "198.51.100.1:5000");
    world.allocate(&mut ada).expect("an allocation");
    let peer = addr("20.0.0.1:7");
    assert_eq!(world.permit(&mut ada, &[peer]), Some(0));
    assert_ne!(world.indicate(&ada, peer, b"x"), Action::Drop);
    world.relay.set_own_addresses([peer.ip()]);
    assert_eq!(world.indicate(&ada, peer, b"x"), Action::Drop);
    assert_eq!(world.receive_from_peer(world.port(), "20.0.0.1:7", b"x"), None);
}

#[test]
fn of_our_addresses_only_relayed_ports_are_reachable() {
    let mut world = World::new();
    let [mut ada, mut ben] =
        [("s.ada", "198.51.100.1:5000"), ("s.ben", "198.51.100.2:5000")].map(|(who, at)| Person::shared(who, at));
    let (at_ada, at_ben) = (world.allocate(&mut ada).expect("one"), world.allocate(&mut ben).expect("two"));
    assert_eq!(world.permit(&mut ada, &[at_ben]), Some(0));
    assert_eq!(world.indicate(&ada, at_ben, b"x"), Action::Drop, "ben has not permitted ada");
    assert_eq!(world.bind(&mut ben, 0x4000, at_ada), 0);
    assert_eq!(world.indicate(&ada, at_ben, b"hello"), Action::Client(ben.client));
    assert_eq!(world.out, frame(0x4000, b"hello"));
    assert_eq!(world.channel(&ben, 0x4000, b"back"), Action::Client(ada.client));
    assert_eq!(indicated(&world.out), (at_ben, b"back".to_vec()));
    // The permission is for the address, of which only ports with an allocation are reachable.
    let other = std::net::SocketAddr::new(at_ben.ip(), 22);
    assert_eq!(world.permit(&mut ada, &[other]), Some(403));
    assert_eq!(world.indicate(&ada, other, b"x"), Action::Drop);
    // A peer whose allocation ended does not make the request fail for the other peers, and receives nothing.
    assert_eq!(world.refresh(&mut ben, 0), 0);
    assert_eq!(world.permit(&mut ada, &[at_ben, addr("20.0.0.1:7")]), Some(0));
    assert_eq!(world.indicate(&ada, at_ben, b"x"), Action::Drop);
}

#[test]
fn an_announced_nat_address_counts_as_ours() {
    let mut world = World::new();
    world.relay.set_own_addresses([]);
    let mut ada = Person::shared("s.ada", "198.51.100.1:5000");
    let relayed = world.allocate(&mut ada).expect("an allocation");
    let beside = std::net::SocketAddr::new(relayed.ip(), 22);
    assert_eq!(world.permit(&mut ada, &[beside]), Some(403));
}

#[test]
fn a_named_service_of_ours_is_reachable_and_nothing_beside_it() {
    let mut world = World::new();
    let mut ada = Person::shared("s.ada", "198.51.100.1:5000");
    let service = addr(&format!("{HERE}:3479"));
    world.allocate(&mut ada).expect("an allocation");
    world.relay.set_own_services(vec![OwnService { announced: service, local: service }]);
    assert_eq!(world.permit(&mut ada, &[service]), Some(0));
    assert!(matches!(world.indicate(&ada, service, b"x"), Action::Peer { peer, .. } if peer == service));
    assert_eq!(world.receive_from_peer(world.port(), &service.to_string(), b"x"), Some(ada.client));
    assert_eq!(indicated(&world.out), (service, b"x".to_vec()));
    let beside = std::net::SocketAddr::new(service.ip(), 22);
    assert_eq!(world.indicate(&ada, beside, b"x"), Action::Drop);
    assert_eq!(world.receive_from_peer(world.port(), &beside.to_string(), b"x"), None);
    let other = addr("12.0.0.1:3479");
    assert_eq!(world.permit(&mut ada, &[other]), Some(403), "another address of ours");
    world.relay.set_own_services(vec![]);
    assert_eq!(world.indicate(&ada, service, b"x"), Action::Drop);
}

#[test]
fn a_named_service_behind_a_nat_is_reached_inside_it() {
    let mut world = World::new();
    let mut ada = Person::shared("s.ada", "198.51.100.1:5000");
    let (announced, local) = (addr("20.0.0.9:3479"), addr("127.0.0.1:3479"));
    world.allocate(&mut ada).expect("an allocation");
    world.relay.set_own_services(vec![OwnService { announced, local }]);
    assert_eq!(world.permit(&mut ada, &[announced]), Some(0));
    assert!(matches!(world.indicate(&ada, announced, b"x"), Action::Peer { peer, .. } if peer == local));
    for source in ["127.0.0.1:3479".to_owned(), format!("{HERE}:3479")] {
        assert_eq!(world.receive_from_peer(world.port(), &source, b"x"), Some(ada.client), "{source}");
        assert_eq!(indicated(&world.out), (announced, b"x".to_vec()), "{source}");
    }
    for stranger in ["127.0.0.1:22".to_owned(), format!("{HERE}:22"), "20.0.0.8:3479".to_owned()] {
        assert_eq!(world.receive_from_peer(world.port(), &stranger, b"x"), None, "{stranger}");
    }
}

#[test]
fn loopback_may_be_allowed_for_tests() {
    let mut world =
        World::with(PeerPolicy { allow_lan: false, allow_loopback: true }, Shares { per_person: 1, total: 1 });
    let mut ada = Person::shared("s.ada", "127.0.0.1:5000");
    world.allocate(&mut ada).expect("an allocation");
    assert_eq!(world.permit(&mut ada, &[addr("127.0.0.1:7"), addr("11.0.0.1:7")]), Some(0));
    assert_ne!(world.indicate(&ada, addr("127.0.0.1:7"), b"x"), Action::Drop);
    assert_eq!(world.indicate(&ada, addr("127.0.0.1:0"), b"x"), Action::Drop, "nothing is at port 0");
}

#[test]
fn inconsistent_messages_are_dropped() {
    let mut world = World::new();
    let ada = Person::shared("s.ada", "198.51.100.1:5000");
    let mut good = Message::builder_request(BINDING, MessageWriteVec::new());
    good.add_attribute(&RawAttribute::new(0x8022.into(), b"abc")).expect("added");
    let good = good.finish();
    assert_ne!(world.handle(&ada.client, &good), Action::Drop);
    for length in 0..good.len() {
        assert_eq!(world.handle(&ada.client, &good[..length]), Action::Drop, "{length}");
    }
    for (place, value) in [(4, 0), (23, 200), (0, 0x01), (0, 0xc0)] {
        let mut bent = good.clone();
        bent[place] = value;
        assert_eq!(world.handle(&ada.client, &bent), Action::Drop, "{place}");
    }
    let long = [&good[..], &[0; 4_000]].concat();
    assert_eq!(world.handle(&ada.client, &long), Action::Drop);
}
