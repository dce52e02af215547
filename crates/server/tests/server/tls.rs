//! Encrypted connections.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use server::{Config, Server, Tls};
use sha2::{Digest, Sha256};
use signaling::message::ServerMessage;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::{Raw, join};
use crate::{config, start};

/// Accepts the certificate with one fingerprint, as the app does for a pinned link.
#[derive(Debug)]
struct Pinned {
    fingerprint: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let fingerprint: [u8; 32] = Sha256::digest(certificate).into();
        if fingerprint == self.fingerprint {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::General("another certificate".into()))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

pub(crate) async fn connect(server: &Server, fingerprint: [u8; 32]) -> std::io::Result<TlsStream<TcpStream>> {
    connect_to(server.addr(), fingerprint).await
}

pub(crate) async fn connect_to(addr: SocketAddr, fingerprint: [u8; 32]) -> std::io::Result<TlsStream<TcpStream>> {
    connect_as("localhost", addr, fingerprint).await
}

/// Connects to the server of this name.
pub(crate) async fn connect_as(
    host: &'static str,
    addr: SocketAddr,
    fingerprint: [u8; 32],
) -> std::io::Result<TlsStream<TcpStream>> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned { fingerprint, provider }))
        .with_no_client_auth();
    let stream = TcpStream::connect(addr).await?;
    let name = ServerName::try_from(host).expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn join_over_tls(server: &Server, fingerprint: [u8; 32]) {
    let stream = connect(server, fingerprint).await.expect("encrypted");
    let mut raw = Raw::over(stream, "wss://localhost/ws", 1).await;
    raw.hello().await;
    raw.say(join("soup")).await;
    raw.welcome().await;
    assert!(matches!(raw.next().await, ServerMessage::Joined { .. }));
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("lunchroom-tls-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn a_self_signed_server_is_joined_by_a_stable_fingerprint() {
    let folder = Folder::new("self-signed");
    let config = || Config { tls: Tls::SelfSigned, data_dir: Some(folder.0.clone()), ..config() };
    let server = start(config()).await;
    let fingerprint = server.fingerprint().expect("to be pinned");
    assert!(server.url().starts_with("wss://127.0.0.1:"));
    join_over_tls(&server, fingerprint).await;
    assert!(connect(&server, [0; 32]).await.is_err());
    server.stop().await;
    let again = start(config()).await;
    assert_eq!(again.fingerprint(), Some(fingerprint));
    join_over_tls(&again, fingerprint).await;
}

#[tokio::test]
async fn a_certificate_from_files_is_served() {
    let folder = Folder::new("files");
    std::fs::create_dir_all(&folder.0).expect("a folder");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    let (certificate, key) = (folder.0.join("cert.pem"), folder.0.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let tls = Tls::Files { certificate: certificate.clone(), key: key.clone() };
    let server = start(Config { tls, ..config() }).await;
    assert_eq!(server.fingerprint(), None);
    join_over_tls(&server, Sha256::digest(made.cert.der()).into()).await;

    let swapped = Tls::Files { certificate: key.clone(), key: certificate };
    let error = Server::start(Config { tls: swapped, ..config() }).await.err().expect("refused");
    assert_eq!(error.code(), "server_certificate");
    assert!(error.to_string().contains("swapped"), "{error}");
    let missing = Tls::Files { certificate: folder.0.join("none"), key };
    let error = Server::start(Config { tls: missing, ..config() }).await.err().expect("refused");
    assert!(error.to_string().contains("--tls-certificate"), "{error}");
}

/// Writes a certificate with these years of validity, and its key. Returns its fingerprint.
fn issue(folder: &Folder, years: [i32; 2]) -> [u8; 32] {
    let mut parameters = rcgen::CertificateParams::new(["localhost".to_owned()]).expect("a name");
    [parameters.not_before, parameters.not_after] = years.map(|year| rcgen::date_time_ymd(year, 1, 1));
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = parameters.self_signed(&key).expect("made");
    std::fs::create_dir_all(&folder.0).expect("a folder");
    std::fs::write(folder.0.join("fullchain.pem"), certificate.pem()).expect("written");
    std::fs::write(folder.0.join("privkey.pem"), key.serialize_pem()).expect("written");
    Sha256::digest(certificate.der()).into()
}

fn with_files_of(folder: &Folder) -> Config {
    let tls = Tls::Files { certificate: folder.0.join("fullchain.pem"), key: folder.0.join("privkey.pem") };
    Config { tls, certificate_check: Duration::from_millis(20), ..config() }
}

#[tokio::test]
async fn a_renewed_certificate_is_served_without_a_restart() {
    let folder = Folder::new("renewed");
    let old = issue(&folder, [2020, 2200]);
    let server = start(with_files_of(&folder)).await;
    let stream = connect(&server, old).await.expect("encrypted");
    let mut before = Raw::over(stream, "wss://localhost/ws", 1).await;
    before.hello().await;
    before.say(join("soup")).await;
    before.welcome().await;
    let new = issue(&folder, [2020, 2300]);
    let renewed = async {
        while connect(&server, new).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::client::PATIENCE, renewed).await.expect("served in time");
    assert!(connect(&server, old).await.is_err());
    // Who was connected stays so.
    assert!(matches!(before.next().await, ServerMessage::Joined { .. }));
    server.stop().await;
}

#[tokio::test]
async fn an_expired_certificate_is_refused_with_its_day() {
    let folder = Folder::new("expired");
    issue(&folder, [2020, 2021]);
    let error = Server::start(with_files_of(&folder)).await.err().expect("refused");
    let text = error.to_string();
    assert!(text.contains("expired on 2021-01-01") && text.contains("fullchain.pem"), "{text}");
}

#[tokio::test]
async fn the_server_survives_bytes_that_are_not_tls() {
    let server = start(Config { tls: Tls::SelfSigned, ..config() }).await;
    for _ in 0..20 {
        crate::hostile::throw(server.addr(), b"GET / HTTP/1.1\r\n\r\n").await;
    }
    join_over_tls(&server, server.fingerprint().expect("to be pinned")).await;
}
