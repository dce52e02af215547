//! Who issued a certificate.

use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

/// The issuer's common name, or else its organisation. `None` if the certificate cannot be parsed or names neither.
pub(crate) fn issuer(der: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let issuer: &X509Name<'_> = certificate.issuer();
    let name = issuer.iter_common_name().chain(issuer.iter_organization()).find_map(|name| name.as_str().ok())?;
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_parsed_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = issuer(&bytes);
        }
    }
}
