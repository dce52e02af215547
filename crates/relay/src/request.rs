//! The client's side of STUN and TURN: requests, and their responses (RFC 8489, RFC 8656).
//!
//! Enough to find out whether a relay can be reached and forwards data. It has no timers: the caller sends requests
//! again.

use std::net::SocketAddr;

use stun_types::attribute::{
    AttributeType, AttributeWrite, ErrorCode, Nonce, RawAttribute, Realm, Username, XorMappedAddress,
};
use stun_types::message::{
    BINDING, IntegrityAlgorithm, IntegrityKey, LongTermKeyCredentials, Message, MessageClass, MessageType,
    MessageWriteVec, Method, TransactionId,
};
use stun_types::prelude::{MessageWrite as _, MessageWriteExt as _};
use tracing::Dispatch;
use turn_types::attribute::{Data, Lifetime, RequestedTransport, XorPeerAddress, XorRelayedAddress};
use turn_types::message::{ALLOCATE, CREATE_PERMISSION, DATA, REFRESH, SEND};

use crate::message::COOKIE;

/// Bytes of a message without attributes, and of an attribute without its value.
const HEADERS: usize = 20 + 4;
/// An unassigned attribute that servers ignore (RFC 8489 section 18.3.2).
const PADDING: AttributeType = AttributeType::new(0xfffe);
/// 401 and 438: the response has a new nonce.
const CHALLENGES: [u16; 2] = [ErrorCode::UNAUTHORIZED, ErrorCode::STALE_NONCE];

/// 96 random bits that join a response to its request.
pub type Transaction = [u8; 12];

/// Long-term credentials with the server's realm and nonce (RFC 8489 section 9.2).
#[derive(Debug, Clone)]
pub struct Login {
    username: String,
    realm: String,
    nonce: String,
    key: IntegrityKey,
}

impl Login {
    /// Answers a [`Response::Challenge`].
    pub fn new(username: &str, password: &str, realm: &str, nonce: &str) -> Login {
        let credentials = LongTermKeyCredentials::new(username.into(), password.into(), realm.into());
        Login {
            username: username.into(),
            realm: realm.into(),
            nonce: nonce.into(),
            key: credentials.make_key(IntegrityAlgorithm::Sha1),
        }
    }
}

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    bytes: Vec<u8>,
    method: Method,
    transaction: TransactionId,
    key: Option<IntegrityKey>,
}

/// The response to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// The request succeeded.
    Success {
        /// Our address as the server sees it.
        mapped: Option<SocketAddr>,
        /// The address of an allocation.
        relayed: Option<SocketAddr>,
    },
    /// The server requires credentials, or a newer nonce (401, 438).
    Challenge {
        /// For [`Login::new`].
        realm: String,
        /// For [`Login::new`].
        nonce: String,
    },
    /// Another error, with its code (RFC 8489 section 14.8).
    Error(u16),
}

impl Request {
    /// Asks for our address as the server sees it.
    pub fn binding(transaction: Transaction) -> Request {
        Request::new(BINDING, transaction, &[], None)
    }

    /// As [`Request::binding`], with exactly this many bytes: a multiple of four, from 24 to 65,000.
    pub fn binding_of(transaction: Transaction, bytes: usize) -> Request {
        let padding = vec![0; bytes.saturating_sub(HEADERS)];
        Request::new(BINDING, transaction, &[&RawAttribute::new(PADDING, &padding)], None)
    }

    /// Asks for a relayed UDP address. Without credentials, the response is a challenge.
    pub fn allocate(transaction: Transaction, login: Option<&Login>) -> Request {
        Request::new(ALLOCATE, transaction, &[&RequestedTransport::new(RequestedTransport::UDP)], login)
    }

    /// Asks to exchange data with the address of this peer.
    pub fn permission(transaction: Transaction, login: &Login, peer: SocketAddr) -> Request {
        let peer = XorPeerAddress::new(peer, id(transaction));
        Request::new(CREATE_PERMISSION, transaction, &[&peer], Some(login))
    }

