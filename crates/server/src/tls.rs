//! The server's certificate.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ResolvesServerCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;

use crate::certificate::{Files, unix_seconds};
use crate::config::{Config, Tls};
use crate::data;
use crate::error::StartError;
use crate::renewal::{Newest, Renewal};

/// How connections are encrypted.
pub(crate) struct Encryption {
    pub(crate) acceptor: TlsAcceptor,
    /// SHA-256 of the certificate, if clients must pin it.
    pub(crate) fingerprint: Option<[u8; 32]>,
    /// Follows the certificate's files, if it is from files.
    pub(crate) renewal: Option<Renewal>,
}

/// Loads or generates the certificate. `None` if connections are not encrypted.
pub(crate) fn encryption(config: &Config) -> Result<Option<Encryption>, StartError> {
    match &config.tls {
        Tls::Off => Ok(None),
        Tls::SelfSigned => self_signed(config).map(Some),
        Tls::Files { certificate, key } => {
            let files = Files { certificate: certificate.clone(), key: key.clone() };
            let (contents, usable) = files.load(unix_seconds())?;
            let host = config.public_url.as_ref().and_then(|url| url.host_str());
            if let Some(host) = host.map(|host| host.trim_matches(['[', ']'])).filter(|host| !usable.is_for(host)) {
                // A proxy in front may not mind.
                let (file, names) = (files.certificate.display(), usable.names.join(", "));
                tracing::warn!("{file} is not for {host}, the host of public-url, but for: {names}");
            }
            let renewal = Renewal::new(files, &contents, usable);
            let acceptor = acceptor(Newest(renewal.served()))?;
            Ok(Some(Encryption { acceptor, fingerprint: None, renewal: Some(renewal) }))
        }
    }
}

fn self_signed(config: &Config) -> Result<Encryption, StartError> {
    let names = names(config);
    let identity = data::identity(config.data_dir.as_deref(), || make(names))?;
    let bad = |error: &dyn std::fmt::Display| StartError::Certificate {
        path: identity.path.clone(),
        reason: format!("{error}; remove it, and the server makes another one, which changes every link"),
    };
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).map_err(|error| bad(&error))?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).map_err(|error| bad(&error))?;
    let fingerprint = Some(Sha256::digest(&certificate).into());
    let key = CertifiedKey::from_der(vec![certificate], key, &default_provider()).map_err(|error| bad(&error))?;
    let acceptor = acceptor(SingleCertAndKey::from(key))?;
    Ok(Encryption { acceptor, fingerprint, renewal: None })
}

fn acceptor(certificate: impl ResolvesServerCert + 'static) -> Result<TlsAcceptor, StartError> {
    let mut tls = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| StartError::Config(format!("cannot encrypt: {error}")))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(certificate));
    // HTTP/1.1 only, because WebSockets upgrade from it. A proxy or browser might otherwise choose HTTP/2. TURN clients
    // may name their protocol too (RFC 7443).
    tls.alpn_protocols = vec![b"http/1.1".to_vec(), b"stun.turn".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(tls)))
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
