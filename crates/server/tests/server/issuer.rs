//! An issuer of accounts on loopback, which a test controls: OpenID Connect with real signatures.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer as _;
use rsa::signature::SignatureEncoding as _;
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};
use server::config::OpenId;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::{Url, form_urlencoded};

use crate::board::unix_ms;

pub(crate) const CLIENT: &str = "lunch";
pub(crate) const CLIENT_SECRET: &str = "between server and issuer";

/// How the issuer answers.
pub(crate) struct Behaviour {
    /// The person who is signed in there: claims of the token, which replace the usual ones. Null removes one.
    pub(crate) claims: Value,
    /// Claims of the UserInfo endpoint.
    pub(crate) user_info: Value,
    /// What signs the token.
    pub(crate) key: Key,
    /// The keys that it publishes.
    pub(crate) published: Vec<Key>,
    /// Fields that replace those of its configuration.
    pub(crate) metadata: Value,
    /// Answers by path that replace the usual ones, as whole HTTP responses. An empty one is never sent.
    pub(crate) answers: HashMap<&'static str, String>,
    /// Requests by path.
    pub(crate) asked: HashMap<String, usize>,
    codes: HashMap<String, HashMap<String, String>>,
}

/// A signing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Rsa,
    /// P-256, from this seed. The seed is part of the key id.
    P256(u8),
    /// The client's secret.
    Secret,
    Nothing,
}

pub(crate) struct Issuer {
    pub(crate) addr: SocketAddr,
    behaviour: Arc<Mutex<Behaviour>>,
}

impl Issuer {
    pub(crate) async fn start() -> Issuer {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let behaviour = Arc::new(Mutex::new(Behaviour {
            claims: json!({"sub": "1", "name": "Ada"}),
            user_info: json!({"sub": "1"}),
            key: Key::P256(1),
            published: vec![Key::P256(1)],
            metadata: json!({}),
            answers: HashMap::new(),
            asked: HashMap::new(),
            codes: HashMap::new(),
        }));
        let shared = Arc::clone(&behaviour);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, addr, Arc::clone(&shared)));
            }
        });
        Issuer { addr, behaviour }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub(crate) fn settings(&self) -> OpenId {
        OpenId {
            issuer: self.url(),
            client_id: CLIENT.into(),
            client_secret: Some(CLIENT_SECRET.into()),
            scopes: vec!["profile".into()],
            role_claim: None,
            steward_roles: Vec::new(),
            member_roles: Vec::new(),
            email_domains: Vec::new(),
        }
    }

    pub(crate) fn now(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock().expect("no panic")
    }

    /// Another person is signed in there.
    pub(crate) fn is(&self, subject: &str, name: &str) {
        self.now().claims = json!({"sub": subject, "name": name});
    }

    /// What a browser does at the issuer: the person agrees. Returns path and query of the way back.
    pub(crate) fn agree(&self, location: &str) -> String {
        let asked = Url::parse(location).expect("an address");
        assert_eq!(
            (asked.host_str(), asked.port(), asked.path()),
            (Some("127.0.0.1"), Some(self.addr.port()), "/authorize")
        );
        let asked: HashMap<String, String> = asked.query_pairs().into_owned().collect();
        assert_eq!((asked["response_type"].as_str(), asked["client_id"].as_str()), ("code", CLIENT));
        assert_eq!((asked["scope"].as_str(), asked["code_challenge_method"].as_str()), ("openid profile", "S256"));
        let mut now = self.now();
        let code = format!("code-{}", now.codes.len());
        let back = Url::parse(&asked["redirect_uri"]).expect("an address");
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("code", &code)
            .append_pair("state", &asked["state"])
            .append_pair("iss", &self.url())
            .finish();
        now.codes.insert(code, asked);
        format!("{}?{query}", back.path())
    }
}

async fn serve(mut stream: TcpStream, addr: SocketAddr, behaviour: Arc<Mutex<Behaviour>>) {
    let mut text = String::new();
    let (mut buffer, mut whole) = ([0; 4096], None);
    while whole.is_none_or(|length| text.len() < length) {
        let Ok(read @ 1..) = stream.read(&mut buffer).await else { return };
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let field =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
            whole = Some(head.len() + 4 + field.map_or(0, |length| length.parse().expect("a number")));
        }
    }
    let (head, content) = text.split_once("\r\n\r\n").expect("a head");
    let path = head.split(' ').nth(1).expect("a path").to_owned();
    let answer = {
        let mut now = behaviour.lock().expect("no panic");
        *now.asked.entry(path.clone()).or_default() += 1;
        match now.answers.get(path.as_str()).cloned() {
            Some(answer) => answer,
            None => now.answer(addr, &path, head, content),
        }
    };
    if answer.is_empty() {
        // Until the other side gives up.
        let _ = stream.read(&mut buffer).await;
        return;
    }
    let _ = stream.write_all(answer.as_bytes()).await;
}

pub(crate) fn http(status: &str, content: &str) -> String {
    let length = content.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{content}"
    )
}

