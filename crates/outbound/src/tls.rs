//! Verification of server certificates.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use rustls_platform_verifier::Verifier;
use sha2::{Digest, Sha256};
use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

/// Why a TLS handshake failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFailure {
    /// The certificate is not the pinned one.
    WrongCertificate,
    /// This system does not trust the certificate.
    Certificate,
    /// The other end does not speak TLS, or no version that we support.
    NoTls,
    /// The connection broke.
    Broken,
}

/// Why a certificate is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateFault {
    /// It is over.
    Expired,
    /// It is not valid yet.
    NotValidYet,
    /// It is for other names.
    Name,
    /// The system does not know its issuer.
    Issuer,
    /// Anything else.
    Other,
}

impl CertificateFault {
    /// The reason, if a handshake failed because of the server's certificate.
    pub fn of(error: &io::Error) -> Option<Self> {
        let error = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>())?;
        let Error::InvalidCertificate(fault) = error else { return None };
        Some(match fault {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotValidYet,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Self::Name,
            CertificateError::UnknownIssuer => Self::Issuer,
            _ => Self::Other,
        })
    }
}

/// The certificate that a server presented, trusted or not. Clones share it.
#[derive(Clone, Default)]
pub struct Presented(Arc<OnceLock<CertificateDer<'static>>>);

impl Presented {
    /// The certificate in DER, after a handshake got as far as that.
    pub fn der(&self) -> Option<&[u8]> {
        self.0.get().map(|certificate| certificate.as_ref())
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Presented").field(&self.der().map(<[u8]>::len)).finish()
    }
}

/// The certificate is not the pinned one.
#[derive(Debug, thiserror::Error)]
#[error("the server's certificate is not the one that the link names")]
struct WrongCertificate;

impl TlsFailure {
    /// Classifies the error of a handshake by its type.
    pub fn of(error: &io::Error) -> Self {
        let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else { return Self::Broken };
        match error {
            Error::InvalidCertificate(CertificateError::Other(OtherError(why))) if why.is::<WrongCertificate>() => {
                Self::WrongCertificate
            }
            Error::InvalidCertificate(_) | Error::NoCertificatesPresented => Self::Certificate,
            _ => Self::NoTls,
        }
    }
}

/// Returns the client's TLS configuration. With a fingerprint, exactly that certificate is accepted, whatever its
/// issuer and name: servers on a local network have no other proof. Without a fingerprint, the system's verifier
/// decides, as for browsers.
///
/// # Errors
/// The system has no root certificates.
pub fn client_config(fingerprint: Option<[u8; 32]>) -> Result<Arc<ClientConfig>, Error> {
    match fingerprint {
        Some(fingerprint) => configured(Arc::new(Pinned { fingerprint, otherwise: None, provider: provider() })),
        None => system_config(),
    }
}

/// As [`client_config`], and keeps the certificate that the server presents. For one connection.
///
/// # Errors
/// The system has no root certificates.
pub fn recording_config(fingerprint: Option<[u8; 32]>, presented: Presented) -> Result<Arc<ClientConfig>, Error> {
    let provider = provider();
    let verifier: Arc<dyn ServerCertVerifier> = match fingerprint {
        Some(fingerprint) => Arc::new(Pinned { fingerprint, otherwise: None, provider }),
        None => system(&provider)?,
    };
    configured(Arc::new(Recording { verifier, presented }))
}

/// As [`client_config`], for a TURN server that a signalling server names. It may be that server itself, with the
/// pinned certificate, or another one that the system trusts. Calls do not depend on it: they are encrypted end to end.
///
/// # Errors
/// The system has no root certificates, and no certificate is pinned.
pub fn relay_config(fingerprint: Option<[u8; 32]>) -> Result<Arc<ClientConfig>, Error> {
    let Some(fingerprint) = fingerprint else { return system_config() };
    let provider = provider();
    configured(Arc::new(Pinned { fingerprint, otherwise: system(&provider).ok(), provider }))
}

/// The configuration without a pinned certificate. Reading the root certificates takes milliseconds, so it is kept, and
/// with it the tickets that shorten later handshakes.
fn system_config() -> Result<Arc<ClientConfig>, Error> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(config.clone());
    }
    let config = configured(system(&provider())?)?;
    Ok(CONFIG.get_or_init(|| config).clone())
}

fn configured(verifier: Arc<dyn ServerCertVerifier>) -> Result<Arc<ClientConfig>, Error> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The system's own verifier; on Linux, its root certificates (`SSL_CERT_FILE` and `SSL_CERT_DIR` name others).
fn system(provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    let verifier = Verifier::new(provider.clone()).map_err(|error| {
        Error::General(format!(
            "this system has no root certificates ({error}): install ca-certificates, or use a link with fp"
        ))
    })?;
    Ok(Arc::new(verifier))
}

