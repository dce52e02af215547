//! Two people in two networks. The server is between them, and is the only machine that both can reach.
//!
//! ```text
//!  left 10.77.1.2 ── 10.77.1.1 middle 10.77.2.1 ── 10.77.2.2 right
//! ```

use server::{BuiltinTurn, Config, Forwarding, Server, Turn};
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use whole_system::authority::Authority;
use whole_system::desktop::Ended;
use whole_system::distant::{self, Distant, Role};
use whole_system::network::Network;
use whole_system::skip_unless;

/// Whether people use only relays.
const OPENLY: bool = false;
const HIDDEN: bool = true;

#[test]
fn reachable_networks_need_no_relay() {
    let Some(town) = Town::build() else { return };
    let pairs = town.meet(Turn::Builtin(builtin()), OPENLY);
    assert!(pairs.iter().all(|pair| pair.starts_with("relayed=false") && !pair.contains("relay-")), "{pairs:?}");
}

/// Each can reach the other's relayed address, so one relay is enough. Both use one.
#[test]
fn unreachable_networks_connect_over_the_built_in_relay() {
    let Some(town) = Town::build() else { return };
    town.forward_no_udp();
    let pairs = town.meet(Turn::Builtin(builtin()), OPENLY);
    assert!(pairs.iter().all(|pair| pair.starts_with("relayed=true")), "{pairs:?}");
}

#[test]
fn a_single_open_port_suffices_for_the_built_in_relay() {
    let Some(town) = Town::build() else { return };
    town.admit_udp_to(3478);
    assert_both_relayed(&town.meet(Turn::Builtin(builtin()), OPENLY));
}

#[test]
fn relay_only_people_connect_over_the_built_in_relay() {
    let Some(town) = Town::build() else { return };
    assert_both_relayed(&town.meet(Turn::Builtin(builtin()), HIDDEN));
}

/// The relay of a public server does not send to private networks, but it forwards between its own clients.
#[test]
fn a_relay_without_private_networks_connects_its_own_clients() {
    let Some(town) = Town::build() else { return };
    assert_both_relayed(&town.meet(Turn::Builtin(BuiltinTurn::default()), HIDDEN));
}

/// Behind a NAT without hairpinning, nobody can reach the relay's public address.
#[test]
fn a_relay_with_an_unreachable_announced_address_works() {
    let Some(town) = Town::build() else { return };
    let external = vec!["8.8.8.8".parse().expect("an address")];
    assert_both_relayed(&town.meet(Turn::Builtin(BuiltinTurn { external, ..BuiltinTurn::default() }), HIDDEN));
}

#[test]
fn a_single_open_port_suffices_for_coturn() {
    if !skip_unless("turnserver") {
        return;
    }
    let Some(town) = Town::build() else { return };
    town.admit_udp_to(3479);
    let _coturn = town.coturn();
    assert_both_relayed(&town.meet(coturn(), OPENLY));
}

#[test]
fn relay_only_people_connect_over_coturn() {
    if !skip_unless("turnserver") {
        return;
    }
    let Some(town) = Town::build() else { return };
    let _coturn = town.coturn();
    assert_both_relayed(&town.meet(coturn(), HIDDEN));
}

#[test]
fn people_whose_networks_pass_no_udp_meet_over_coturn_by_tcp() {
    if !skip_unless("turnserver") {
        return;
    }
    let Some(town) = Town::build() else { return };
    town.pass_no_udp();
    let _coturn = town.coturn();
    let turn = Turn::External(vec!["turn:10.77.1.1:3479?transport=tcp".into()]);
    assert_relayed_over("tcp", &town.meet(turn, OPENLY));
}

#[test]
fn people_whose_networks_pass_no_udp_meet_over_coturn_by_tls() {
    if !skip_unless("turnserver") {
        return;
    }
    let Some(mut town) = Town::build() else { return };
    town.pass_no_udp();
    let authority = Authority::new("10.77.1.1");
    let _coturn = town.coturn_with_tls(&authority);
    town.environment.push(("SSL_CERT_FILE".into(), authority.file("root.pem")));
    let turn = Turn::External(vec!["turns:10.77.1.1:3480?transport=tcp".into()]);
    assert_relayed_over("tls", &town.meet(turn, OPENLY));
}

