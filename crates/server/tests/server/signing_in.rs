//! Signing in with an account: the flow, and everything that an issuer, a browser or a stranger can do wrong.

use std::collections::HashMap;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use server::config::OpenId;
use server::{Config, Server};
use sha2::{Digest as _, Sha256};
use signaling::account::{AccountNews, AccountRequest};
use signaling::message::{ClientMessage, ErrorCode, ServerMessage, Welcome};

use crate::client::Raw;
use crate::http::{ask, status};
use crate::issuer::{Issuer, Key, http};
use crate::{config, start};

/// A browser with its cookies.
pub(crate) struct Browser {
    addr: SocketAddr,
    pub(crate) cookies: HashMap<String, String>,
}

impl Browser {
    pub(crate) fn new(addr: SocketAddr) -> Browser {
        Browser { addr, cookies: HashMap::new() }
    }

    /// Sends a request and keeps the cookies of the answer.
    pub(crate) async fn send(&mut self, method: &str, path: &str, origin: Option<&str>) -> String {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookie = if cookies.is_empty() { String::new() } else { format!("Cookie: {}\r\n", cookies.join("; ")) };
        let origin = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
        let length = if method == "POST" { "Content-Length: 0\r\n" } else { "" };
        let addr = self.addr;
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: {addr}\r\n{cookie}{origin}{length}Connection: close\r\n\r\n");
        let answer = ask(addr, head.as_bytes()).await;
        for line in answer.lines().take_while(|line| !line.is_empty()) {
            let Some(cookie) = line.strip_prefix("set-cookie: ") else { continue };
            assert!(cookie.contains("; HttpOnly; SameSite="), "{cookie}");
            let (name, value) = cookie.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            self.cookies.insert(name.to_owned(), value.to_owned());
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            }
        }
        answer
    }

    pub(crate) async fn get(&mut self, path: &str) -> String {
        self.send("GET", path, None).await
    }

    /// The code of the sign-in, as the own page asks for it.
    async fn code(&mut self) -> Option<String> {
        let origin = format!("http://{}", self.addr);
        let answer = self.send("POST", "/auth/code", Some(&origin)).await;
        (status(&answer) == "200").then(|| between(&answer, "{\"code\":\"", "\"}"))
    }

    /// Signs in as a page does. Returns where the browser ends.
    pub(crate) async fn sign_in(&mut self, issuer: &Issuer) -> String {
        let begun = self.get("/auth/start").await;
        let back = issuer.agree(location(&begun));
        location(&self.get(&back).await).to_owned()
    }

    /// Signs in, and returns the code.
    pub(crate) async fn signed_in(&mut self, issuer: &Issuer) -> String {
        assert_eq!(self.sign_in(issuer).await, "/?signed-in");
        self.code().await.expect("a code")
    }
}

pub(crate) fn location(answer: &str) -> &str {
    assert_eq!(status(answer), "303", "{answer}");
    answer.lines().find_map(|line| line.strip_prefix("location: ")).expect("a location")
}

fn between(text: &str, before: &str, after: &str) -> String {
    let rest = text.split(before).nth(1).and_then(|rest| rest.split(after).next());
    rest.expect("there").to_owned()
}

/// A server whose members have accounts of an issuer.
pub(crate) async fn with_issuer() -> (Issuer, Server) {
    let issuer = Issuer::start().await;
    let server = start(Config { openid: Some(issuer.settings()), ..config() }).await;
    (issuer, server)
}

impl Raw {
    /// Sends a request about the account and waits for its answer.
    pub(crate) async fn account(&mut self, request: AccountRequest) -> Result<Option<AccountNews>, ErrorCode> {
        self.say(ClientMessage::Account(request)).await;
        let mut news = None;
        loop {
            match self.next().await {
                ServerMessage::Account(AccountNews::Done { .. }) => return Ok(news),
                ServerMessage::Account(other) => news = Some(other),
                ServerMessage::Error(error) if error.about.is_some() => return Err(error.code),
                _ => {}
            }
        }
    }

    pub(crate) async fn add_device(&mut self, code: &str, verifier: Option<&str>) -> Result<(), ErrorCode> {
        let (verifier, name) = (verifier.map(str::to_owned), "a device".to_owned());
        self.account(AccountRequest::AddDevice { code: code.into(), verifier, name }).await.map(|_| ())
    }
}

/// Connects without a secret.
pub(crate) async fn enter(addr: SocketAddr, seed: u8) -> (Raw, Welcome) {
    let mut raw = Raw::connect(addr, seed).await;
    raw.hello().await;
    let welcome = raw.welcome().await;
    (raw, welcome)
}