/// Accepts one certificate, and others only if another verifier accepts them.
#[derive(Debug)]
struct Pinned {
    fingerprint: [u8; 32],
    otherwise: Option<Arc<dyn ServerCertVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if Sha256::digest(end_entity).as_slice() == self.fingerprint {
            return Ok(ServerCertVerified::assertion());
        }
        match &self.otherwise {
            Some(other) => other.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
            None => Err(Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(WrongCertificate))))),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Keeps the certificate, and lets another verifier decide.
#[derive(Debug)]
struct Recording {
    verifier: Arc<dyn ServerCertVerifier>,
    presented: Presented,
}

impl ServerCertVerifier for Recording {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let _ = self.presented.0.set(end_entity.clone().into_owned()); // the first one counts
        self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    use std::ffi::OsStr;
    use std::path::PathBuf;
    use std::process::Command;

    const NAME: &str = "lunch.example";
    /// In the process that a test starts: the file of the server's certificate.
    const LEAF: &str = "LUNCHROOM_TEST_LEAF";

    /// Runs a test again in its own process, which has only these root certificates.
    fn run_again(test: &str, roots: &Authority, leaf: &OsStr) {
        let mut child = Command::new(std::env::current_exe().expect("this program"));
        child.args([&format!("tls::tests::{test}"), "--exact", "--nocapture"]);
        child.env_remove("SSL_CERT_DIR").env("SSL_CERT_FILE", &roots.file).env(LEAF, leaf);
        let output = child.output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }

    /// A file with a root certificate, and a server certificate signed by it.
    struct Authority {
        file: PathBuf,
        leaf: PathBuf,
    }

    impl Authority {
        fn new(name: &str) -> Authority {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            // Authorities are found by their names.
            params.distinguished_name.push(DnType::CommonName, name);
            let key = KeyPair::generate().expect("a key");
            let root = params.self_signed(&key).expect("a root");
            let leaf_key = KeyPair::generate().expect("a key");
            let leaf = CertificateParams::new([NAME.to_owned()]).expect("a name");
            let leaf = leaf.signed_by(&leaf_key, &Issuer::new(params, key)).expect("a certificate");
            let authority = Authority::without_roots(name);
            std::fs::write(&authority.file, root.pem()).expect("a file");
            std::fs::write(&authority.leaf, leaf.der()).expect("a file");
            authority
        }

        fn without_roots(name: &str) -> Authority {
            let path = |ending| {
                let path = std::env::temp_dir().join(format!("lunchroom-{}-{name}.{ending}", std::process::id()));
                std::fs::write(&path, "").expect("a temporary file");
                path
            };
            Authority { file: path("pem"), leaf: path("der") }
        }
    }

    impl Drop for Authority {
        fn drop(&mut self) {
            for file in [&self.file, &self.leaf] {
                let _ = std::fs::remove_file(file); // the system clears its temporary files
            }
        }
    }

    fn check(leaf: &OsStr, name: &'static str) -> Result<ServerCertVerified, Error> {
        let certificate = CertificateDer::from(std::fs::read(leaf).expect("a certificate"));
        let verifier = system(&Arc::new(ring::default_provider())).expect("it has roots");
        let name = ServerName::try_from(name).expect("a name");
        verifier.verify_server_cert(&certificate, &[], &name, &[], UnixTime::now())
    }

    #[test]
    fn a_trusted_authority_validates_the_server_name() {
        if let Some(leaf) = std::env::var_os(LEAF) {
            assert!(check(&leaf, NAME).is_ok());
            let other = io::Error::other(check(&leaf, "other.example").expect_err("another name"));
            assert_eq!(CertificateFault::of(&other), Some(CertificateFault::Name));
            return;
        }
        let known = Authority::new("known");
        run_again("a_trusted_authority_validates_the_server_name", &known, known.leaf.as_os_str());
    }

    #[test]
    fn an_unknown_authority_is_refused() {
        if let Some(leaf) = std::env::var_os(LEAF) {
            let refused = check(&leaf, NAME).map(drop).map_err(std::io::Error::other);
            let error = refused.expect_err("another authority");
            assert_eq!(TlsFailure::of(&error), TlsFailure::Certificate);
            assert_eq!(CertificateFault::of(&error), Some(CertificateFault::Issuer));
            return;
        }
        let (roots, other) = (Authority::new("roots"), Authority::new("other"));
        run_again("an_unknown_authority_is_refused", &roots, other.leaf.as_os_str());
    }

    #[test]
    fn without_system_roots_only_pinned_certificates_work() {
        if std::env::var_os(LEAF).is_some() {
            let error = client_config(None).expect_err("no roots").to_string();
            assert!(error.contains("install ca-certificates"), "{error}");
            assert!(client_config(Some([0; 32])).is_ok());
            return;
        }
        let none = Authority::without_roots("none");
        let test = "without_system_roots_only_pinned_certificates_work";
        run_again(test, &none, none.leaf.as_os_str());
    }

    #[test]
    fn the_roots_of_this_system_are_found() {
        if !std::path::Path::new("/etc/ssl/certs/ca-certificates.crt").is_file() {
            return println!("SKIPPED: this system has no ca-certificates");
        }
        assert!(client_config(None).is_ok());
    }
}
