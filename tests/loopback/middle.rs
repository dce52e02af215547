//! A server that puts itself between two people. It is a proxy in front of the real server, which rewrites messages.

use engine::signaling::comparison::code;
use engine::signaling::identity::{DeviceKey, PublicKey, decode_nonce};
use engine::signaling::statement::{Fingerprint, Purpose, Statement, StatementError, Stay};
use engine::{AppView, Command, LinkState, ServerAddress};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use server::{Config, Server, Turn};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{accept_async, connect_async};
use whole_system::people::{Habits, Person, other};

const ROOM: &str = "lunch";

/// What the server in the middle does with descriptions for one person.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Attack {
    /// Nothing.
    None,
    /// Replaces the certificate by its own.
    SwapFingerprint,
    /// Removes the signature.
    StripSignature,
    /// Sends a description of an earlier call instead.
    Replay,
    /// Announces keys of its own, and signs with them.
    Impersonate,
    /// During the call, makes an offer that restarts ICE and has its own certificate.
    Restart {
        /// Whether it bears the signature of the offer before.
        signed: bool,
    },
}

/// What the server in the middle knows.
#[derive(Debug)]
struct Middle {
    attack: Attack,
    /// Whose incoming messages are rewritten; `None`: everybody's.
    victim: Option<&'static str>,
    /// Device keys by name, from the hellos.
    keys: HashMap<String, String>,
    /// The nonce of the last join, by name.
    nonces: HashMap<String, String>,
    /// The last description that each person received, in calls without an attack.
    earlier: HashMap<String, (Value, Value)>,
}

/// A person's way to the server.
type Shared = Arc<Mutex<Middle>>;

impl Middle {
    fn outgoing(&mut self, name: &mut String, message: &Value) {
        if message["type"] == "hello" {
            *name = message["name"].as_str().unwrap_or_default().to_owned();
            self.keys.insert(name.clone(), message["key"].as_str().unwrap_or_default().to_owned());
        }
        if message["type"] == "join" {
            self.nonces.insert(name.clone(), message["nonce"].as_str().unwrap_or_default().to_owned());
        }
    }

    fn incoming(&mut self, name: &str, message: &mut Value) {
        if name.is_empty() || self.victim.is_some_and(|victim| victim != name) {
            return; // before the hello nobody knows who it is
        }
        let is_description = message["type"] == "offer" || message["type"] == "answer";
        match self.attack {
            Attack::None if is_description => {
                self.earlier.insert(name.into(), (message["sdp"].clone(), message["signature"].clone()));
            }
            Attack::SwapFingerprint if is_description => {
                message["sdp"] = replaced(message["sdp"].as_str().unwrap_or_default(), &[own_certificate()]).into();
            }
            Attack::StripSignature if is_description => {
                message.as_object_mut().and_then(|fields| fields.remove("signature"));
            }
            Attack::Replay if is_description => {
                let (sdp, signature) = self.earlier[name].clone();
                (message["sdp"], message["signature"]) = (sdp, signature);
            }
            Attack::Impersonate => self.impersonate(name, is_description, message),
            // A message of the same sender makes room for it in the numbered session.
            Attack::Restart { signed } if message["type"] == "media" => {
                let (sdp, signature) = &self.earlier[name];
                let fresh = [("a=ice-ufrag:", "abcdefgh".into()), ("a=ice-pwd:", "0123456789abcdefghijklmn".into())];
                let lines = [&fresh[..], &[own_certificate()]].concat();
                let sdp = replaced(sdp.as_str().unwrap_or_default(), &lines);
                let (seq, ack, from) = (&message["seq"], &message["ack"], &message["from"]);
                let mut offer = json!({ "type": "offer", "seq": seq, "ack": ack, "from": from, "sdp": sdp });
                if signed {
                    offer["signature"] = signature.clone();
                }
                *message = offer;
            }
            Attack::None
            | Attack::SwapFingerprint
            | Attack::StripSignature
            | Attack::Replay
            | Attack::Restart { .. } => {}
        }
    }

