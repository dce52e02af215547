//! The doctor names the hop that fails, in broken networks.
//!
//! ```text
//!  client 10.78.1.2 ── 10.78.1.1 router 10.78.2.1 ── 10.78.2.2 server
//! ```
//!
//! The router is the network's firewall. The server of each test has a network of its own.

use doctor::{Diagnosis, Finding, Hop, Options, Proxies, Proxy, Target, Verdict};
use rcgen::{CertificateParams, KeyPair};
use server::{BuiltinTurn, Config, Server, Tls, Turn};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::runtime::Runtime;
use whole_system::network::Network;
use whole_system::scratch::Scratch;
use whole_system::skip_unless;

const SERVER: &str = "ws://10.78.2.2:7077";
/// No examination takes longer.
const LONGEST: Duration = Duration::from_secs(20);

#[test]
fn a_healthy_network_is_found_healthy() {
    let Some(campus) = Campus::build() else { return };
    let _server = campus.serve(Config::default());
    let diagnosis = campus.diagnosis(SERVER);
    assert_eq!(diagnosis, Diagnosis { verdict: Verdict::Good, findings: vec![] });
}

#[test]
fn a_name_that_does_not_resolve_is_named() {
    let Some(campus) = Campus::build() else { return };
    assert_blocked(&campus.diagnosis("wss://lunch.invalid"), Hop::Dns, "name_not_found");
}

#[test]
fn a_closed_port_is_named() {
    let Some(campus) = Campus::build() else { return };
    assert_blocked(&campus.diagnosis(SERVER), Hop::Tcp, "port_closed");
}

#[test]
fn a_firewall_that_drops_packets_is_named() {
    let Some(campus) = Campus::build() else { return };
    let _server = campus.serve(Config::default());
    campus.wall(&["add rule inet wall pass tcp dport 7077 drop"]);
    assert_blocked(&campus.diagnosis(SERVER), Hop::Tcp, "port_silent");
}

#[test]
fn a_proxy_that_requires_a_password_is_named() {
    let Some(campus) = Campus::build() else { return };
    let _server = campus.serve(Config::default());
    campus.wall(&["add rule inet wall pass drop"]);
    let _proxy =
        campus.at_the_router("10.78.1.1:3128", Answer::Text("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"));
    assert_blocked(&campus.diagnosis_by_proxy(SERVER), Hop::Proxy, "proxy_authentication");
}

#[test]
fn rubbish_and_silence_from_a_proxy_are_named() {
    let Some(campus) = Campus::build() else { return };
    campus.wall(&["add rule inet wall pass drop"]);
    let proxy = campus.at_the_router("10.78.1.1:3128", Answer::Text("220 mail.example ESMTP\r\n\r\n"));
    assert_blocked(&campus.diagnosis_by_proxy(SERVER), Hop::Proxy, "proxy_invalid_answer");
    drop(proxy);
    let _proxy = campus.at_the_router("10.78.1.1:3128", Answer::Trickle("HTTP/1.1 200 OK\r\nX: "));
    assert_blocked(&campus.diagnosis_by_proxy(SERVER), Hop::Proxy, "proxy_no_answer");
}

#[test]
fn a_captive_portal_is_named_with_its_address() {
    let Some(campus) = Campus::build() else { return };
    let _server = campus.serve(Config::default());
    campus.redirect(7077, 8080);
    let redirect = "HTTP/1.1 302 Found\r\nLocation: http://login.wifi.example/\r\nContent-Length: 0\r\n\r\n";
    let portal = campus.at_the_router("10.78.1.1:8080", Answer::Text(redirect));
    let diagnosis = campus.diagnosis(SERVER);
    assert_blocked(&diagnosis, Hop::WebSocket, "captive_portal");
    assert_eq!(diagnosis.findings, [Finding::CaptivePortal { to: Some("login.wifi.example".into()) }]);
    drop(portal);
    let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nlogin";
    let _portal = campus.at_the_router("10.78.1.1:8080", Answer::Text(page));
    assert_blocked(&campus.diagnosis(SERVER), Hop::WebSocket, "captive_portal");
}

