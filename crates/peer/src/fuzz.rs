//! Entry points for the fuzzer (`tests/fuzz`) and the property tests: any bytes may go in, and nothing may panic. The
//! assertions state what must hold for all accepted input.

use crate::candidate;
use crate::sdp::{self, Origin};
use crate::session::FarSession;
use crate::standin::Shown;
use crate::stun;
use crate::turn_stream::framing::{self, Deframer, Kind};
use media::encoded::VideoCodec;

/// A description from the far side: parses it, writes it, parses it again, passes it to the library, and answers it.
pub fn description(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let session = FarSession::of(text);
    let Ok(description) = sdp::parse(text, &VideoCodec::ALL) else { return };
    assert!(session.is_none_or(|session| session.continues(&session)), "a connection continues itself");
    let origin = Origin { session: 1, version: 2 };
    let reparse = |description: &sdp::Description| sdp::parse(&description.write(origin), &VideoCodec::ALL);
    assert_eq!(reparse(&description).as_ref(), Ok(&description));
    let shown = Shown::default().for_library(&description, None, &VideoCodec::ALL);
    assert_eq!(reparse(&shown).as_ref(), Ok(&shown));
    let answer = Shown::answer(shown, &description);
    let kinds = |description: &sdp::Description| -> Vec<_> {
        description.lines.iter().map(|line| (line.mid.clone(), line.kind.clone(), line.protocol.clone())).collect()
    };
    assert_eq!(kinds(&answer), kinds(&description), "line by line");
    assert_eq!(reparse(&answer).map(|answer| kinds(&answer)), Ok(kinds(&answer)));
}

/// A candidate from the far side: parses it, writes it, and parses it again.
pub fn candidate(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(mut candidate) = candidate::parse(text) else { return };
    // The ICE generation is signalled beside the candidate.
    candidate.ufrag = None;
    assert_eq!(candidate::parse(&candidate.to_string()), Ok(candidate));
}

/// A datagram that a socket sends or receives, as the pacer of ICE checks reads it.
pub fn stun(data: &[u8]) {
    let (check, kind) = (stun::check(data), stun::stun(data).map(|(kind, _)| kind));
    assert!(check.is_none() || kind == Some(stun::BINDING_REQUEST));
    assert!(!stun::is_answer(data) || kind == Some(stun::BINDING_SUCCESS));
    if let Some((number, payload)) = stun::channel_data(data) {
        assert!(data.starts_with(&number.to_be_bytes()) && data.ends_with(payload) && kind.is_none());
    }
    if let Some((_, payload)) = stun::carried(data) {
        assert!(data.windows(payload.len().max(1)).any(|part| part.starts_with(&payload)));
    }
}

/// A stream from a TURN server, in pieces.
///
/// Input: one byte for the length of the pieces, and the stream.
pub fn deframer(data: &[u8]) {
    let Some((length, stream)) = data.split_first() else { return };
    let (datagrams, is_valid) = deframed(stream, stream.len());
    assert_eq!(deframed(stream, (*length).into()), (datagrams.clone(), is_valid));
    assert!(datagrams.iter().all(|datagram| framing::kind(datagram) != Kind::Unknown));
    assert!(datagrams.iter().all(|datagram| !framing::is_release(datagram) || datagram.starts_with(&[0, 4])));
    let mut written = Vec::new();
    datagrams.iter().for_each(|datagram| framing::write(datagram, &mut written));
    assert!(written.len() <= stream.len());
    assert_eq!(deframed(&written, written.len()), (datagrams, true));
}

/// The datagrams of a stream that arrives in pieces of this length, and whether all of it is valid.
fn deframed(stream: &[u8], length: usize) -> (Vec<Vec<u8>>, bool) {
    let (mut deframer, mut datagrams) = (Deframer::default(), Vec::new());
    for piece in stream.chunks(length.max(1)) {
        deframer.push(piece);
        loop {
            match deframer.next() {
                Ok(Some(datagram)) => datagrams.push(datagram.to_vec()),
                Ok(None) => break,
                Err(framing::Invalid) => return (datagrams, false),
            }
        }
    }
    (datagrams, true)
}

#[cfg(test)]
#[path = "../../../tests/fuzz/src/corpus.rs"]
mod corpus;

#[cfg(test)]
mod tests {
    use super::corpus;

    #[test]
    fn stored_descriptions_pass() {
        corpus::replay("description", super::description);
    }

    #[test]
    fn stored_candidates_pass() {
        corpus::replay("candidate", super::candidate);
    }

    #[test]
    fn stored_datagrams_of_sockets_pass() {
        corpus::replay("stun", super::stun);
    }

    #[test]
    fn stored_streams_of_turn_servers_pass() {
        corpus::replay("deframer", super::deframer);
    }
}
