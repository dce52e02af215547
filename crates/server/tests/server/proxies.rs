//! Behind nginx and Caddy, with the settings that docs/hosting.md gives.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use server::{BuiltinTurn, Config, Server, Tls, Turn};
use sha2::{Digest as _, Sha256};
use signaling::message::ServerMessage;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::client::{PATIENCE, Raw, join};
use crate::tls::connect_as;
use crate::{config, loopback, start};

const HOSTING: &str = include_str!("../../../../docs/hosting.md");
const HOST: &str = "lunch.example";
const TURN_HOST: &str = "turn.lunch.example";
/// The module of Debian's package.
const STREAM_MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";
/// What the proxy says about itself.
const LOG: &str = "log";
const RETRY: Duration = Duration::from_millis(20);

/// The examples of hosting.md in this language, in their order.
fn examples(language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    HOSTING.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect()
}

/// Replaces what is different in a test. All of it must be there.
fn adapt(example: &str, changes: &[(&str, String)]) -> String {
    changes.iter().fold(example.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from} is not in {text}");
        text.replace(from, to)
    })
}

/// A folder with a certificate for both names, removed when the test ends.
struct Folder {
    path: PathBuf,
    fingerprint: [u8; 32],
}

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("lunchroom-proxies-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a folder");
        let made = rcgen::generate_simple_self_signed([HOST, TURN_HOST].map(str::to_owned)).expect("made");
        std::fs::write(path.join("fullchain.pem"), made.cert.pem()).expect("written");
        std::fs::write(path.join("privkey.pem"), made.signing_key.serialize_pem()).expect("written");
        Folder { path, fingerprint: Sha256::digest(made.cert.der()).into() }
    }

    fn file(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }

    /// The changes of paths to the certificate of `host`.
    fn certificate(&self, host: &str) -> [(String, String); 2] {
        ["fullchain.pem", "privkey.pem"].map(|name| (format!("/etc/letsencrypt/live/{host}/{name}"), self.file(name)))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Addresses that were free a moment ago.
fn free<const N: usize>() -> [SocketAddr; N] {
    let held = [(); N].map(|()| TcpListener::bind(loopback()).expect("a port"));
    held.map(|listener| listener.local_addr().expect("an address"))
}

async fn server(tls: Tls) -> Server {
    let turn = BuiltinTurn { listen: loopback(), stream_listen: vec![loopback()], ..BuiltinTurn::default() };
    start(Config { tls, turn: Turn::Builtin(turn), ..config() }).await
}

/// The address of the server for TURN behind a proxy.
fn turn_stream(server: &Server) -> SocketAddr {
    *server.turn_stream_addrs().last().expect("serves TURN on a stream")
}

fn nginx(folder: &Folder, http: &str, stream: &str) -> Child {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {};\n", folder.file(kind)))
        .concat();
    let text = format!(
        "load_module {STREAM_MODULE};\ndaemon off;\nmaster_process off;\npid {};\nerror_log stderr;\n\
         events {{ }}\nhttp {{\naccess_log off;\n{temporary}{http}}}\n{stream}",
        folder.file("pid"),
    );
    std::fs::write(folder.path.join("nginx.conf"), text).expect("written");
    spawn("nginx", &["-e", "stderr", "-p", &folder.file(""), "-c", &folder.file("nginx.conf")], folder)
}

fn spawn(program: &str, arguments: &[&str], folder: &Folder) -> Child {
    let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
    Command::new(program)
        .args(arguments)
        .env("PATH", path)
        .env("HOME", &folder.path)
        .env("SSL_CERT_FILE", folder.file("fullchain.pem"))
        .stdin(Stdio::null())
        .stderr(std::fs::File::create(folder.path.join(LOG)).expect("created"))
        .kill_on_drop(true)
        .spawn()
        .expect("runs")
}

fn is_installed(program: &str) -> bool {
    let folders = ["/usr/sbin", "/usr/bin", "/usr/local/bin"];
    let there = folders.iter().any(|folder| Path::new(folder).join(program).exists());
    if !there {
        println!("SKIPPED: {program} is not installed");
    }
    there
}

fn has_nginx() -> bool {
    let has_module = Path::new(STREAM_MODULE).exists();
    if !has_module {
        println!("SKIPPED: nginx's stream module is not installed");
    }
    has_module && is_installed("nginx")
}

/// A call can be joined through the proxy, once it runs.
async fn joins_through(at: SocketAddr, folder: &Folder) {
    let connected = async {
        loop {
            match connect_as(HOST, at, folder.fingerprint).await {
                Ok(stream) => return stream,
                Err(_) => sleep(RETRY).await,
            }
        }
    };
    let stream = timeout(PATIENCE, connected).await;
    let stream = stream.unwrap_or_else(|_| panic!("{}", std::fs::read_to_string(folder.file(LOG)).expect("a log")));
    let mut raw = Raw::over(stream, &format!("wss://{HOST}/ws"), 1).await;
    raw.hello().await;
    raw.say(join("soup")).await;
    raw.welcome().await;
    assert!(matches!(raw.next().await, ServerMessage::Joined { .. }));
}

/// STUN inside TLS is answered (RFC 8489 section 5).
async fn answers_stun(host: &'static str, at: SocketAddr, folder: &Folder) {
    let mut stream = connect_as(host, at, folder.fingerprint).await.expect("encrypted");
    let request = [&[0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42][..], &[7; 12]].concat();
    stream.write_all(&request).await.expect("sent");
    let mut head = [0; 20];
    timeout(PATIENCE, stream.read_exact(&mut head)).await.expect("in time").expect("an answer");
    assert_eq!((&head[..2], &head[8..]), (&[1, 1][..], &[7; 12][..]));
}

#[tokio::test]
async fn nginx_passes_on_calls_and_turn_on_a_port_of_its_own() {
    if !has_nginx() {
        return;
    }
    let folder = Folder::new("nginx");
    let (server, [web, turn]) = (server(Tls::Off).await, free());
    let [cert, key] = folder.certificate(HOST);
    let files = [(cert.0.as_str(), cert.1), (key.0.as_str(), key.1)];
    let examples = examples("nginx");
    let there = [("listen 443", format!("listen {web}")), ("127.0.0.1:7077", server.addr().to_string())];
    let http = adapt(&examples[0], &[&there[..], &files].concat());
    let there = [("listen 5349", format!("listen {turn}")), ("127.0.0.1:3479", turn_stream(&server).to_string())];
    let stream = adapt(&examples[1], &[&there[..], &files].concat());
    let _nginx = nginx(&folder, &http, &stream);
    joins_through(web, &folder).await;
    answers_stun(HOST, turn, &folder).await;
}

#[tokio::test]
async fn nginx_passes_on_turn_beside_pages_on_one_port() {
    if !has_nginx() {
        return;
    }
    let folder = Folder::new("nginx-one-port");
    let (server, [both, web, turn]) = (server(Tls::Off).await, free());
    let examples = examples("nginx");
    let [cert, key] = folder.certificate(HOST);
    let there = [("listen 443", format!("listen {web}")), ("127.0.0.1:7077", server.addr().to_string())];
    let http = adapt(&examples[0], &[&there[..], &[(&cert.0, cert.1), (&key.0, key.1)]].concat());
    let [cert, key] = folder.certificate(TURN_HOST);
    let there = [
        ("listen 443", format!("listen {both}")),
        ("127.0.0.1:8443", web.to_string()),
        ("127.0.0.1:5349", turn.to_string()),
        ("127.0.0.1:3479", turn_stream(&server).to_string()),
    ];
    let stream = adapt(&examples[2], &[&there[..], &[(&cert.0, cert.1), (&key.0, key.1)]].concat());
    let _nginx = nginx(&folder, &http, &stream);
    joins_through(both, &folder).await;
    answers_stun(TURN_HOST, both, &folder).await;
}

#[tokio::test]
async fn caddy_passes_on_calls() {
    if !is_installed("caddy") {
        return;
    }
    let folder = Folder::new("caddy");
    let tls = Tls::Files { certificate: folder.path.join("fullchain.pem"), key: folder.path.join("privkey.pem") };
    let (server, [web, plain]) = (server(tls).await, free());
    let examples = examples("caddy");
    let head = format!(
        "{HOST}:{} {{\n    bind 127.0.0.1\n    tls {} {}\n",
        web.port(),
        folder.file("fullchain.pem"),
        folder.file("privkey.pem")
    );
    let site = adapt(&examples[0], &[("lunch.example {\n", head), ("127.0.0.1:7077", server.addr().to_string())]);
    let text =
        format!("{{\nadmin off\nhttp_port {}\nstorage file_system {}\n}}\n{site}", plain.port(), folder.file(""));
    std::fs::write(folder.path.join("Caddyfile"), text).expect("written");
    let arguments = ["run", "--adapter", "caddyfile", "--config", &folder.file("Caddyfile")];
    let _caddy = spawn("caddy", &arguments, &folder);
    joins_through(web, &folder).await;
    // The server itself ends TLS for TURN.
    answers_stun(HOST, turn_stream(&server), &folder).await;
}