impl Behaviour {
    fn answer(&mut self, addr: SocketAddr, path: &str, head: &str, content: &str) -> String {
        let ok = |value: &Value| http("200 OK", &value.to_string());
        match path {
            "/.well-known/openid-configuration" => ok(&merged(configuration(addr), &self.metadata)),
            "/keys" => ok(&json!({"keys": self.published.iter().map(|key| key.jwk()).collect::<Vec<_>>()})),
            "/token" => match self.token(addr, head, content) {
                Some(token) => ok(&json!({"access_token": "t", "token_type": "Bearer", "id_token": token})),
                None => http("400 Bad Request", r#"{"error": "invalid_grant"}"#),
            },
            "/userinfo" if head.to_lowercase().contains("authorization: bearer t") => ok(&self.user_info),
            _ => http("404 Not Found", "{}"),
        }
    }

    /// The ID token for a code, which is valid once.
    fn token(&mut self, addr: SocketAddr, head: &str, content: &str) -> Option<String> {
        let form: HashMap<String, String> = form_urlencoded::parse(content.as_bytes()).into_owned().collect();
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let basic = format!("{}:{}", encoded(CLIENT), encoded(CLIENT_SECRET));
        let basic = base64::engine::general_purpose::STANDARD.encode(basic);
        let posted = form.get("client_secret").is_some_and(|secret| secret == CLIENT_SECRET);
        let asked = self.codes.remove(form.get("code")?)?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(form.get("code_verifier")?));
        let fits = challenge == asked["code_challenge"] && form.get("redirect_uri") == asked.get("redirect_uri");
        if !fits || !(posted || head.contains(&format!("Basic {basic}"))) {
            return None;
        }
        let seconds = unix_ms() / 1_000;
        let usual = json!({"iss": format!("http://{addr}"), "aud": CLIENT, "iat": seconds, "exp": seconds + 300, "nonce": asked["nonce"]});
        Some(self.key.sign(&merged(usual, &self.claims)))
    }
}

fn configuration(addr: SocketAddr) -> Value {
    let at = |path: &str| format!("http://{addr}{path}");
    json!({
        "issuer": format!("http://{addr}"), "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"),
        "jwks_uri": at("/keys"), "userinfo_endpoint": at("/userinfo"), "response_types_supported": ["code"],
        "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
    })
}

fn merged(mut value: Value, changes: &Value) -> Value {
    let fields = value.as_object_mut().expect("an object");
    for (name, change) in changes.as_object().expect("an object") {
        if change.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.clone(), change.clone());
        }
    }
    value
}

/// Generating one takes a second.
fn rsa_key() -> &'static rsa::RsaPrivateKey {
    static KEY: OnceLock<rsa::RsaPrivateKey> = OnceLock::new();
    KEY.get_or_init(|| rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).expect("a key"))
}

impl Key {
    fn p256(seed: u8) -> p256::ecdsa::SigningKey {
        p256::ecdsa::SigningKey::from_slice(&[seed; 32]).expect("a key")
    }

    fn jwk(self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Key::Rsa => {
                let key = rsa_key();
                let (n, e) = (encode(&key.n().to_bytes_be()), encode(&key.e().to_bytes_be()));
                json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "rsa", "n": n, "e": e})
            }
            Key::P256(seed) => {
                // Uncompressed: 4, x, y (SEC 1 section 2.3.3).
                let point = Key::p256(seed).verifying_key().to_sec1_point(false);
                let (x, y) = point.as_bytes()[1..].split_at(32);
                let kid = format!("p256-{seed}");
                json!({"kty": "EC", "use": "sig", "crv": "P-256", "kid": kid, "x": encode(x), "y": encode(y)})
            }
            Key::Secret | Key::Nothing => json!({"kty": "oct", "kid": "none", "k": ""}),
        }
    }

    fn sign(self, claims: &Value) -> String {
        let (alg, kid) = match self {
            Key::Rsa => ("RS256", "rsa".to_owned()),
            Key::P256(seed) => ("ES256", format!("p256-{seed}")),
            Key::Secret => ("HS256", "secret".to_owned()),
            Key::Nothing => ("none", "none".to_owned()),
        };
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&json!({"alg": alg, "kid": kid, "typ": "JWT"})), part(claims));
        let signature = match self {
            Key::Rsa => {
                let key = rsa::pkcs1v15::SigningKey::<rsa::sha2::Sha256>::new(rsa_key().clone());
                rsa::signature::Signer::sign(&key, text.as_bytes()).to_vec()
            }
            Key::P256(seed) => {
                let signature: p256::ecdsa::Signature = Key::p256(seed).sign(text.as_bytes());
                signature.to_bytes().to_vec()
            }
            Key::Secret => {
                use hmac::Mac as _;
                let mut mac = hmac::Hmac::<Sha256>::new_from_slice(CLIENT_SECRET.as_bytes()).expect("any length");
                mac.update(text.as_bytes());
                mac.finalize().into_bytes().to_vec()
            }
            Key::Nothing => Vec::new(),
        };
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