/// The WebSocket and the relay are reached through the proxy, which requires a password.
#[test]
fn people_whose_only_way_out_is_a_proxy_meet() {
    if !skip_unless("turnserver") {
        return;
    }
    let Some(mut town) = Town::build() else { return };
    town.pass_no_udp();
    town.wall(&["add rule inet wall pass drop", "add rule inet wall take iif != lo tcp dport != 3128 drop"]);
    let _coturn = town.coturn();
    let runtime = town.middle.runtime();
    runtime
        .block_on(async { runtime.spawn(proxy("10.77.1.1:3128", "Basic YWRhOnNlY3JldA==")).await.expect("a proxy") });
    town.environment.push(("HTTPS_PROXY".into(), "http://ada:secret@10.77.1.1:3128".into()));
    let turn = Turn::External(vec!["turn:10.77.1.1:3479?transport=tcp".into()]);
    assert_relayed_over("tcp", &town.meet(turn, OPENLY));
}

#[test]
fn people_whose_networks_pass_no_udp_meet_in_a_forwarded_room() {
    let Some(town) = Town::build() else { return };
    town.pass_no_udp();
    assert_forwarded_over_tcp(&town.meet_forwarded(Forwarding::default()));
}

/// Behind a NAT without hairpinning, the relay does not reach the forwarder's public address either.
#[test]
fn people_whose_networks_pass_no_udp_meet_in_a_forwarded_room_behind_a_nat() {
    let Some(town) = Town::build() else { return };
    town.pass_no_udp();
    let external = vec!["8.8.8.8".parse().expect("an address")];
    assert_forwarded_over_tcp(&town.meet_forwarded(Forwarding { external, ..Forwarding::default() }));
}

fn assert_forwarded_over_tcp(pairs: &[String; 2]) {
    assert!(pairs.iter().all(|pair| pair.starts_with("relayed=true relay-host ")), "{pairs:?}");
    assert!(pairs.iter().all(|pair| pair.ends_with(" over=tcp")), "{pairs:?}");
}

/// Asserts that both sides have relayed candidates from servers that they reach by this transport.
fn assert_relayed_over(transport: &str, pairs: &[String; 2]) {
    assert_both_relayed(pairs);
    assert!(pairs.iter().all(|pair| pair.ends_with(&format!(" over={transport}"))), "{pairs:?}");
}

/// Asserts that the local candidate of each pair is a relayed one.
fn assert_both_relayed(pairs: &[String; 2]) {
    assert!(pairs.iter().all(|pair| pair.starts_with("relayed=true relay-relay ")), "{pairs:?}");
}

fn coturn() -> Turn {
    Turn::External(vec!["turn:10.77.1.1:3479?transport=udp".into()])
}

fn builtin() -> BuiltinTurn {
    BuiltinTurn { allow_lan: true, ..BuiltinTurn::default() }
}

struct Town {
    middle: Network,
    left: Network,
    right: Network,
    /// Environment variables of the people.
    environment: Vec<(String, String)>,
}

impl Town {
    fn build() -> Option<Town> {
        if !Network::available() || !skip_unless("nft") {
            return None;
        }
        let town = Town { middle: Network::new(), left: Network::new(), right: Network::new(), environment: vec![] };
        town.middle.cable(("west", "10.77.1.1/24"), &town.left, ("east", "10.77.1.2/24"));
        town.middle.cable(("east", "10.77.2.1/24"), &town.right, ("west", "10.77.2.2/24"));
        town.left.ip("route add default via 10.77.1.1");
        town.right.ip("route add default via 10.77.2.1");
        town.middle.inside(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("it forwards"));
        Some(town)
    }

    /// Stops the middle from forwarding UDP. It still accepts UDP for itself.
    fn forward_no_udp(&self) {
        self.wall(&["add rule inet wall pass meta l4proto udp drop"]);
    }

    /// Drops all UDP in the middle.
    fn pass_no_udp(&self) {
        self.forward_no_udp();
        self.wall(&["add rule inet wall take iif != lo meta l4proto udp drop"]);
    }

    /// Drops UDP from outside in the middle, except to this port.
    fn admit_udp_to(&self, port: u16) {
        self.forward_no_udp();
        self.wall(&[&format!("add rule inet wall take iif != lo udp dport != {port} drop")]);
    }

