//! A certificate and its key in PEM files, and whether clients will accept them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::error::StartError;

/// The paths of a certificate chain and its private key.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// The contents of both files.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// A certificate that may be served.
#[derive(Debug, Clone)]
pub(crate) struct Usable {
    pub(crate) key: Arc<CertifiedKey>,
    /// Unix time in seconds after which clients refuse it.
    pub(crate) expires: i64,
    /// The names that it is for.
    pub(crate) names: Vec<String>,
}

/// Why a certificate cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("it has no certificate in PEM form; give the certificate chain, often called fullchain.pem")]
    NoCertificate,
    #[error("it has a private key and no certificate; --tls-certificate and --tls-key may be swapped")]
    Swapped,
    #[error("it is damaged; get the certificate again")]
    Damaged,
    #[error("it has no private key in PEM form; give the key, often called privkey.pem, with --tls-key")]
    NoKey,
    #[error(
        "the key in {} belongs to another certificate; give the two files that were issued together",
        .0.display()
    )]
    OtherKey(PathBuf),
    #[error("its key is of a kind that is not supported; get a certificate with an ECDSA or RSA key")]
    UnsupportedKey,
    #[error(
        "it expired on {}; renew it (certbot: certbot renew), and check this machine's clock",
        day(*.0)
    )]
    Expired(i64),
    #[error("it is valid only from {}; check this machine's clock", day(*.0))]
    NotYetValid(i64),
}

impl Unusable {
    /// The error of a server that cannot start.
    pub(crate) fn into_start_error(self, files: &Files) -> StartError {
        let is_of_key = matches!(self, Unusable::NoKey | Unusable::UnsupportedKey);
        let path = if is_of_key { files.key.clone() } else { files.certificate.clone() };
        StartError::Certificate { path, reason: self.to_string() }
    }
}

impl Files {
    /// Reads both files.
    pub(crate) fn read(&self) -> Result<Contents, StartError> {
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|error| StartError::Certificate {
                path: path.clone(),
                reason: format!(
                    "{error}; give the files with --tls-certificate and --tls-key, and let this user read them"
                ),
            })
        };
        Ok(Contents { certificate: read(&self.certificate)?, key: read(&self.key)? })
    }

    /// Reads and checks both files. `now` is Unix time in seconds.
    pub(crate) fn load(&self, now: i64) -> Result<(Contents, Usable), StartError> {
        let contents = self.read()?;
        let usable = self.check(&contents, now).map_err(|unusable| unusable.into_start_error(self))?;
        Ok((contents, usable))
    }

    /// Checks what was read. `now` is Unix time in seconds.
    pub(crate) fn check(&self, contents: &Contents, now: i64) -> Result<Usable, Unusable> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&contents.certificate)
            .collect::<Result<_, _>>()
            .map_err(|_| Unusable::NoCertificate)?;
        let Some(first) = chain.first() else {
            let is_key = PrivateKeyDer::from_pem_slice(&contents.certificate).is_ok();
            return Err(if is_key { Unusable::Swapped } else { Unusable::NoCertificate });
        };
        let (expires, names) = examine(first, now)?;
        let key = PrivateKeyDer::from_pem_slice(&contents.key).map_err(|_| Unusable::NoKey)?;
        let key = CertifiedKey::from_der(chain, key, &default_provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => Unusable::OtherKey(self.key.clone()),
            rustls::Error::InvalidCertificate(_) => Unusable::Damaged,
            _ => Unusable::UnsupportedKey,
        })?;
        Ok(Usable { key: Arc::new(key), expires, names })
    }
}

impl Contents {
    /// A short name of these contents, to tell whether they have been seen before.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(u64::try_from(self.certificate.len()).unwrap_or(u64::MAX).to_le_bytes());
        digest.update(&self.certificate);
        digest.update(&self.key);
        digest.finalize().into()
    }
}

impl Usable {
    /// Whether clients that connect by this name accept the certificate (RFC 9525 section 6.3: a wildcard stands for
    /// one whole label).
    pub(crate) fn is_for(&self, host: &str) -> bool {
        let rest = host.split_once('.').map(|(_, rest)| rest);
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            Some(suffix) => rest.is_some_and(|rest| rest.eq_ignore_ascii_case(suffix)),
            None => name.eq_ignore_ascii_case(host),
        })
    }
}