    /// Releases the allocation.
    pub fn release(transaction: Transaction, login: &Login) -> Request {
        Request::new(REFRESH, transaction, &[&Lifetime::new(0)], Some(login))
    }

    fn new(
        method: Method,
        transaction: Transaction,
        attributes: &[&dyn AttributeWrite],
        login: Option<&Login>,
    ) -> Request {
        let transaction = id(transaction);
        let kind = MessageType::from_class_method(MessageClass::Request, method);
        let mut writer = Message::builder(kind, transaction, MessageWriteVec::with_capacity(256));
        for attribute in attributes {
            // Fails only after the integrity, which is added last.
            let _ = writer.add_attribute(*attribute);
        }
        if let Some(login) = login {
            sign(&mut writer, login);
        }
        Request { bytes: writer.finish(), method, transaction, key: login.map(|login| login.key.clone()) }
    }

    /// The message.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Parses what was received. `None` if it is not the response to this request, or if its integrity is wrong.
    pub fn response(&self, received: &[u8]) -> Option<Response> {
        let message = parsed(received)?;
        if message.transaction_id() != self.transaction || message.method() != self.method {
            return None;
        }
        match message.class() {
            MessageClass::Success => self.success(&message),
            MessageClass::Error => failure(&message),
            MessageClass::Request | MessageClass::Indication => None,
        }
    }

    fn success(&self, message: &Message<'_>) -> Option<Response> {
        if let Some(key) = &self.key {
            let proved = || message.validate_integrity_with_key(key);
            tracing::dispatcher::with_default(&Dispatch::none(), proved).ok()?;
        }
        let mapped = message.attribute::<XorMappedAddress>().ok().map(|address| address.addr(self.transaction));
        let relayed = message.attribute::<XorRelayedAddress>().ok().map(|address| address.addr(self.transaction));
        Some(Response::Success { mapped, relayed })
    }
}

/// Whether this is a STUN message, to us or not.
pub fn is_message(received: &[u8]) -> bool {
    parsed(received).is_some()
}

/// A Send indication: the server forwards the data to the peer (RFC 8656 section 11.1).
pub fn send_indication(transaction: Transaction, peer: SocketAddr, data: &[u8]) -> Vec<u8> {
    let transaction = id(transaction);
    let kind = MessageType::from_class_method(MessageClass::Indication, SEND);
    let mut writer = Message::builder(kind, transaction, MessageWriteVec::with_capacity(data.len() + 64));
    // Fails only after an integrity, which it does not have.
    let _ = writer.add_attribute(&XorPeerAddress::new(peer, transaction));
    let _ = writer.add_attribute(&Data::new(data));
    writer.finish()
}

/// The peer and the data of a Data indication (RFC 8656 section 11.4).
pub fn indicated_data(received: &[u8]) -> Option<(SocketAddr, Vec<u8>)> {
    let message = parsed(received)?;
    if message.class() != MessageClass::Indication || message.method() != DATA {
        return None;
    }
    let peer = message.attribute::<XorPeerAddress>().ok()?.addr(message.transaction_id());
    Some((peer, message.attribute::<Data>().ok()?.data().to_vec()))
}

fn failure(message: &Message<'_>) -> Option<Response> {
    let code = message.attribute::<ErrorCode>().ok()?.code();
    let realm = message.attribute::<Realm>().ok().map(|realm| realm.realm().to_owned());
    let nonce = message.attribute::<Nonce>().ok().map(|nonce| nonce.nonce().to_owned());
    Some(match (realm, nonce) {
        (Some(realm), Some(nonce)) if CHALLENGES.contains(&code) => Response::Challenge { realm, nonce },
        (_, _) => Response::Error(code),
    })
}

