//! Extends the library's arrival recorders (transport-wide feedback, receiver reports) to streams that no description
//! announced. The library binds only announced SSRCs, and without reports a far side sends at a low rate.

use crate::demux::Learned;
use crate::receiving::ReceivePath;
use crate::sdp::TRANSPORT_CC_URI;
use rtc::interceptor::{Interceptor, Packet, RTPHeaderExtension, StreamInfo, TaggedPacket};
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use std::sync::Arc;
use std::time::Instant;

/// Wraps a recorder and also binds learned streams.
pub(crate) struct Recorder<I> {
    recorder: I,
    path: Arc<ReceivePath>,
    /// The version of [`ReceivePath::learned`] at which `learned` was read.
    version: u64,
    /// At most two for each line: media and retransmissions.
    learned: Vec<Learned>,
}

impl<I: Interceptor> Recorder<I> {
    pub(crate) fn new(recorder: I, path: Arc<ReceivePath>) -> Recorder<I> {
        Recorder { recorder, path, version: 0, learned: Vec::new() }
    }

    fn update(&mut self) {
        let Some((version, learned)) = self.path.learned(self.version) else { return };
        for gone in self.learned.iter().filter(|stream| !learned.contains(stream)) {
            self.recorder.unbind_remote_stream(&info(*gone));
        }
        for new in learned.iter().filter(|stream| !self.learned.contains(stream)) {
            self.recorder.bind_remote_stream(&info(*new));
        }
        (self.version, self.learned) = (version, learned);
    }
}

impl<I: Interceptor> Protocol<TaggedPacket, TaggedPacket, ()> for Recorder<I> {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if matches!(packet.message.packet, Packet::Rtp(_)) {
            self.update();
        }
        self.recorder.handle_read(packet)
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.recorder.poll_read()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.recorder.handle_write(packet)
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.recorder.poll_write()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        self.recorder.handle_timeout(now)
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.recorder.poll_timeout()
    }
}

impl<I: Interceptor> Interceptor for Recorder<I> {
    fn bind_local_stream(&mut self, info: &StreamInfo) {
        self.recorder.bind_local_stream(info);
    }

    fn unbind_local_stream(&mut self, info: &StreamInfo) {
        self.recorder.unbind_local_stream(info);
    }

    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        // If a learned stream is now in a description, unbind it as learned before it is bound as announced.
        self.update();
        self.recorder.bind_remote_stream(info);
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        self.recorder.unbind_remote_stream(info);
    }
}

fn info(stream: Learned) -> StreamInfo {
    let extension = |id: u8| RTPHeaderExtension { uri: TRANSPORT_CC_URI.to_owned(), id: u16::from(id) };
    StreamInfo {
        ssrc: stream.ssrc,
        clock_rate: stream.clock_rate,
        rtp_header_extensions: stream.transport_cc.map(extension).into_iter().collect(),
        ..StreamInfo::default()
    }
}