/// Signs in in a new browser and adds a device. Returns its next session.
pub(crate) async fn device(issuer: &Issuer, addr: SocketAddr, seed: u8) -> (Raw, Welcome) {
    let code = Browser::new(addr).signed_in(issuer).await;
    enter(addr, seed).await.0.add_device(&code, None).await.expect("added");
    enter(addr, seed).await
}

#[tokio::test]
async fn a_page_signs_in_and_its_device_is_a_member() {
    let (issuer, server) = with_issuer().await;
    for (key, seed) in [(Key::P256(1), 1), (Key::Rsa, 2)] {
        (issuer.now().key, issuer.now().published) = (key, vec![Key::P256(1), Key::Rsa]);
        let (_, guest) = enter(server.addr(), seed).await;
        assert_eq!((guest.member, guest.sign_in, guest.account), (false, true, None));
        let (raw, welcome) = device(&issuer, server.addr(), seed).await;
        let account = welcome.account.expect("an account");
        assert_eq!((welcome.member, account.name.as_str()), (true, "Ada"));
        if seed == 1 {
            assert_eq!(account.person, raw.key.public().to_string());
        }
    }
}

#[tokio::test]
async fn an_app_receives_its_code_on_loopback_and_only_it_can_use_it() {
    let (issuer, server) = with_issuer().await;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest("the app's own"));
    let path = format!("/auth/start?port=49152&challenge={challenge}&state=xyz");
    let mut codes = Vec::new();
    for _ in 0..2 {
        let mut browser = Browser::new(server.addr());
        let back = issuer.agree(location(&browser.get(&path).await));
        let end = location(&browser.get(&back).await).to_owned();
        codes.push(end.strip_prefix("http://127.0.0.1:49152/?state=xyz&code=").expect(&end).to_owned());
        assert_eq!(browser.code().await, None, "it is not in a cookie");
    }
    let (mut raw, _) = enter(server.addr(), 1).await;
    assert_eq!(raw.add_device(&codes[0], Some("a guess")).await, Err(ErrorCode::SignInExpired));
    assert_eq!(raw.add_device(&codes[0], Some("the app's own")).await, Err(ErrorCode::SignInExpired), "it is void");
    assert_eq!(raw.add_device(&codes[1], Some("the app's own")).await, Ok(()));
    assert!(enter(server.addr(), 1).await.1.member);
    for wrong in ["/auth/start?port=80", "/auth/start?port=0&challenge=x&state=y"] {
        assert_eq!(status(&Browser::new(server.addr()).get(wrong).await), "400");
    }
}

#[tokio::test]
async fn a_state_is_valid_once_and_in_its_own_browser() {
    let (issuer, server) = with_issuer().await;
    let (mut ada, mut eve) = (Browser::new(server.addr()), Browser::new(server.addr()));
    let back = issuer.agree(location(&ada.get("/auth/start").await));
    // Somebody sends Ada's way back to others, or theirs to Ada.
    eve.get("/auth/start").await;
    for browser in [&mut eve, &mut Browser::new(server.addr())] {
        assert_eq!(location(&browser.get(&back).await), "/?sign-in=sign_in_expired");
    }
    assert_eq!(location(&ada.get(&back).await), "/?signed-in");
    assert_eq!(location(&ada.get(&back).await), "/?sign-in=sign_in_expired", "a second time");
    for made_up in ["/auth/callback", "/auth/callback?code=a&state=b", "/auth/callback?state=%ff&iss=&error="] {
        assert_eq!(location(&ada.get(made_up).await), "/?sign-in=sign_in_expired");
    }
}

#[tokio::test]
async fn another_site_cannot_ask_for_the_code() {
    let (issuer, server) = with_issuer().await;
    let mut browser = Browser::new(server.addr());
    assert_eq!(browser.sign_in(&issuer).await, "/?signed-in");
    for origin in [None, Some("https://evil.example"), Some("null"), Some("http://127.0.0.1:1")] {
        assert_eq!(status(&browser.send("POST", "/auth/code", origin).await), "403", "{origin:?}");
    }
    assert_eq!(status(&browser.send("GET", "/auth/code", None).await), "405");
    let code = browser.code().await.expect("a code");
    assert_eq!(browser.code().await, None, "once");
    let (mut raw, _) = enter(server.addr(), 1).await;
    raw.add_device(&code, None).await.expect("added");
    assert_eq!(raw.add_device(&code, None).await, Err(ErrorCode::SignInExpired), "once");
}