    /// To `name`, the other person seems to have a key of ours.
    fn impersonate(&self, name: &str, is_description: bool, message: &mut Value) {
        let ours = DeviceKey::from_secret(&[name.as_bytes()[0]; 32]);
        let key = ours.public().to_string();
        if let Some(participants) = message["participants"].as_array_mut() {
            participants.iter_mut().for_each(|one| one["key"] = key.clone().into());
        }
        if message["type"] == "participant_joined" {
            message["participant"]["key"] = key.into();
        }
        if is_description {
            let of = |who: &str| {
                let nonce = self.nonces.get(who).and_then(|nonce| decode_nonce(nonce));
                nonce.unwrap_or_else(|| panic!("{who} has joined without a nonce: {:?}", self.nonces))
            };
            let far = self.nonces.keys().find(|other| *other != name).expect("somebody else");
            let addressee = PublicKey::parse(&self.keys[name]).expect("a key");
            let fingerprint = Fingerprint::of_description(message["sdp"].as_str().unwrap_or_default());
            let statement = Statement {
                purpose: Purpose::Dtls,
                room: ROOM,
                from: Stay { key: ours.public(), nonce: of(far) },
                to: Stay { key: addressee, nonce: of(name) },
                fingerprint: fingerprint.expect("a certificate"),
            };
            message["signature"] = statement.sign(&ours).into();
        }
    }
}

/// A description with other values of these lines.
fn replaced(sdp: &str, lines: &[(&str, String)]) -> String {
    let replace = |line: &str| match lines.iter().find(|(beginning, _)| line.starts_with(beginning)) {
        Some((beginning, value)) => format!("{beginning}{value}\r\n"),
        None => format!("{line}\r\n"),
    };
    sdp.lines().map(replace).collect()
}

fn own_certificate() -> (&'static str, String) {
    ("a=fingerprint:", format!("sha-256 {}", Fingerprint([0xEE; 32])))
}

/// Passes on everything between a client and the server.
async fn pass(client: TcpStream, server: SocketAddr, middle: Shared) {
    let Ok(client) = accept_async(client).await else { return };
    let (server, _) = connect_async(format!("ws://{server}/")).await.expect("the server");
    let (mut to_client, mut from_client) = client.split();
    let (mut to_server, mut from_server) = server.split();
    let mut name = String::new();
    loop {
        tokio::select! {
            Some(Ok(message)) = from_client.next() => {
                if let Message::Text(text) = &message {
                    let value = serde_json::from_str(text).unwrap_or_default();
                    middle.lock().expect("no panic").outgoing(&mut name, &value);
                }
                if to_server.send(message).await.is_err() {
                    return;
                }
            }
            Some(Ok(message)) = from_server.next() => {
                let message = match message {
                    Message::Text(text) => {
                        let mut value: Value = serde_json::from_str(&text).unwrap_or_default();
                        middle.lock().expect("no panic").incoming(&name, &mut value);
                        Message::text(value.to_string())
                    }
                    other => other,
                };
                if to_client.send(message).await.is_err() {
                    return;
                }
            }
            else => return,
        }
    }
}

/// The real server with somebody in front of it, and two people.
struct Rig {
    _server: Server,
    middle: Shared,
    address: ServerAddress,
    ada: Person,
    ben: Person,
}

