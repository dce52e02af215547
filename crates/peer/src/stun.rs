//! Parses datagrams of STUN and TURN as far as ICE checks need it.

use crate::checks::{Check, TransactionId};
use rtc::stun::attributes::{ATTR_USE_CANDIDATE, ATTR_USERNAME};
use rtc::stun::message::{
    CLASS_INDICATION, Getter, METHOD_DATA, Message, MessageType, Setter, TransactionId as StunTransactionId,
};
use rtc::turn::proto::data::Data;
use rtc::turn::proto::peeraddr::PeerAddress;
use std::borrow::Cow;
use std::net::SocketAddr;

/// Message types of RFC 8489 and RFC 8656 that concern checks.
pub(crate) const BINDING_REQUEST: u16 = 0x0001;
pub(crate) const BINDING_INDICATION: u16 = 0x0011;
pub(crate) const BINDING_SUCCESS: u16 = 0x0101;
pub(crate) const CHANNEL_BIND_REQUEST: u16 = 0x0009;
pub(crate) const SEND_INDICATION: u16 = 0x0016;
pub(crate) const DATA_INDICATION: u16 = 0x0017;
/// The magic cookie of RFC 8489 section 5.
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// Type and transaction id of a STUN message.
pub(crate) fn stun(data: &[u8]) -> Option<(u16, TransactionId)> {
    let (head, id) = (data.get(..8)?, data.get(8..20)?);
    if head[0] & 0xc0 != 0 || head[4..] != COOKIE {
        return None;
    }
    Some((u16::from_be_bytes([head[0], head[1]]), id.try_into().ok()?))
}

/// Whether a message of this type answers a request, with success or an error (RFC 8489 section 5).
pub(crate) fn is_response(kind: u16) -> bool {
    kind & 0x0100 != 0
}

/// Parses an ICE check. Binding requests to a STUN server have no USERNAME.
pub(crate) fn check(data: &[u8]) -> Option<Check> {
    let (kind, id) = stun(data)?;
    let message = (kind == BINDING_REQUEST).then(|| decoded(data))??;
    message.contains(ATTR_USERNAME).then(|| Check { id, nominates: message.contains(ATTR_USE_CANDIDATE) })
}

/// The user name of an ICE check.
pub(crate) fn username(data: &[u8]) -> Option<Vec<u8>> {
    decoded(data)?.get(ATTR_USERNAME).ok()
}

/// The STUN message in a datagram, which may be wrapped for a relay or by one.
pub(crate) fn inner(datagram: &[u8]) -> Option<Cow<'_, [u8]>> {
    if let Some((_, data)) = channel_data(datagram) {
        return stun(data).map(|_| data.into());
    }
    match stun(datagram)? {
        (SEND_INDICATION | DATA_INDICATION, _) => carried(datagram).map(|(_, data)| data.into()),
        _ => Some(datagram.into()),
    }
}

/// Whether this answers an ICE check.
pub(crate) fn is_answer(data: &[u8]) -> bool {
    stun(data).is_some_and(|(kind, _)| kind == BINDING_SUCCESS)
}

/// Number and payload of channel data (RFC 8656 section 12.4), without the padding that may follow it.
pub(crate) fn channel_data(data: &[u8]) -> Option<(u16, &[u8])> {
    let (header, data) = data.split_at_checked(4)?;
    let [number, length] = [0, 2].map(|at| u16::from_be_bytes([header[at], header[at + 1]]));
    (0x4000..0x5000).contains(&number).then(|| data.get(..length.into()).map(|data| (number, data)))?
}

/// The peer and the datagram inside an indication.
pub(crate) fn carried(data: &[u8]) -> Option<(SocketAddr, Vec<u8>)> {
    let message = decoded(data)?;
    let (mut peer, mut data) = (PeerAddress::default(), Data::default());
    peer.get_from(&message).ok()?;
    data.get_from(&message).ok()?;
    Some((SocketAddr::new(peer.ip, peer.port), data.0))
}

/// A received datagram with this payload, as the answer to a sent one: from the peer that a relay sent that one to.
pub(crate) fn wrapped_like(sent: &[u8], payload: Vec<u8>) -> Option<Vec<u8>> {
    if channel_data(sent).is_some() {
        let mut wrapped = sent[..2].to_vec();
        wrapped.extend(u16::try_from(payload.len()).ok()?.to_be_bytes());
        wrapped.extend(payload);
        return Some(wrapped);
    }
    if stun(sent).is_none_or(|(kind, _)| kind != SEND_INDICATION) {
        return Some(payload);
    }
    let (peer, _) = carried(sent)?;
    let mut message = Message::new();
    let kind = MessageType::new(METHOD_DATA, CLASS_INDICATION);
    let peer = PeerAddress { ip: peer.ip(), port: peer.port() };
    let parts: [Box<dyn Setter>; 4] =
        [Box::new(StunTransactionId::new()), Box::new(kind), Box::new(peer), Box::new(Data(payload))];
    message.build(&parts).ok().map(|()| message.raw)
}

pub(crate) fn decoded(data: &[u8]) -> Option<Message> {
    let mut message = Message::new();
    message.unmarshal_binary(data).ok().map(|()| message)
}