/// A sign-in page answers only plain HTTP. Everything else is dropped until somebody signs in.
#[test]
fn a_captive_portal_in_front_of_tls_is_named() {
    let Some(campus) = Campus::build() else { return };
    campus.redirect(80, 8080);
    campus.wall(&["add rule inet wall pass drop"]);
    let redirect = "HTTP/1.1 302 Found\r\nLocation: http://login.wifi.example/\r\nContent-Length: 0\r\n\r\n";
    let _portal = campus.at_the_router("10.78.1.1:8080", Answer::Text(redirect));
    let diagnosis = campus.diagnosis("wss://10.78.2.2");
    assert_eq!(diagnosis.findings, [Finding::CaptivePortal { to: Some("login.wifi.example".into()) }]);
}

#[test]
fn a_server_that_trickles_its_answer_is_named() {
    let Some(campus) = Campus::build() else { return };
    campus.redirect(7077, 8080);
    let _slow = campus.at_the_router("10.78.1.1:8080", Answer::Trickle("HTTP/1.1 101 Switching Protocols\r\nX: "));
    assert_blocked(&campus.diagnosis(SERVER), Hop::WebSocket, "websocket_silent");
}

#[test]
fn a_firewall_that_intercepts_tls_is_named() {
    let Some(campus) = Campus::build() else { return };
    let certificate = Certificate::new();
    let _server = campus.serve(certificate.config("0.0.0.0:443"));
    let pinned = certificate.target("wss://10.78.2.2");
    assert_eq!(campus.examined(&pinned, Proxies::Direct).verdict, Verdict::Good);
    campus.redirect(443, 8443);
    let _firewall = serve(&campus.router, Certificate::new().config("10.78.1.1:8443"));
    assert_blocked(&campus.examined(&pinned, Proxies::Direct), Hop::Tls, "wrong_certificate");
    if std::path::Path::new("/etc/ssl/certs/ca-certificates.crt").is_file() {
        assert_blocked(&campus.diagnosis("wss://10.78.2.2"), Hop::Tls, "certificate_untrusted");
    }
}

#[test]
fn a_tls_handshake_without_an_end_is_named() {
    let Some(campus) = Campus::build() else { return };
    campus.redirect(443, 8443);
    let _endless = campus.at_the_router("10.78.1.1:8443", Answer::Trickle("\x16\x03\x03\x40\x00\x02\x00\x3f\x7f"));
    assert_blocked(&campus.diagnosis("wss://10.78.2.2"), Hop::Tls, "tls_silent");
}

#[test]
fn a_network_without_udp_restricts_calls_to_tcp() {
    let Some(campus) = Campus::build() else { return };
    let _server = campus.serve(Config::default());
    campus.wall(&["add rule inet wall pass meta l4proto udp drop"]);
    let diagnosis = campus.diagnosis(SERVER);
    assert_restricted(&diagnosis, Hop::Stun, "udp_blocked");
    let ask = diagnosis.findings[0].words(doctor::Language::En).ask;
    assert!(ask.contains("UDP port 3478, or TCP port 3478, or TCP port 7077 to 10.78.2.2"), "{ask}");
}

#[test]
fn a_network_with_one_open_port_restricts_calls_to_tls() {
    let Some(campus) = Campus::build() else { return };
    let certificate = Certificate::new();
    let _server = campus.serve(certificate.config("0.0.0.0:443"));
    campus.wall(&["add rule inet wall pass tcp dport 443 accept", "add rule inet wall pass ip saddr 10.78.1.2 drop"]);
    let diagnosis = campus.examined(&certificate.target("wss://10.78.2.2"), Proxies::Direct);
    assert_restricted(&diagnosis, Hop::Stun, "only_tls");
}

#[test]
fn a_relay_that_does_not_answer_is_named() {
    let Some(campus) = Campus::build() else { return };
    let urls = ["turn:10.78.2.2:3479?transport=udp", "turn:10.78.2.2:3479?transport=tcp"].map(str::to_owned);
    let _server = campus.serve(external(urls.to_vec()));
    let _mute = running(&campus.server, async {
        let udp = UdpSocket::bind("10.78.2.2:3479").await.expect("a port");
        let tcp = TcpListener::bind("10.78.2.2:3479").await.expect("a port");
        tokio::spawn(async move {
            let mut accepted = vec![];
            while let Ok((stream, _)) = tcp.accept().await {
                accepted.push(stream);
            }
            drop(udp);
        });
    });
    assert_blocked(&campus.diagnosis(SERVER), Hop::Turn, "relay_silent");
}

