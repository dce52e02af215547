//! Certificates for servers of tests.

use crate::scratch::Scratch;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// A certificate for a host, and the root that signed it.
pub struct Authority {
    folder: Scratch,
}

impl Authority {
    /// Creates both, for a DNS name or an IP address.
    pub fn new(host: &str) -> Authority {
        let folder = Scratch::new("authority");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let root = params.self_signed(&key).expect("a root");
        let leaf_key = KeyPair::generate().expect("a key");
        let leaf = CertificateParams::new([host.to_owned()]).expect("a host");
        let leaf = leaf.signed_by(&leaf_key, &Issuer::new(params, key)).expect("a certificate");
        let files = [("root.pem", root.pem()), ("leaf.pem", leaf.pem()), ("leaf.key", leaf_key.serialize_pem())];
        for (name, text) in files {
            std::fs::write(folder.join(name), text).expect("a file");
        }
        Authority { folder }
    }

    /// The path of `root.pem`, `leaf.pem` (the certificate) or `leaf.key` (its private key).
    pub fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}
