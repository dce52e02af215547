//! Entry points for the fuzzer (`tests/fuzz`): any bytes may go in, and nothing may panic. The assertions state what
//! must hold for all input.

use crate::probe::certificate;
use crate::probe::portal::{self, Answer};

/// The answer of port 80, from its first byte on.
pub fn portal(data: &[u8]) {
    const HOST: &str = "lunch.example";
    let whole = portal::read(data, HOST);
    if let Answer::Portal(to) = &whole {
        assert!(!to.is_empty() && !to.contains(['\r', '\n', '/']), "it is shown as a host: {to:?}");
    }
    // What is complete stays as it is, however much follows.
    let followed = portal::read(&[data, b"x"].concat(), HOST);
    assert!(whole == Answer::Partial || followed == whole);
}

/// A certificate that stands in for the server's.
pub fn certificate(data: &[u8]) {
    if let Some(issuer) = certificate::issuer(data) {
        assert!(issuer.len() <= data.len(), "{issuer:?}");
    }
}

#[cfg(test)]
#[path = "../../../tests/fuzz/src/corpus.rs"]
mod corpus;

#[cfg(test)]
mod tests {
    use super::corpus;

    #[test]
    fn stored_answers_of_portals_pass() {
        corpus::replay("portal", super::portal);
    }

    #[test]
    fn stored_certificates_pass() {
        corpus::replay("certificate", super::certificate);
    }
}