fn sign(writer: &mut MessageWriteVec, login: &Login) {
    let Login { username, realm, nonce, key } = login;
    let (Ok(username), Ok(realm), Ok(nonce)) = (Username::new(username), Realm::new(realm), Nonce::new(nonce)) else {
        return; // one of them is too long, and the server refuses a request without it
    };
    for attribute in [&username as &dyn AttributeWrite, &realm, &nonce] {
        let _ = writer.add_attribute(attribute);
    }
    let _ = writer.add_message_integrity_with_key(key, IntegrityAlgorithm::Sha1);
}

fn parsed(received: &[u8]) -> Option<Message<'_>> {
    if received.get(4..8) != Some(&COOKIE[..]) {
        return None;
    }
    // The library logs a warning for each malformed message.
    tracing::dispatcher::with_default(&Dispatch::none(), || Message::from_bytes(received)).ok()
}

fn id(transaction: Transaction) -> TransactionId {
    TransactionId::from(transaction.iter().fold(0, |id, byte| id << 8 | u128::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Answer, Incoming, UNAUTHORIZED, key};
    use proptest::prelude::*;

    const ID: Transaction = *b"twelve bytes";

    fn client() -> SocketAddr {
        "192.0.2.7:4000".parse().expect("an address")
    }

    #[test]
    fn a_binding_request_learns_the_mapped_address_and_ignores_other_transactions() {
        let (request, other) = (Request::binding(ID), Request::binding([1; 12]));
        let asked = Incoming::read(request.bytes()).expect("a message").asked();
        let answer = Answer::success(asked).mapped(client()).finish(None);
        let expected = Response::Success { mapped: Some(client()), relayed: None };
        assert_eq!(request.response(&answer), Some(expected));
        assert_eq!(other.response(&answer), None);
    }

    #[test]
    fn a_binding_request_can_have_any_size_that_a_datagram_may_have() {
        for bytes in [24, 548, 1200, 1472] {
            let request = Request::binding_of(ID, bytes);
            assert_eq!(request.bytes().len(), bytes);
            assert!(Incoming::read(request.bytes()).is_some());
        }
    }

    #[test]
    fn a_challenge_is_answered_with_credentials_and_a_forged_success_is_not_believed() {
        let bare = Request::allocate(ID, None);
        let asked = Incoming::read(bare.bytes()).expect("a message").asked();
        let challenge = Answer::failure(asked, UNAUTHORIZED).challenge("nonce").finish(None);
        let Some(Response::Challenge { realm, nonce }) = bare.response(&challenge) else { panic!("no challenge") };
        let signed = Request::allocate(ID, Some(&Login::new("ada", "sesame", &realm, &nonce)));
        let incoming = Incoming::read(signed.bytes()).expect("a message");
        let key = key("ada", "sesame".into());
        assert!(incoming.proves(&key) && incoming.username().as_deref() == Some("ada"));
        let relayed = Answer::success(incoming.asked()).relayed(client());
        let expected = Response::Success { mapped: None, relayed: Some(client()) };
        assert_eq!(signed.response(&relayed.finish(Some(&key))), Some(expected));
        let forged = Answer::success(incoming.asked()).relayed(client()).finish(None);
        assert_eq!(signed.response(&forged), None);
    }

    #[test]
    fn data_arrives_with_its_peer() {
        let sent = crate::message::data_indication(1, client(), b"soup");
        assert_eq!(indicated_data(&sent), Some((client(), b"soup".to_vec())));
        assert_eq!(indicated_data(&send_indication(ID, client(), b"soup")), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_without_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let request = Request::allocate(ID, Some(&Login::new("u", "p", "r", "n")));
            let _ = (request.response(&bytes), indicated_data(&bytes));
            let head = request.bytes();
            let length = bytes.len().min(20);
            bytes[..length].copy_from_slice(&head[..length]);
            let _ = (request.response(&bytes), indicated_data(&bytes));
        }
    }
}
