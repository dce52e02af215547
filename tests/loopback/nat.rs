//! Two people behind two routers, in eight pairs of networks. The server and its relay are on the Internet.
//!
//! ```text
//!  left ── its router 10.77.1.2 ── 10.77.1.1 Internet 10.77.2.1 ── 10.77.2.2 router ── right
//!                                       10.77.3.1: the server
//! ```

use server::{BuiltinTurn, Config, Server, Tls, Turn};
use whole_system::authority::Authority;
use whole_system::distant::{self, Distant, Role};
use whole_system::network::Network;
use whole_system::skip_unless;

const SERVER: &str = "10.77.3.1";
const ADA: (&str, u32) = ("Ada", 440);
const BEN: (&str, u32) = ("Ben", 600);

#[test]
fn without_routers_people_meet_directly() {
    let Some(pairs) = meet(None, None, &[]) else { return };
    assert!(pairs.iter().all(|pair| pair.starts_with("relayed=false host-host")), "{pairs:?}");
}

#[test]
fn behind_ordinary_routers_people_meet_directly() {
    let Some(pairs) = meet(Some(Router::Cone), Some(Router::Cone), &[]) else { return };
    assert!(pairs.iter().all(|pair| pair.starts_with("relayed=false")), "{pairs:?}");
}

#[test]
fn a_router_with_a_new_port_for_each_destination_needs_one_relay() {
    let Some(pairs) = meet(Some(Router::Symmetric), Some(Router::Cone), &[]) else { return };
    assert!(pairs.iter().all(|pair| pair.starts_with("relayed=true")), "{pairs:?}");
}

#[test]
fn two_such_routers_need_a_relay_over_udp() {
    let Some(pairs) = meet(Some(Router::Symmetric), Some(Router::Symmetric), &[]) else { return };
    assert!(pairs.iter().all(|pair| pair.starts_with("relayed=true")), "{pairs:?}");
    assert!(pairs.iter().any(|pair| pair.ends_with("over=udp")), "{pairs:?}");
}

#[test]
fn where_no_udp_leaves_the_relay_is_reached_over_a_stream() {
    let Some(pairs) = meet(Some(Router::NoUdp), Some(Router::Cone), &[]) else { return };
    assert!(pairs.iter().all(|pair| pair.starts_with("relayed=true")), "{pairs:?}");
    assert!(pairs[0].ends_with("over=tcp") || pairs[0].ends_with("over=tls"), "{pairs:?}");
}

#[test]
fn a_relay_that_is_offered_over_tcp_alone_suffices() {
    let Some(pairs) = meet(Some(Router::NoUdp), Some(Router::Cone), &["turn:10.77.3.1:3478?transport=tcp"]) else {
        return;
    };
    assert!(pairs[0].starts_with("relayed=true relay-") && pairs[0].ends_with("over=tcp"), "{pairs:?}");
}

#[test]
fn where_only_port_443_is_open_the_relay_is_reached_over_tls() {
    let Some(pairs) = meet(Some(Router::Only443), Some(Router::Cone), &[]) else { return };
    assert!(pairs[0].starts_with("relayed=true relay-") && pairs[0].ends_with("over=tls"), "{pairs:?}");
}

#[test]
fn two_people_for_whom_only_port_443_is_open_meet() {
    let Some(pairs) = meet(Some(Router::Only443), Some(Router::Only443), &[]) else { return };
    assert!(pairs.iter().all(|pair| pair == "relayed=true relay-relay udp over=tls"), "{pairs:?}");
}

/// What a router lets out. All keep out what nobody inside has asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Router {
    /// Keeps the port, and admits answers from addresses and ports to which something was sent.
    Cone,
    /// Takes a new port for each destination.
    Symmetric,
    /// Lets no UDP out.
    NoUdp,
    /// Lets only TCP to port 443 out.
    Only443,
}

impl Router {
    fn translation(self) -> &'static str {
        match self {
            Router::Cone | Router::NoUdp | Router::Only443 => "masquerade",
            Router::Symmetric => "masquerade random,fully-random",
        }
    }

    fn refuses(self) -> &'static [&'static str] {
        match self {
            Router::Cone | Router::Symmetric => &[],
            Router::NoUdp => &["meta l4proto udp drop"],
            Router::Only443 => &["meta l4proto != tcp drop", "tcp dport != 443 drop"],
        }
    }
}

