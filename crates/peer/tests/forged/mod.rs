//! Datagrams that anybody can write: they need no key of the call.

/// A record of DTLS in plain text (RFC 6347 section 4.1).
pub(crate) fn record(content_type: u8, sequence: u64, body: &[u8]) -> Vec<u8> {
    let mut record = vec![content_type, 0xfe, 0xfd, 0, 0];
    record.extend_from_slice(&sequence.to_be_bytes()[2..]);
    record.extend_from_slice(&(body.len() as u16).to_be_bytes());
    record.extend_from_slice(body);
    record
}

/// The header of a fragment of a handshake message (RFC 6347 section 4.2.2), without its data.
pub(crate) fn fragment(kind: u8, length: usize, message: u16, offset: usize, part: usize) -> Vec<u8> {
    let u24 = |number: usize| (number as u32).to_be_bytes()[1..].to_vec();
    [vec![kind], u24(length), message.to_be_bytes().to_vec(), u24(offset), u24(part)].concat()
}

/// The first flight of a DTLS client.
pub(crate) fn client_hello(sequence: u64) -> Vec<u8> {
    let suites = [0, 2, 0xc0, 0x2b, 1, 0];
    let hello = [&[0xfe, 0xfd][..], &[7; 32], &[0, 0], &suites].concat();
    record(22, sequence, &[fragment(1, hello.len(), 0, 0, hello.len()), hello].concat())
}

/// `handshake_failure`, which ends a handshake.
pub(crate) fn fatal_alert(sequence: u64) -> Vec<u8> {
    record(21, sequence, &[2, 40])
}

/// `close_notify`, which ends a connection.
pub(crate) fn close_notify(sequence: u64) -> Vec<u8> {
    record(21, sequence, &[1, 0])
}

/// Datagrams with `count` fragments of one byte each of the handshake message `message`, the first fragment last.
pub(crate) fn many_fragments(message: u16, count: usize) -> Vec<Vec<u8>> {
    let offsets: Vec<usize> = (0..count).rev().collect();
    let datagram = |offsets: &[usize]| {
        let headers = offsets.iter().map(|offset| fragment(1, 0, message, *offset, 1));
        record(22, (usize::from(message) * 100_000 + count - offsets[0]) as u64, &headers.collect::<Vec<_>>().concat())
    };
    offsets.chunks(100).map(datagram).collect()
}

/// A check without credentials whose sender claims the role that we have, and to have precedence (RFC 8445 7.3.1.1).
pub(crate) fn role_conflicts() -> [Vec<u8>; 2] {
    [(0x802a_u16, u64::MAX), (0x8029, 0)].map(|(role, tie_breaker)| {
        let mut check = vec![0, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42];
        check.extend_from_slice(&tie_breaker.to_be_bytes());
        check.extend_from_slice(&[9; 4]);
        check.extend_from_slice(&[&role.to_be_bytes()[..], &[0, 8], &tie_breaker.to_be_bytes()].concat());
        check
    })
}

/// An RTP packet in plain text.
pub(crate) fn media(ssrc: u32, payload_type: u8, sequence: u16) -> Vec<u8> {
    let head = [&[0x80, payload_type][..], &sequence.to_be_bytes(), &[0; 4], &ssrc.to_be_bytes()].concat();
    [head, b"nobody sent this".to_vec()].concat()
}

/// A handshake message of any kind with random content.
pub(crate) fn any_handshake(random: &mut fastrand::Rng, message: u16) -> Vec<u8> {
    let body: Vec<u8> = (0..random.usize(..200)).map(|_| random.u8(..)).collect();
    let header = fragment(random.u8(..26), body.len(), message, 0, body.len());
    record(22, 10_000 + u64::from(message), &[header, body].concat())
}

/// RTP or RTCP with a damaged header.
pub(crate) fn any_media(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut packet: Vec<u8> = (0..random.usize(1..120)).map(|_| random.u8(..)).collect();
    packet[0] = 0x80 | packet[0] & 0x3f;
    if let Some(kind) = packet.get_mut(1).filter(|_| random.bool()) {
        *kind = random.u8(192..224);
    }
    packet
}
