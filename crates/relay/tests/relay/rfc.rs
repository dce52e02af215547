//! The rules of RFC 8489 and RFC 8656.

use std::time::Duration;

use relay::{Action, Client, NotOpened, PeerPolicy, Shares, Transport};
use stun_types::AddressFamily;
use stun_types::attribute::{AttributeStaticType as _, AttributeWrite, Fingerprint, RawAttribute, Software};
use stun_types::message::{BINDING, Message, MessageClass, MessageWriteVec, Method};
use stun_types::prelude::{MessageWrite as _, MessageWriteExt as _};
use turn_types::attribute::{
    DontFragment, EvenPort, Lifetime, RequestedAddressFamily, RequestedTransport, ReservationToken,
};
use turn_types::message::{ALLOCATE, CREATE_PERMISSION, REFRESH};

use crate::world::*;

const PEER: &str = "20.0.0.1:4000";

#[test]
fn binding_returns_the_mapped_address() {
    let mut world = World::new();
    let ada = Person::shared("s.ada", "198.51.100.1:5000");
    let request = Message::builder_request(BINDING, MessageWriteVec::new()).finish();
    let reply = world.send(&ada, &request).expect("an answer");
    assert_eq!((reply.message().class(), reply.mapped()), (MessageClass::Success, ada.client.remote));
    assert!(!reply.has(Fingerprint::TYPE.value()) && !reply.has(Software::TYPE.value()));
    let mut request = Message::builder_request(BINDING, MessageWriteVec::new());
    request.add_fingerprint().expect("added");
    let reply = world.send(&ada, &request.finish()).expect("an answer");
    assert!(reply.has(Fingerprint::TYPE.value()), "because the request had one");
}

#[test]
fn an_allocation_needs_a_nonce() {
    let mut world = World::new();
    let mut ada = Person::shared("s.ada", "198.51.100.1:5000");
    let request = ada.request(ALLOCATE, &[&udp()]);
    let refused = world.send(&ada, &request).expect("an answer");
    assert_eq!(refused.code(), Some(401));
    ada.nonce = refused.nonce();
    let request = ada.request(ALLOCATE, &[&udp(), &Lifetime::new(u32::MAX), &DontFragment::new()]);
    let granted = world.send(&ada, &request).expect("an answer");
    assert_eq!(granted.code(), None);
    assert_eq!((granted.lifetime(), granted.mapped()), (600, ada.client.remote));
    assert_eq!(granted.relayed().ip().to_string(), HERE);
    assert!(granted.message().validate_integrity_with_key(&ada.key()).is_ok());
    assert!(!granted.has(Software::TYPE.value()));

    assert_eq!(world.send(&ada, &request), Some(granted), "the same request again has the same answer");
    let other = ada.request(ALLOCATE, &[&udp()]);
    assert_eq!(world.send(&ada, &other).expect("an answer").code(), Some(437));
    assert_eq!(world.open.len(), 1);
}

#[test]
fn invalid_allocate_requests_have_their_error_codes() {
    let mut world = World::new();
    let mut ada = Person::shared("s.ada", "198.51.100.1:5000");
    let family = |value: u8| RawAttribute::new(RequestedAddressFamily::TYPE, &[value, 0, 0, 0]).into_owned();
    let unknown = RawAttribute::new(0x7ff0.into(), &[1]);
    let cases: [(u16, &[&dyn AttributeWrite]); 8] = [
        (400, &[]),
        (442, &[&RequestedTransport::new(RequestedTransport::TCP)]),
        (440, &[&udp(), &family(3)]),
        (400, &[&udp(), &ReservationToken::new(1), &EvenPort::new(false)]),
        (400, &[&udp(), &ReservationToken::new(1), &RequestedAddressFamily::new(AddressFamily::IPV4)]),
        (508, &[&udp(), &ReservationToken::new(1)]),
        (420, &[&udp(), &unknown]),
        (400, &[&RawAttribute::new(RequestedTransport::TYPE, &[17])]),
    ];
    for (code, attributes) in cases {
        assert_eq!(world.code(&mut ada, ALLOCATE, attributes), code, "{attributes:?}");
    }
    assert_eq!(world.code(&mut ada, Method::new(0x00a), &[]), 400);
    for (why, code) in [(NotOpened::Family, 440), (NotOpened::Busy, 508)] {
        world.refuse_to_open = Some(why);
        assert_eq!(world.allocate(&mut ada), Err(code));
    }
    world.refuse_to_open = None;
    assert!(world.allocate(&mut ada).is_ok());
    assert_eq!(world.open.len(), 1);
}