/// The end of the validity, and the names. An error outside the validity.
fn examine(der: &CertificateDer<'_>, now: i64) -> Result<(i64, Vec<String>), Unusable> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| Unusable::Damaged)?;
    let validity = certificate.validity();
    let (from, until) = (validity.not_before.timestamp(), validity.not_after.timestamp());
    if now < from {
        return Err(Unusable::NotYetValid(from));
    }
    if now > until {
        return Err(Unusable::Expired(until));
    }
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let names =
        alternative.map(|names| names.value.general_names.iter().filter_map(name).collect()).unwrap_or_default();
    Ok((until, names))
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(|ip| std::net::IpAddr::from(ip).to_string());
            let v6 = <[u8; 16]>::try_from(*bytes).map(|ip| std::net::IpAddr::from(ip).to_string());
            v4.or(v6).ok()
        }
        _ => None,
    }
}

/// A Unix time in seconds as a date in UTC.
pub(crate) fn day(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| "an unknown day".into(), |at| at.strftime("%F").to_string())
}

/// Unix time in seconds.
pub(crate) fn unix_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn files() -> Files {
        Files { certificate: "fullchain.pem".into(), key: "privkey.pem".into() }
    }

    /// A certificate that is valid in 2026, and its key.
    fn issued(names: &[&str]) -> Contents {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut parameters = rcgen::CertificateParams::new(names).unwrap();
        parameters.not_before = rcgen::date_time_ymd(2026, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2027, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        Contents { certificate: certificate.pem().into_bytes(), key: key.serialize_pem().into_bytes() }
    }

    fn in_2026() -> i64 {
        rcgen::date_time_ymd(2026, 6, 1).unix_timestamp()
    }

    #[test]
    fn a_certificate_is_refused_outside_its_validity() {
        let contents = issued(&["lunch.example"]);
        let check = |now| files().check(&contents, now);
        let usable = check(in_2026()).unwrap();
        assert_eq!(usable.expires, rcgen::date_time_ymd(2027, 1, 1).unix_timestamp());
        let late = check(in_2026() + 366 * DAY).unwrap_err().to_string();
        assert!(late.contains("expired on 2027-01-01") && late.contains("renew"), "{late}");
        let early = check(in_2026() - 366 * DAY).unwrap_err().to_string();
        assert!(early.contains("from 2026-01-01") && early.contains("clock"), "{early}");
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let (one, other) = (issued(&["a.example"]), issued(&["b.example"]));
        let mixed = Contents { certificate: one.certificate, key: other.key };
        let error = files().check(&mixed, in_2026()).unwrap_err();
        assert!(matches!(error, Unusable::OtherKey(_)), "{error}");
        let text = error.into_start_error(&files()).to_string();
        assert!(text.contains("fullchain.pem") && text.contains("privkey.pem") && text.contains("issued together"));
    }

    #[test]
    fn files_without_what_they_should_have_are_refused() {
        let good = issued(&["a.example"]);
        let check = |certificate: &[u8], key: &[u8]| {
            let contents = Contents { certificate: certificate.to_vec(), key: key.to_vec() };
            files().check(&contents, in_2026()).unwrap_err()
        };
        assert!(matches!(check(&good.key, &good.certificate), Unusable::Swapped));
        assert!(matches!(check(b"", &good.key), Unusable::NoCertificate));
        assert!(matches!(check(&good.certificate, b""), Unusable::NoKey));
        let damaged = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(check(damaged, &good.key), Unusable::Damaged));
    }

    #[test]
    fn a_certificate_is_for_its_names_only() {
        let usable = files().check(&issued(&["lunch.example", "*.school.example", "192.0.2.7"]), in_2026()).unwrap();
        for host in ["lunch.example", "LUNCH.example", "a.school.example", "192.0.2.7"] {
            assert!(usable.is_for(host), "{host}");
        }
        for host in ["other.example", "school.example", "a.b.school.example", "192.0.2.8", ""] {
            assert!(!usable.is_for(host), "{host}");
        }
    }
}