/// What an issuer can do wrong, and the code that the browser comes back with.
#[tokio::test]
async fn a_wrong_issuer_or_token_is_refused_with_a_reason() {
    let issuer = Issuer::start().await;
    let after = |seconds: i64| json!(crate::board::unix_ms() as i64 / 1_000 + seconds);
    let of_other = |claim: &str, value| json!({"sub": "1", "name": "Ada", claim: value});
    let tokens = [
        ("another audience", of_other("aud", json!("other")), Key::P256(1)),
        ("one more audience", of_other("aud", json!(["lunch", "other"])), Key::P256(1)),
        ("another issuer", of_other("iss", json!("https://accounts.example")), Key::P256(1)),
        ("a replayed nonce", of_other("nonce", json!("of an earlier sign-in")), Key::P256(1)),
        ("no nonce", of_other("nonce", json!(null)), Key::P256(1)),
        ("an old token", of_other("exp", after(-1)), Key::P256(1)),
        ("no subject", of_other("sub", json!(null)), Key::P256(1)),
        ("an empty subject", of_other("sub", json!("")), Key::P256(1)),
        ("a key that it does not have", of_other("sub", json!("1")), Key::P256(9)),
        ("no signature", of_other("sub", json!("1")), Key::Nothing),
        ("the client's secret as the key", of_other("sub", json!("1")), Key::Secret),
    ];
    let server = start(Config { openid: Some(issuer.settings()), ..config() }).await;
    for (what, claims, key) in tokens {
        (issuer.now().claims, issuer.now().key) = (claims, key);
        let end = Browser::new(server.addr()).sign_in(&issuer).await;
        assert_eq!(end, "/?sign-in=issuer_wrong", "{what}");
    }
}

