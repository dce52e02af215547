//! Parses and writes STUN and TURN messages with `stun-types` and `turn-types`.

use std::net::SocketAddr;
use std::ops::Range;

use stun_types::AddressFamily;
use stun_types::attribute::{
    AttributeFromRaw, AttributeStaticType, AttributeType, AttributeWrite, ErrorCode, Fingerprint, MessageIntegrity,
    Nonce, Realm, UnknownAttributes, Username, XorMappedAddress,
};
use stun_types::message::{
    IntegrityAlgorithm, IntegrityKey, LongTermKeyCredentials, Message, MessageClass, MessageType, MessageWriteVec,
    Method, TransactionId,
};
use stun_types::prelude::{Attribute as _, MessageWrite as _, MessageWriteExt as _};
use tracing::Dispatch;
use turn_types::attribute::{
    ChannelNumber, Data, DontFragment, EvenPort, Lifetime, RequestedAddressFamily, RequestedTransport,
    ReservationToken, XorPeerAddress, XorRelayedAddress,
};

use crate::limits::REALM;

/// Magic cookie of RFC 8489 section 5, bytes 4 to 8.
pub(crate) const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER_BYTES: usize = 20;
/// Type and length of an attribute, before its value.
const ATTRIBUTE_HEADER_BYTES: usize = 4;

/// The comprehension-required attributes that we understand. Others are refused with 420 (RFC 8489 section 6.3).
const UNDERSTOOD: [AttributeType; 12] = [
    Username::TYPE,
    Realm::TYPE,
    Nonce::TYPE,
    MessageIntegrity::TYPE,
    RequestedTransport::TYPE,
    RequestedAddressFamily::TYPE,
    DontFragment::TYPE,
    EvenPort::TYPE,
    ReservationToken::TYPE,
    Lifetime::TYPE,
    XorPeerAddress::TYPE,
    ChannelNumber::TYPE,
];
/// Maximum number of unknown attributes listed in an answer.
const MAX_UNKNOWN: usize = 16;

/// The parts of a request that its answer needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) transaction: TransactionId,
    /// Whether it had a FINGERPRINT, so its answer has one.
    fingerprint: bool,
}

/// A well-formed STUN message.
pub(crate) struct Incoming<'a> {
    message: Message<'a>,
}

/// The result of looking for an attribute.
pub(crate) enum Found<T> {
    Absent,
    Broken,
    Here(T),
}

