//! The server's certificate.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;

use crate::config::{Config, Tls};
use crate::data;
use crate::error::StartError;

/// The TLS acceptor, and the SHA-256 of the certificate if clients must pin it.
pub(crate) struct Encryption {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) fingerprint: Option<[u8; 32]>,
}

/// Loads or generates the certificate. `None` if connections are not encrypted.
pub(crate) fn encryption(config: &Config) -> Result<Option<Encryption>, StartError> {
    let (certificate, key, path, pinned) = match &config.tls {
        Tls::Off => return Ok(None),
        Tls::SelfSigned => {
            let names = names(config);
            let identity = data::identity(config.data_dir.as_deref(), || make(names))?;
            (identity.certificate.into_bytes(), identity.key.into_bytes(), identity.path, true)
        }
        Tls::Files { certificate, key } => (read(certificate)?, read(key)?, certificate.clone(), false),
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&certificate)
        .collect::<Result<_, _>>()
        .map_err(|error| bad(&path, format!("it is not a certificate in PEM form: {error}")))?;
    let first = chain.first().ok_or_else(|| bad(&path, "it contains no certificate in PEM form".into()))?;
    let fingerprint = pinned.then(|| Sha256::digest(first).into());
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| {
        bad(&path, format!("its private key is not in PEM form: {error}; give the file with --tls-key"))
    })?;
    let mut tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| bad(&path, format!("certificate and key do not match: {error}")))?;
    // HTTP/1.1 only, because WebSockets upgrade from it. A proxy or browser might otherwise choose HTTP/2. TURN clients
    // may name their protocol too (RFC 7443).
    tls.alpn_protocols = vec![b"http/1.1".to_vec(), b"stun.turn".to_vec()];
    Ok(Some(Encryption { acceptor: TlsAcceptor::from(Arc::new(tls)), fingerprint }))
}

/// Names for a self-signed certificate. Lunchroom clients check only its fingerprint; browsers check the names too.
fn names(config: &Config) -> Vec<String> {
    let public = config.public_url.as_ref().and_then(|url| url.host_str());
    let mut names: Vec<String> = public.map(|host| host.trim_matches(['[', ']']).to_owned()).into_iter().collect();
    names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    if !config.listen.ip().is_unspecified() {
        names.push(config.listen.ip().to_string());
    }
    names.dedup();
    names
}

fn make(names: Vec<String>) -> Result<(String, String), StartError> {
    let fault = |error: rcgen::Error| StartError::Config(format!("cannot generate a certificate: {error}"));
    let key = rcgen::KeyPair::generate().map_err(fault)?;
    let mut parameters = rcgen::CertificateParams::new(names).map_err(fault)?;
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "Lunchroom server");
    let certificate = parameters.self_signed(&key).map_err(fault)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

fn read(path: &Path) -> Result<Vec<u8>, StartError> {
    fs::read(path).map_err(|error| bad(path, format!("{error}; give the files with --tls-certificate and --tls-key")))
}

fn bad(path: &Path, reason: String) -> StartError {
    StartError::Certificate { path: path.to_owned(), reason }
}