    fn wall(&self, rules: &[&str]) {
        let chains = [
            "add table inet wall",
            "add chain inet wall pass { type filter hook forward priority 0 ; }",
            "add chain inet wall take { type filter hook input priority 0 ; }",
        ];
        chains.iter().chain(rules).for_each(|rule| self.middle.run("nft", rule));
    }

    /// Lets two people meet, see and hear each other. Returns the path of each. With `hidden` they use only relays.
    fn meet(&self, turn: Turn, hidden: bool) -> [String; 2] {
        self.meet_at(Config { turn, secret: Some("shared".into()), ..Config::default() }, hidden)
    }

    /// The same in a room that the server forwards from the second person on, with the relay of a public server.
    fn meet_forwarded(&self, mut forwarding: Forwarding) -> [String; 2] {
        forwarding.limits.from = 2;
        let turn = Turn::Builtin(BuiltinTurn::default());
        self.meet_at(Config { turn, forwarding: Some(forwarding), ..Config::default() }, OPENLY)
    }

    fn meet_at(&self, config: Config, hidden: bool) -> [String; 2] {
        let middle = self.middle.runtime();
        let forwarded = config.forwarding.is_some();
        let server = middle.block_on(async { middle.spawn(Server::start(config)).await });
        let _server = server.expect("a task").expect("a server");
        let places = [(&self.left, "ws://10.77.1.1:7077", ADA, BEN), (&self.right, "ws://10.77.2.1:7077", BEN, ADA)];
        let mut people = places.map(|(network, server, own, other)| {
            Distant::start(module_path!(), network, &Role { server, hidden, forwarded, own, other }, &self.environment)
        });
        people.each_mut().map(Distant::path)
    }

    fn coturn(&self) -> Ended {
        self.coturn_with(&["--no-tls"])
    }

    fn coturn_with_tls(&self, authority: &Authority) -> Ended {
        let [certificate, key] = ["leaf.pem", "leaf.key"].map(|file| authority.file(file));
        let files = [format!("--cert={certificate}"), format!("--pkey={key}")];
        self.coturn_with(&["--tls-listening-port=3480", &files[0], &files[1]])
    }

    fn coturn_with(&self, options: &[&str]) -> Ended {
        let mut command = Command::new("turnserver");
        command
            .args(["-n", "--use-auth-secret", "--static-auth-secret=shared", "--realm=lunchroom"])
            .args(["--no-dtls", "--no-cli", "--listening-ip=10.77.1.1", "--relay-ip=10.77.1.1"])
            .args(["--listening-port=3479", "--log-file=/dev/null", "--pidfile=/dev/null"])
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let coturn = Ended(self.middle.spawn(&mut command));
        // It accepts TCP on the port on which it accepts UDP.
        let listens = || self.middle.inside(|| std::net::TcpStream::connect("10.77.1.1:3479").is_ok());
        for _ in 0..1000 {
            if listens() {
                return coturn;
            }
            std::thread::sleep(LOOK);
        }
        panic!("coturn does not listen");
    }
}

/// Starts an HTTP proxy that only knows CONNECT and requires this authorization.
async fn proxy(at: &str, authorization: &'static str) {
    let listener = TcpListener::bind(at).await.expect("a port");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(proxied(stream, authorization));
        }
    });
}

async fn proxied(mut stream: TcpStream, authorization: &str) -> std::io::Result<()> {
    let mut request = vec![];
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await?);
    }
    let request = String::from_utf8_lossy(&request);
    let place = request.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next());
    let Some(place) = place.filter(|_| request.contains(&format!("\r\nProxy-Authorization: {authorization}\r\n")))
    else {
        return stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await;
    };
    let mut server = TcpStream::connect(place).await?;
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    tokio::io::copy_bidirectional(&mut stream, &mut server).await.map(|_| ())
}

const ADA: (&str, u32) = ("Ada", 440);
const BEN: (&str, u32) = ("Ben", 600);
/// Polling interval.
const LOOK: Duration = Duration::from_millis(20);

/// Plays one person, when another test runs it in a network; otherwise does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn one_person() {
    distant::play().await;
}