#[test]
fn a_relay_that_answers_rubbish_is_named() {
    let Some(campus) = Campus::build() else { return };
    let urls = vec!["turn:10.78.2.2:3479?transport=udp".to_owned()];
    let _server = campus.serve(external(urls));
    let _rubbish = running(&campus.server, async {
        let udp = UdpSocket::bind("10.78.2.2:3479").await.expect("a port");
        tokio::spawn(async move {
            let mut buffer = [0; 2048];
            while let Ok((_, from)) = udp.recv_from(&mut buffer).await {
                let _ = udp.send_to(b"rubbish", from).await;
            }
        });
    });
    assert_blocked(&campus.diagnosis(SERVER), Hop::Turn, "relay_garbage");
}

#[test]
fn a_relay_that_is_not_running_is_named() {
    let Some(campus) = Campus::build() else { return };
    let urls = vec!["turn:10.78.2.2:3479?transport=udp".to_owned()];
    let _server = campus.serve(external(urls));
    assert_blocked(&campus.diagnosis(SERVER), Hop::Turn, "relay_closed");
}

#[test]
fn a_path_that_swallows_large_datagrams_is_named() {
    let Some(campus) = Campus::build() else { return };
    let _server = campus.serve(Config::default());
    campus.router.ip("link set south mtu 1100");
    campus.server.ip("link set north mtu 1100");
    assert_restricted(&campus.diagnosis(SERVER), Hop::Mtu, "mtu_small");
    campus.wall(&["add rule inet wall send icmp type destination-unreachable drop"]);
    campus.client.ip("route flush cache");
    let diagnosis = campus.diagnosis(SERVER);
    assert_restricted(&diagnosis, Hop::Mtu, "mtu_black_hole");
    assert_eq!(diagnosis.findings, [Finding::MtuBlackHole { passes: 1_000 }]);
}

fn assert_blocked(diagnosis: &Diagnosis, hop: Hop, code: &str) {
    assert_first(diagnosis, Verdict::Blocked, hop, code);
}

fn assert_restricted(diagnosis: &Diagnosis, hop: Hop, code: &str) {
    assert_first(diagnosis, Verdict::Restricted, hop, code);
}

/// Asserts that this is the only finding.
fn assert_first(diagnosis: &Diagnosis, verdict: Verdict, hop: Hop, code: &str) {
    let found: Vec<_> = diagnosis.findings.iter().map(|finding| (finding.hop(), finding.code())).collect();
    assert_eq!((diagnosis.verdict, &found[..]), (verdict, &[(hop, code)][..]), "{:?}", diagnosis.findings);
}

struct Campus {
    client: Network,
    router: Network,
    server: Network,
}

impl Campus {
    fn build() -> Option<Campus> {
        if !Network::available() || !skip_unless("nft") {
            return None;
        }
        let campus = Campus { client: Network::new(), router: Network::new(), server: Network::new() };
        campus.router.cable(("north", "10.78.1.1/24"), &campus.client, ("south", "10.78.1.2/24"));
        campus.router.cable(("south", "10.78.2.1/24"), &campus.server, ("north", "10.78.2.2/24"));
        // Without a default route, so that the resolver of this machine cannot be asked.
        campus.client.ip("route add 10.78.2.0/24 via 10.78.1.1");
        campus.server.ip("route add default via 10.78.2.1");
        campus.router.inside(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("it forwards"));
        let chains = [
            "add table inet wall",
            "add chain inet wall pass { type filter hook forward priority 0 ; }",
            "add chain inet wall send { type filter hook output priority 0 ; }",
            "add chain inet wall turn { type nat hook prerouting priority -100 ; }",
        ];
        campus.wall(&chains);
        Some(campus)
    }

    /// Adds rules of the router's firewall.
    fn wall(&self, rules: &[&str]) {
        rules.iter().for_each(|rule| self.router.run("nft", rule));
    }

    /// Makes the router itself answer what is for this TCP port of the server.
    fn redirect(&self, port: u16, to: u16) {
        self.wall(&[&format!("add rule inet wall turn iif north tcp dport {port} redirect to :{to}")]);
    }