#[test]
fn an_allocation_may_have_the_other_address_family() {
    let mut world = World::new();
    let mut ada = Person::shared("s.ada", "198.51.100.1:5000");
    let v6 = RequestedAddressFamily::new(AddressFamily::IPV6);
    assert!(world.ask(&mut ada, ALLOCATE, &[&udp(), &v6]).expect("an answer").relayed().is_ipv6());
    assert_eq!(world.permit(&mut ada, &[addr(PEER)]), Some(443));
    assert_eq!(world.bind(&mut ada, 0x4000, addr(PEER)), 443);
    assert_eq!(world.permit(&mut ada, &[addr("[2606:4700::1]:9")]), Some(0));
    let v4 = RequestedAddressFamily::new(AddressFamily::IPV4);
    assert_eq!(world.code(&mut ada, REFRESH, &[&v4]), 443);
    assert_eq!(world.code(&mut ada, REFRESH, &[&v6]), 0);
}

#[test]
fn data_flows_both_ways_by_indications_and_channels() {
    let mut world = World::new();
    let mut ada = Person::shared("s.ada", "198.51.100.1:5000");
    world.allocate(&mut ada).expect("an allocation");
    let (port, peer) = (world.port(), addr(PEER));
    assert_eq!(world.indicate(&ada, peer, b"early"), Action::Drop);
    assert_eq!(world.receive_from_peer(port, PEER, b"early"), None);
    assert_eq!(world.permit(&mut ada, &[peer]), Some(0));
    // The data begins after the message header, the peer, and the attribute header.
    assert_eq!(world.indicate(&ada, peer, b"hello"), Action::Peer { port, peer, data: 36..41 });
    // A permission is for an address, not for a port.
    assert_eq!(world.receive_from_peer(port, "20.0.0.1:9", b"hi"), Some(ada.client));
    assert_eq!(indicated(&world.out), (addr("20.0.0.1:9"), b"hi".to_vec()));
    assert_eq!(world.receive_from_peer(port, "20.0.0.2:4000", b"hi"), None);

    assert_eq!(world.channel(&ada, 0x4000, b"hello"), Action::Drop, "not bound");
    assert_eq!(world.bind(&mut ada, 0x4000, peer), 0);
    assert_eq!(world.bind(&mut ada, 0x4000, peer), 0, "again");
    assert_eq!(world.bind(&mut ada, 0x4001, peer), 400, "the peer has a channel");
    assert_eq!(world.bind(&mut ada, 0x4000, addr("20.0.0.2:1")), 400, "the number belongs to another peer");
    for outside in [0x3fff, 0x7fff, 0x8000] {
        assert_eq!(world.bind(&mut ada, outside, addr("20.0.0.2:1")), 400, "{outside:x}");
    }
    assert_eq!(world.channel(&ada, 0x4000, b"hello"), Action::Peer { port, peer, data: 4..9 });
    let padded = [frame(0x4000, b"hello"), vec![0; 3]].concat();
    assert_eq!(world.handle(&ada.client, &padded), Action::Peer { port, peer, data: 4..9 });
    assert_eq!(world.handle(&ada.client, &padded[..8]), Action::Drop, "cut");
    assert_eq!(world.receive_from_peer(port, PEER, b"hi!"), Some(ada.client));
    assert_eq!(world.out, frame(0x4000, b"hi!"));
}

#[test]
fn channel_data_on_a_stream_is_padded() {
    let mut world = World::new();
    let mut ada = Person::shared("s.ada", "198.51.100.1:5000");
    ada.client = Client { transport: Transport::Tls, ..ada.client };
    world.allocate(&mut ada).expect("an allocation");
    assert_eq!(world.bind(&mut ada, 0x4000, addr(PEER)), 0);
    assert_eq!(world.receive_from_peer(world.port(), PEER, b"hello"), Some(ada.client));
    assert_eq!(world.out, [frame(0x4000, b"hello"), vec![0; 3]].concat());
}