impl Rig {
    async fn new() -> Rig {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = Config { listen, turn: Turn::Off, ..Config::default() };
        let server = Server::start(config).await.expect("a server");
        let middle = Shared::new(Mutex::new(Middle {
            attack: Attack::None,
            victim: None,
            keys: HashMap::new(),
            nonces: HashMap::new(),
            earlier: HashMap::new(),
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("ws://{}", listener.local_addr().expect("an address"));
        let (real, shared) = (server.addr(), middle.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, real, shared.clone()));
            }
        });
        let address = ServerAddress { url: url.parse().expect("a URL"), fingerprint: None };
        let (ada, ben) = (Person::new(Habits::new("Ada", 440)), Person::new(Habits::new("Ben", 600)));
        Rig { _server: server, middle, address, ada, ben }
    }

    fn attack(&self, attack: Attack, victim: Option<&'static str>) {
        let mut middle = self.middle.lock().expect("no panic");
        (middle.attack, middle.victim) = (attack, victim);
    }

    /// Ada is there first, so Ben makes the offer and Ada the answer.
    async fn enter(&self, room: &str) {
        self.ada.enter(&self.address, room).await;
        self.ben.enter(&self.address, room).await;
    }

    async fn are_connected(&self) {
        let linked = |name: &'static str| {
            move |view: &AppView| other(view, name).is_some_and(|one| one.link == LinkState::Connected)
        };
        tokio::join!(self.ada.until("linked", linked("Ben")), self.ben.until("linked", linked("Ada")));
    }

    /// Both are in a call, and the server in the middle begins an attack when somebody's camera is switched.
    async fn attack_in_call(attack: Attack, victim: &'static str) -> Rig {
        let rig = Rig::new().await;
        rig.enter(ROOM).await;
        rig.are_connected().await;
        rig.attack(attack, Some(victim));
        let other = if victim == "Ada" { &rig.ben } else { &rig.ada };
        other.tell(Command::SetCamera(false)).await;
        rig
    }

    /// The code that somebody is shown for the other one.
    fn code_of(&self, person: &Person, far: &str) -> [u8; 10] {
        let own = self.middle.lock().expect("no panic").keys[person.name()].clone();
        let view = person.engine.view().borrow().clone();
        let theirs = other(&view, far).expect("somebody").info.key.clone();
        code(PublicKey::parse(&own).expect("a key"), PublicKey::parse(&theirs).expect("a key"))
    }

    /// The person does not connect to the other one, with this error, and stays so.
    async fn refuses(&self, person: &Person, far: &'static str, error: StatementError) {
        let refused = move |view: &AppView| other(view, far).is_some_and(|one| one.distrust == Some(error));
        person.until("refused", refused).await;
        for (one, far) in [(&self.ada, "Ben"), (&self.ben, "Ada")] {
            let apart = |view: &AppView| other(view, far).is_none_or(|one| one.link != LinkState::Connected);
            one.until("apart", apart).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_anybody_between_the_codes_of_both_ends_agree() {
    let rig = Rig::new().await;
    rig.enter(ROOM).await;
    rig.are_connected().await;
    assert_eq!(rig.code_of(&rig.ada, "Ben"), rig.code_of(&rig.ben, "Ada"));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_somebody_between_who_signs_with_keys_of_their_own_the_codes_differ() {
    let rig = Rig::new().await;
    rig.attack(Attack::Impersonate, None);
    rig.enter(ROOM).await;
    rig.are_connected().await;
    assert_ne!(rig.code_of(&rig.ada, "Ben"), rig.code_of(&rig.ben, "Ada"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swapped_certificate_is_refused_in_an_offer_and_in_an_answer() {
    for (victim, far) in [("Ada", "Ben"), ("Ben", "Ada")] {
        let rig = Rig::new().await;
        rig.attack(Attack::SwapFingerprint, Some(victim));
        rig.enter(ROOM).await;
        let person = if victim == "Ada" { &rig.ada } else { &rig.ben };
        rig.refuses(person, far, StatementError::Wrong).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_description_without_its_statement_is_refused_in_an_offer_and_in_an_answer() {
    for (victim, far) in [("Ada", "Ben"), ("Ben", "Ada")] {
        let rig = Rig::new().await;
        rig.attack(Attack::StripSignature, Some(victim));
        rig.enter(ROOM).await;
        let person = if victim == "Ada" { &rig.ada } else { &rig.ben };
        rig.refuses(person, far, StatementError::Missing).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_of_an_earlier_stay_is_refused() {
    let rig = Rig::new().await;
    rig.attack(Attack::None, Some("Ada"));
    rig.enter(ROOM).await;
    rig.are_connected().await;
    rig.ben.tell(Command::Leave).await;
    rig.ada.until("alone", |view| view.call.participants.is_empty()).await;
    rig.attack(Attack::Replay, Some("Ada"));
    rig.ben.enter(&rig.address, ROOM).await;
    rig.refuses(&rig.ada, "Ben", StatementError::Wrong).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_ice_during_a_call_cannot_bring_another_certificate() {
    for (victim, far) in [("Ada", "Ben"), ("Ben", "Ada")] {
        for (signed, error) in [(true, StatementError::Wrong), (false, StatementError::Missing)] {
            let rig = Rig::attack_in_call(Attack::Restart { signed }, victim).await;
            let person = if victim == "Ada" { &rig.ada } else { &rig.ben };
            rig.refuses(person, far, error).await;
        }
    }
}