    fn serve(&self, config: Config) -> (Runtime, Server) {
        serve(&self.server, config)
    }

    /// Answers each connection to this address of the router like this.
    fn at_the_router(&self, address: &'static str, answer: Answer) -> Runtime {
        running(&self.router, async move {
            let listener = TcpListener::bind(address).await.expect("a port");
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(answer.give(stream));
                }
            });
        })
    }

    fn diagnosis(&self, server: &str) -> Diagnosis {
        self.examined(&Target::parse(server).expect("an address"), Proxies::Direct)
    }

    fn diagnosis_by_proxy(&self, server: &str) -> Diagnosis {
        let proxies = Proxies::One(Proxy::new("10.78.1.1", 3128));
        self.examined(&Target::parse(server).expect("an address"), proxies)
    }

    /// Examines from the client's network.
    fn examined(&self, target: &Target, proxies: Proxies) -> Diagnosis {
        let runtime = self.client.runtime();
        let (target, options) = (target.clone(), Options { proxies, ..Options::default() });
        let start = Instant::now();
        let examination = async move { doctor::examine(&target, &options).await };
        let seen = runtime.block_on(async { runtime.spawn(examination).await.expect("no panic") });
        assert!(start.elapsed() < LONGEST, "{:?}", start.elapsed());
        runtime.shutdown_background();
        println!("{seen:#?}");
        doctor::diagnose(&seen)
    }
}

/// How something that is not a Lunchroom server answers.
#[derive(Clone, Copy)]
enum Answer {
    /// Reads a head, sends this, and stays silent.
    Text(&'static str),
    /// Sends these bytes slowly, and then more without an end.
    Trickle(&'static str),
}

impl Answer {
    async fn give(self, mut stream: tokio::net::TcpStream) {
        match self {
            Answer::Text(text) => {
                let mut head = vec![];
                while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.is_ok_and(|count| count > 0) {}
                let _ = stream.write_all(text.as_bytes()).await;
                let _ = stream.read_to_end(&mut head).await;
            }
            Answer::Trickle(text) => {
                for byte in text.bytes().chain(std::iter::repeat(b'x')) {
                    if stream.write_all(&[byte]).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }
}

/// A certificate of its own for the server.
struct Certificate {
    folder: Scratch,
    fingerprint: [u8; 32],
}

impl Certificate {
    fn new() -> Certificate {
        let folder = Scratch::new("doctor");
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new(["10.78.2.2".to_owned()]).expect("a host");
        let certificate = certificate.self_signed(&key).expect("a certificate");
        std::fs::write(folder.join("leaf.pem"), certificate.pem()).expect("a file");
        std::fs::write(folder.join("leaf.key"), key.serialize_pem()).expect("a file");
        Certificate { folder, fingerprint: Sha256::digest(certificate.der()).into() }
    }

    /// A server that listens here with this certificate. It has only one TCP port beside its relay.
    fn config(&self, listen: &str) -> Config {
        let (certificate, key) = (self.folder.join("leaf.pem"), self.folder.join("leaf.key"));
        let turn = Turn::Builtin(BuiltinTurn::default());
        let listen: SocketAddr = listen.parse().expect("an address");
        Config { listen, tls: Tls::Files { certificate, key }, turn, ..Config::default() }
    }

    fn target(&self, url: &str) -> Target {
        Target { fingerprint: Some(self.fingerprint), ..Target::parse(url).expect("an address") }
    }
}

/// A server whose relay is another program.
fn external(urls: Vec<String>) -> Config {
    Config { turn: Turn::External(urls), secret: Some("shared".into()), ..Config::default() }
}

fn serve(network: &Network, config: Config) -> (Runtime, Server) {
    let runtime = network.runtime();
    let server = runtime.block_on(async { runtime.spawn(Server::start(config)).await });
    (runtime, server.expect("a task").expect("a server"))
}

/// Runs this in a network, with the tasks that it spawns. Dropping the runtime ends them.
fn running(network: &Network, start: impl Future<Output = ()> + Send + 'static) -> Runtime {
    let runtime = network.runtime();
    runtime.block_on(async { runtime.spawn(start).await.expect("no panic") });
    runtime
}