#[test]
fn an_allocation_ends_with_its_stream() {
    let mut world = World::new();
    let mut ada = Person::shared("s.ada", "198.51.100.1:5000");
    ada.client = Client { transport: Transport::Tcp, ..ada.client };
    let now = world.now().instant;
    world.relay.stream_opened(now, &ada.client);
    world.allocate(&mut ada).expect("an allocation");
    assert_eq!(world.relay.is_of_member(&ada.client), Some(true));
    let other = Person { client: Client { transport: Transport::Udp, ..ada.client }, ..ada.clone() };
    world.relay.stream_closed(now, &other.client);
    assert_eq!(world.open.len(), 1, "another 5-tuple");
    world.relay.stream_closed(now, &ada.client);
    assert_eq!(world.relay.poll_closed(), Some(world.port()));
    assert_eq!(world.relay.is_of_member(&ada.client), None);
}

#[test]
fn a_stream_is_closed_that_has_had_no_allocation_for_ten_seconds() {
    let mut world = World::new();
    let mut ada = Person::shared("s.ada", "198.51.100.1:5000");
    ada.client = Client { transport: Transport::Tls, ..ada.client };
    let now = world.now().instant;
    world.relay.stream_opened(now, &ada.client);
    world.wait(Duration::from_secs(9));
    world.allocate(&mut ada).expect("an allocation");
    world.wait(Duration::from_secs(500));
    assert_eq!(world.relay.poll_closed_stream(), None);
    assert_eq!(world.refresh(&mut ada, 0), 0);
    world.wait(Duration::from_secs(9));
    assert_eq!(world.relay.poll_closed_stream(), None);
    world.wait(Duration::from_secs(1));
    assert_eq!(world.relay.poll_closed_stream(), Some(ada.client));
}

#[test]
fn lifetimes_expire_unless_refreshed() {
    let mut world = World::new();
    let mut ada = Person::shared("s.ada", "198.51.100.1:5000");
    world.allocate(&mut ada).expect("an allocation");
    let peer = addr(PEER);
    assert_eq!(world.bind(&mut ada, 0x4000, peer), 0);
    let minutes = |n: u64| Duration::from_secs(60 * n);
    world.wait(minutes(5) - Duration::from_secs(1));
    assert_ne!(world.channel(&ada, 0x4000, b"x"), Action::Drop);
    world.wait(Duration::from_secs(1));
    assert_eq!(world.channel(&ada, 0x4000, b"x"), Action::Drop, "the permission has expired");
    assert_eq!(world.permit(&mut ada, &[peer]), Some(0));
    assert_ne!(world.channel(&ada, 0x4000, b"x"), Action::Drop);
    assert_eq!(world.refresh(&mut ada, 10), 0);
    world.wait(minutes(5));
    assert_eq!(world.permit(&mut ada, &[peer]), Some(0));
    assert_eq!(world.channel(&ada, 0x4000, b"x"), Action::Drop, "the channel has expired");
    assert_ne!(world.indicate(&ada, peer, b"x"), Action::Drop);
    world.wait(minutes(5));
    assert_eq!(world.permit(&mut ada, &[peer]), Some(437), "the allocation has expired");
    assert!(world.open.is_empty());
}

#[test]
fn an_expired_allocation_can_be_replaced_before_cleanup() {
    let mut world = World::new();
    let mut ada = Person::shared("s.ada", "198.51.100.1:5000");
    let first = world.allocate(&mut ada).expect("an allocation");
    let request = ada.request(ALLOCATE, &[&udp()]);
    // Before the sweep removes expired state.
    let later = relay::Now { instant: world.now().instant + Duration::from_secs(600), ..world.now() };
    let action = world.relay.handle(later, &ada.client, &request, &mut world.out);
    assert!(matches!(action, Action::Open(_)), "{action:?}");
    assert_eq!(world.relay.poll_closed(), Some(world.port()));
    let _ = first;
}