#[tokio::test]
async fn answers_that_are_no_answers_are_refused_with_a_reason() {
    let long = http("200 OK", &format!("\"{}\"", "x".repeat(1 << 20)));
    let moved = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".to_owned();
    for (path, answer, reason) in [
        ("/.well-known/openid-configuration", http("200 OK", "{}"), "issuer_wrong"),
        ("/.well-known/openid-configuration", http("200 OK", "<html>"), "issuer_wrong"),
        ("/.well-known/openid-configuration", http("404 Not Found", "{}"), "issuer_wrong"),
        ("/.well-known/openid-configuration", http("503 Service Unavailable", "{}"), "issuer_unreachable"),
        ("/.well-known/openid-configuration", moved, "issuer_wrong"),
        ("/.well-known/openid-configuration", long.clone(), "issuer_unreachable"),
        ("/.well-known/openid-configuration", "no HTTP at all\r\n\r\n".into(), "issuer_unreachable"),
        ("/keys", http("200 OK", "[]"), "issuer_wrong"),
        ("/token", http("200 OK", "{}"), "issuer_wrong"),
        (
            "/token",
            http("200 OK", r#"{"access_token": "t", "token_type": "Bearer", "id_token": "a.b.c"}"#),
            "issuer_wrong",
        ),
        ("/token", http("400 Bad Request", r#"{"error": "invalid_grant"}"#), "sign_in_denied"),
        ("/token", long, "issuer_unreachable"),
    ] {
        let (issuer, server) = with_issuer().await;
        issuer.now().answers.insert(path, answer.clone());
        let mut browser = Browser::new(server.addr());
        let mut end = location(&browser.get("/auth/start").await).to_owned();
        if end.starts_with("http") {
            end = location(&browser.get(&issuer.agree(&end)).await).to_owned();
        }
        assert_eq!(end, format!("/?sign-in={reason}"), "{path}: {answer:.200}");
    }
}

#[tokio::test]
async fn an_issuer_that_is_not_the_configured_one_is_refused() {
    for metadata in [
        json!({"issuer": "https://accounts.example"}),
        json!({"authorization_endpoint": "javascript:alert(1)"}),
        json!({"token_endpoint": "file:///etc/passwd"}),
    ] {
        let (issuer, server) = with_issuer().await;
        issuer.now().metadata = metadata.clone();
        let begun = Browser::new(server.addr()).get("/auth/start").await;
        assert_eq!(location(&begun), "/?sign-in=issuer_wrong", "{metadata}");
    }
    // RFC 9207: the browser comes back from another issuer than it was sent to.
    let (issuer, server) = with_issuer().await;
    let mut browser = Browser::new(server.addr());
    let back = issuer.agree(location(&browser.get("/auth/start").await));
    let back = back.replace(&issuer.addr.port().to_string(), "1");
    assert_eq!(location(&browser.get(&back).await), "/?sign-in=issuer_wrong");
}

#[tokio::test]
async fn an_issuer_that_is_down_or_silent_is_named_and_asked_again_later() {
    let issuer = Issuer::start().await;
    let nobody = OpenId { issuer: "http://127.0.0.1:1".into(), ..issuer.settings() };
    let server = start(Config { openid: Some(nobody), ..config() }).await;
    let begun = Browser::new(server.addr()).get("/auth/start").await;
    assert_eq!(location(&begun), "/?sign-in=issuer_unreachable");
    // An app is told, too.
    let challenge = URL_SAFE_NO_PAD.encode([7; 32]);
    let path = format!("/auth/start?port=49152&challenge={challenge}&state=xyz");
    let begun = Browser::new(server.addr()).get(&path).await;
    assert_eq!(location(&begun), "http://127.0.0.1:49152/?state=xyz&error=issuer_unreachable");
    // Who comes while nobody answers waits once, not one after the other.
    let server = start(Config { openid: Some(issuer.settings()), ..config() }).await;
    issuer.now().answers.insert("/.well-known/openid-configuration", String::new());
    let browsers = (0..3).map(|_| async { Browser::new(server.addr()).get("/auth/start").await });
    for begun in futures_util::future::join_all(browsers).await {
        assert_eq!(location(&begun), "/?sign-in=issuer_unreachable");
    }
    assert_eq!(issuer.now().asked["/.well-known/openid-configuration"], 1);
}

#[tokio::test]
async fn new_keys_of_the_issuer_are_fetched_but_not_for_everybody_who_makes_one_up() {
    let (issuer, server) = with_issuer().await;
    let mut browser = Browser::new(server.addr());
    assert_eq!(browser.sign_in(&issuer).await, "/?signed-in");
    (issuer.now().key, issuer.now().published) = (Key::P256(2), vec![Key::P256(2)]);
    // The answer is too fresh to be asked for again.
    assert_eq!(browser.sign_in(&issuer).await, "/?sign-in=issuer_wrong");
    assert_eq!(issuer.now().asked["/keys"], 1);
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(30)).await;
    tokio::time::resume();
    assert_eq!(browser.sign_in(&issuer).await, "/?signed-in");
    assert_eq!(issuer.now().asked["/keys"], 2);
}

#[tokio::test]
async fn a_person_who_refuses_is_sent_back() {
    let (issuer, server) = with_issuer().await;
    let mut browser = Browser::new(server.addr());
    let back = issuer.agree(location(&browser.get("/auth/start").await));
    let refused = back.replace("code=", "error=access_denied&x=");
    assert_eq!(location(&browser.get(&refused).await), "/?sign-in=sign_in_denied");
}

#[tokio::test]
async fn who_is_not_in_the_role_or_domain_stays_outside() {
    let issuer = Issuer::start().await;
    let settings = OpenId {
        role_claim: Some("realm_access.roles".into()),
        member_roles: vec!["lunch".into()],
        email_domains: vec!["school.example".into()],
        ..issuer.settings()
    };
    let server = start(Config { openid: Some(settings), ..config() }).await;
    let person = |role: &str, email: &str, verified: bool| json!({"sub": "1", "realm_access": {"roles": [role]}, "email": email, "email_verified": verified});
    for claims in [
        person("tea", "ada@school.example", true),
        person("lunch", "ada@evil.example", true),
        person("lunch", "ada@school.example", false),
    ] {
        issuer.now().claims = claims.clone();
        let end = Browser::new(server.addr()).sign_in(&issuer).await;
        assert_eq!(end, "/?sign-in=account_refused", "{claims}");
    }
    issuer.now().claims = json!({"sub": "1"});
    issuer.now().user_info = person("lunch", "ada@school.example", true);
    assert_eq!(device(&issuer, server.addr(), 1).await.1.account.expect("an account").name, "ada");
    issuer.now().user_info["sub"] = json!("another person");
    assert_eq!(Browser::new(server.addr()).sign_in(&issuer).await, "/?sign-in=issuer_wrong");
}

#[tokio::test]
async fn a_server_without_accounts_has_no_sign_in() {
    let server = start(config()).await;
    for path in ["/auth/start", "/auth/callback", "/auth/code", "/auth/x"] {
        assert_eq!(status(&Browser::new(server.addr()).get(path).await), "404", "{path}");
    }
    let (mut raw, welcome) = enter(server.addr(), 1).await;
    assert!(welcome.member && !welcome.sign_in);
    assert_eq!(raw.add_device("code", None).await, Err(ErrorCode::SignInExpired));
    assert_eq!(raw.account(AccountRequest::Devices).await, Err(ErrorCode::NotMember));
}