/// Lets two people meet behind these routers, until they see and hear each other. Returns the path of each, or `None` if
/// a tool is missing. `stream_urls` are the relay's URLs over TCP and TLS, by default all.
fn meet(left: Option<Router>, right: Option<Router>, stream_urls: &[&str]) -> Option<[String; 2]> {
    if !Network::available() || !skip_unless("nft") {
        return None;
    }
    let internet = Network::new();
    internet.ip(&format!("address add {SERVER}/32 dev lo"));
    forward(&internet);
    let places = [network(&internet, 1, left), network(&internet, 2, right)];
    let authority = Authority::new(SERVER);
    let runtime = internet.runtime();
    let config = config(&authority, stream_urls);
    let _server =
        runtime.block_on(async { runtime.spawn(Server::start(config)).await.expect("a task").expect("a server") });
    let environment = [("SSL_CERT_FILE".to_owned(), authority.file("root.pem"))];
    let server = &format!("wss://{SERVER}:443");
    let roles =
        [(ADA, BEN), (BEN, ADA)].map(|(own, other)| Role { server, hidden: false, forwarded: false, own, other });
    let mut people = [0, 1].map(|n| Distant::start(module_path!(), &places[n].person, &roles[n], &environment));
    Some(people.each_mut().map(Distant::path))
}

fn config(authority: &Authority, stream_urls: &[&str]) -> Config {
    let [certificate, key] = ["leaf.pem", "leaf.key"].map(|file| authority.file(file).into());
    let stream_urls = stream_urls.iter().map(|url| (*url).to_owned()).collect();
    let external = vec![SERVER.parse().expect("an address")];
    let turn = BuiltinTurn { allow_lan: true, external, stream_urls, ..BuiltinTurn::default() };
    Config {
        listen: ([0, 0, 0, 0], 443).into(),
        tls: Tls::Files { certificate, key },
        public_url: Some(format!("wss://{SERVER}").parse().expect("a URL")),
        turn: Turn::Builtin(turn),
        ..Config::default()
    }
}

/// A person's network, and the router's, which exists as long as it is held.
struct Home {
    person: Network,
    _router: Option<Network>,
}

/// Connects a person's network to the Internet, behind a router.
fn network(internet: &Network, n: u8, router: Option<Router>) -> Home {
    let (near, far) = (format!("10.77.{n}.1"), format!("10.77.{n}.2/24"));
    let (port, person) = (format!("to{n}"), Network::new());
    let Some(router) = router else {
        internet.cable((&port, &format!("{near}/24")), &person, ("wan", &far));
        person.ip(&format!("route add default via {near}"));
        return Home { person, _router: None };
    };
    let between = Network::new();
    internet.cable((&port, &format!("{near}/24")), &between, ("wan", &far));
    between.ip(&format!("route add default via {near}"));
    forward(&between);
    between.cable(("lan", &format!("192.168.{n}.1/24")), &person, ("eth0", &format!("192.168.{n}.2/24")));
    person.ip(&format!("route add default via 192.168.{n}.1"));
    route(&between, router);
    Home { person, _router: Some(between) }
}

/// Makes a network a router.
fn route(between: &Network, router: Router) {
    let refuses = router.refuses().iter().map(|rule| format!("add rule ip nat out {rule}"));
    let rules = [
        "add table ip nat",
        "add chain ip nat out",
        "add chain ip nat post { type nat hook postrouting priority 100 ; }",
        // Without this rule an early packet of the other person takes the mapping, and both packets are lost.
        "add chain ip nat input { type filter hook input priority 0 ; }",
        "add rule ip nat input iifname wan ct state new drop",
        "add chain ip nat forwarded { type filter hook forward priority 0 ; policy drop ; }",
        "add rule ip nat forwarded ct state established,related accept",
        "add rule ip nat forwarded iifname lan oifname wan jump out",
    ];
    let rules = rules.into_iter().map(str::to_owned).chain(refuses).chain([
        "add rule ip nat out accept".to_owned(),
        format!("add rule ip nat post oifname wan {}", router.translation()),
    ]);
    rules.for_each(|rule| between.run("nft", &rule));
}

fn forward(network: &Network) {
    network.inside(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("it forwards"));
}

/// Plays one person, when another test runs it in a network; otherwise does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn one_person() {
    distant::play().await;
}