/// An error code and its reason phrase, for people who read packet captures.
pub(crate) type Failure = (u16, &'static str);

pub(crate) const BAD_REQUEST: Failure = (ErrorCode::BAD_REQUEST, "Bad Request");
pub(crate) const FORBIDDEN: Failure = (ErrorCode::FORBIDDEN, "Forbidden");
pub(crate) const MISMATCH: Failure = (ErrorCode::ALLOCATION_MISMATCH, "Allocation Mismatch");
pub(crate) const FAMILY: Failure = (ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED, "Address Family not Supported");
pub(crate) const WRONG_CREDENTIALS: Failure = (ErrorCode::WRONG_CREDENTIALS, "Wrong Credentials");
pub(crate) const TRANSPORT: Failure = (ErrorCode::UNSUPPORTED_TRANSPORT_PROTOCOL, "Unsupported Transport Protocol");
pub(crate) const PEER_FAMILY: Failure = (ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH, "Peer Address Family Mismatch");
pub(crate) const QUOTA: Failure = (ErrorCode::ALLOCATION_QUOTA_REACHED, "Allocation Quota Reached");
pub(crate) const CAPACITY: Failure = (ErrorCode::INSUFFICIENT_CAPACITY, "Insufficient Capacity");
/// Without reason phrases: the source address may be spoofed, and the answer must not be longer than the request.
pub(crate) const UNAUTHORIZED: Failure = (ErrorCode::UNAUTHORIZED, "");
pub(crate) const STALE_NONCE: Failure = (ErrorCode::STALE_NONCE, "");
pub(crate) const INCOMPLETE: Failure = (ErrorCode::BAD_REQUEST, "");

impl<'a> Incoming<'a> {
    /// Parses a datagram that is exactly one message.
    pub(crate) fn read(datagram: &'a [u8]) -> Option<Incoming<'a>> {
        let (header, body) = datagram.split_at_checked(HEADER_BYTES)?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let adds_up = header[4..8] == COOKIE && length == body.len() && length.is_multiple_of(4);
        if !adds_up {
            return None;
        }
        // The library logs a warning for each malformed message, and anybody can send those.
        let message = tracing::dispatcher::with_default(&Dispatch::none(), || Message::from_bytes(datagram));
        Some(Incoming { message: message.ok()? })
    }

    pub(crate) fn class(&self) -> MessageClass {
        self.message.class()
    }

    pub(crate) fn asked(&self) -> Asked {
        let fingerprint = self.message.has_attribute(Fingerprint::TYPE);
        Asked { method: self.message.method(), transaction: self.message.transaction_id(), fingerprint }
    }

    pub(crate) fn has_integrity(&self) -> bool {
        self.message.has_attribute(MessageIntegrity::TYPE)
    }

    /// Whether the message's integrity proves that the sender has the key.
    pub(crate) fn proves(&self, key: &IntegrityKey) -> bool {
        let proved = || self.message.validate_integrity_with_key(key);
        tracing::dispatcher::with_default(&Dispatch::none(), proved).is_ok()
    }

    pub(crate) fn username(&self) -> Option<String> {
        self.message.attribute::<Username>().ok().map(|name| name.username().to_owned())
    }

    pub(crate) fn nonce(&self) -> Option<String> {
        self.message.attribute::<Nonce>().ok().map(|nonce| nonce.nonce().to_owned())
    }

    pub(crate) fn has_realm(&self) -> bool {
        self.message.has_attribute(Realm::TYPE)
    }

    /// Unknown comprehension-required attributes.
    pub(crate) fn unknown(&self) -> Vec<AttributeType> {
        let kinds = self.message.iter_attributes().map(|(_, raw)| raw.get_type());
        kinds.filter(|kind| kind.comprehension_required() && !UNDERSTOOD.contains(kind)).take(MAX_UNKNOWN).collect()
    }

    /// IP protocol number.
    pub(crate) fn transport(&self) -> Found<u8> {
        self.find::<RequestedTransport, _>(|transport| transport.protocol())
    }

    /// Whether the request is for an IPv6 address.
    pub(crate) fn wants_v6(&self) -> Found<bool> {
        self.find::<RequestedAddressFamily, _>(|asked| asked.family() == AddressFamily::IPV6)
    }

    /// Whether the next higher port must be reserved too.
    pub(crate) fn even_port(&self) -> Found<bool> {
        self.find::<EvenPort, _>(|even| even.requested())
    }

    pub(crate) fn token(&self) -> Found<u64> {
        self.find::<ReservationToken, _>(|token| token.token())
    }

    /// Lifetime in seconds.
    pub(crate) fn lifetime(&self) -> Found<u32> {
        self.find::<Lifetime, _>(|lifetime| lifetime.seconds())
    }

    pub(crate) fn channel(&self) -> Found<u16> {
        self.find::<ChannelNumber, _>(|channel| channel.channel())
    }

    /// All peers named; `None` if one of them is malformed.
    pub(crate) fn peers(&self) -> Option<Vec<SocketAddr>> {
        let named = self.message.iter_attributes().filter(|(_, raw)| raw.get_type() == XorPeerAddress::TYPE);
        let transaction = self.message.transaction_id();
        named.map(|(_, raw)| Some(XorPeerAddress::from_raw(raw).ok()?.addr(transaction))).collect()
    }

    /// Position in the datagram of a Send indication's data.
    pub(crate) fn data(&self) -> Option<Range<usize>> {
        let (offset, raw) = self.message.raw_attribute_and_offset(Data::TYPE)?;
        let start = offset + ATTRIBUTE_HEADER_BYTES;
        Some(start..start + usize::from(raw.length()))
    }

    fn find<A, T>(&self, read: impl FnOnce(&A) -> T) -> Found<T>
    where
        A: for<'raw> AttributeFromRaw<'raw> + AttributeStaticType,
    {
        if !self.message.has_attribute(A::TYPE) {
            return Found::Absent;
        }
        self.message.attribute::<A>().map_or(Found::Broken, |attribute| Found::Here(read(&attribute)))
    }
}

/// Returns the key of a user name and its password (RFC 8489 section 9.2.2).
pub(crate) fn key(username: &str, password: String) -> IntegrityKey {
    LongTermKeyCredentials::new(username.to_owned(), password, REALM.to_owned()).make_key(IntegrityAlgorithm::Sha1)
}

/// Writes an answer.
pub(crate) struct Answer {
    asked: Asked,
    writer: MessageWriteVec,
}

impl Answer {
    pub(crate) fn success(asked: Asked) -> Answer {
        Answer::new(asked, MessageClass::Success)
    }

    pub(crate) fn failure(asked: Asked, (code, reason): Failure) -> Answer {
        let mut answer = Answer::new(asked, MessageClass::Error);
        if let Ok(error) = ErrorCode::new(code, reason) {
            answer.add(&error);
        }
        answer
    }

    pub(crate) fn unknown(asked: Asked, unknown: &[AttributeType]) -> Answer {
        let mut answer = Answer::failure(asked, (ErrorCode::UNKNOWN_ATTRIBUTE, "Unknown Attribute"));
        answer.add(&UnknownAttributes::new(unknown));
        answer
    }

    fn new(asked: Asked, class: MessageClass) -> Answer {
        let kind = MessageType::from_class_method(class, asked.method);
        let writer = Message::builder(kind, asked.transaction, MessageWriteVec::with_capacity(128));
        Answer { asked, writer }
    }

    pub(crate) fn challenge(mut self, nonce: &str) -> Answer {
        if let (Ok(realm), Ok(nonce)) = (Realm::new(REALM), Nonce::new(nonce)) {
            self.add(&realm);
            self.add(&nonce);
        }
        self
    }

    pub(crate) fn mapped(mut self, addr: SocketAddr) -> Answer {
        let attribute = XorMappedAddress::new(addr, self.asked.transaction);
        self.add(&attribute);
        self
    }

    pub(crate) fn relayed(mut self, addr: SocketAddr) -> Answer {
        let attribute = XorRelayedAddress::new(addr, self.asked.transaction);
        self.add(&attribute);
        self
    }

    pub(crate) fn lifetime(mut self, seconds: u32) -> Answer {
        self.add(&Lifetime::new(seconds));
        self
    }

    pub(crate) fn token(mut self, token: u64) -> Answer {
        self.add(&ReservationToken::new(token));
        self
    }

    fn add(&mut self, attribute: &dyn AttributeWrite) {
        // Fails only after the integrity, which is added last.
        let _ = self.writer.add_attribute(attribute);
    }

    /// Returns the message's bytes, signed if there is a key.
    pub(crate) fn finish(mut self, key: Option<&IntegrityKey>) -> Vec<u8> {
        if let Some(key) = key {
            // Fails only for a second one.
            let _ = self.writer.add_message_integrity_with_key(key, IntegrityAlgorithm::Sha1);
        }
        if self.asked.fingerprint {
            let _ = self.writer.add_fingerprint();
        }
        self.writer.finish()
    }
}

/// Returns a Data indication (RFC 8656 section 11.4). Its transaction id has no meaning.
pub(crate) fn data_indication(number: u64, peer: SocketAddr, data: &[u8]) -> Vec<u8> {
    let kind = MessageType::from_class_method(MessageClass::Indication, turn_types::message::DATA);
    let transaction = TransactionId::from(u128::from(number));
    let mut writer = Message::builder(kind, transaction, MessageWriteVec::with_capacity(data.len() + 64));
    let _ = writer.add_attribute(&XorPeerAddress::new(peer, transaction));
    let _ = writer.add_attribute(&Data::new(data));
    writer.finish()
}