#[test]
fn a_refresh_to_zero_ends_the_allocation_and_is_idempotent() {
    let mut world = World::new();
    let mut ada = Person::shared("s.ada", "198.51.100.1:5000");
    assert_eq!(world.refresh(&mut ada, 600), 437, "there is none");
    world.allocate(&mut ada).expect("an allocation");
    let reply = world.ask(&mut ada, REFRESH, &[&Lifetime::new(0)]).expect("an answer");
    assert_eq!((reply.code(), reply.lifetime()), (None, 0));
    assert!(world.open.is_empty());
    assert_eq!(world.refresh(&mut ada, 0), 0);
    assert_eq!(world.permit(&mut ada, &[addr(PEER)]), Some(437));
    assert_eq!(world.bind(&mut ada, 0x4000, addr(PEER)), 437);
    assert!(world.allocate(&mut ada).is_ok());
}

#[test]
fn an_even_port_reserves_the_next_port_for_the_token() {
    let mut world = World::with(PeerPolicy::default(), Shares { per_person: 3, total: 1_000 });
    let mut ada = Person::shared("s.ada", "198.51.100.1:5000");
    let reply = world.ask(&mut ada, ALLOCATE, &[&udp(), &EvenPort::new(true)]).expect("an answer");
    let (relayed, token) = (reply.relayed(), reply.token().expect("a token"));
    assert!(relayed.port().is_multiple_of(2));
    assert_eq!(world.open.len(), 2);

    let mut eve = Person::shared("s.eve", "198.51.100.2:5000");
    assert_eq!(world.code(&mut eve, ALLOCATE, &[&udp(), &ReservationToken::new(token)]), 508, "not hers");
    let mut second = Person { client: Person::shared("s.ada", "198.51.100.1:5001").client, ..ada.clone() };
    second.nonce = None;
    let reply = world.ask(&mut second, ALLOCATE, &[&udp(), &ReservationToken::new(token)]).expect("an answer");
    assert_eq!(reply.code(), None);
    assert_eq!(reply.relayed().port(), relayed.port() + 1);
    assert_eq!(world.open.len(), 2);
    let mut third = Person { client: Person::shared("s.ada", "198.51.100.1:5002").client, ..second.clone() };
    third.nonce = None;
    assert_eq!(world.code(&mut third, ALLOCATE, &[&udp(), &ReservationToken::new(token)]), 508, "taken");
    assert_eq!(world.code(&mut third, ALLOCATE, &[&udp(), &EvenPort::new(true)]), 486, "two places of three are taken");
    assert_eq!(world.code(&mut third, ALLOCATE, &[&udp(), &EvenPort::new(false)]), 0);
}

#[test]
fn an_unused_reservation_expires() {
    let mut world = World::with(PeerPolicy::default(), Shares { per_person: 2, total: 1_000 });
    let mut ada = Person::shared("s.ada", "198.51.100.1:5000");
    assert_eq!(world.code(&mut ada, ALLOCATE, &[&udp(), &EvenPort::new(true)]), 0);
    let mut second = Person::shared("s.ada", "198.51.100.1:5001");
    assert_eq!(world.allocate(&mut second), Err(486));
    world.wait(Duration::from_secs(30));
    assert_eq!(world.open.len(), 1);
    assert!(world.allocate(&mut second).is_ok());
}

#[test]
fn a_permission_request_permits_all_peers_or_none() {
    let mut world = World::new();
    let mut ada = Person::shared("s.ada", "198.51.100.1:5000");
    world.allocate(&mut ada).expect("an allocation");
    let (one, two) = (addr("20.0.0.1:1"), addr("20.0.0.2:1"));
    assert_eq!(world.permit(&mut ada, &[one, addr("10.0.0.1:1")]), Some(403));
    assert_eq!(world.permit(&mut ada, &[addr("10.0.0.1:1"), one]), Some(403));
    assert_eq!(world.indicate(&ada, one, b"x"), Action::Drop);
    assert_eq!(world.permit(&mut ada, &[one, two]), Some(0));
    assert_ne!(world.indicate(&ada, one, b"x"), Action::Drop);
    assert_ne!(world.indicate(&ada, two, b"x"), Action::Drop);
    assert_eq!(world.code(&mut ada, CREATE_PERMISSION, &[]), 400);
    assert_eq!(world.code(&mut ada, CREATE_PERMISSION, &[&RawAttribute::new(0x12.into(), &[0, 1, 2])]), 400);
}
