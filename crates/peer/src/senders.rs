//! The senders of our media lines in the library.

use crate::connection;
use crate::error::PeerError;
use crate::library::Library;
use crate::ssrcs::Ssrcs;
use std::collections::HashMap;
use std::sync::Arc;
use webrtc::rtp_transceiver::RtpSender;

/// The library's senders, and the generator of SSRCs for further lines.
pub(crate) struct Senders {
    first: Arc<dyn RtpSender>,
    /// Senders of lines added later, by SSRC.
    further: HashMap<u32, Arc<dyn RtpSender>>,
    ssrcs: Ssrcs,
}

impl Senders {
    pub(crate) fn new(first: Arc<dyn RtpSender>, ssrcs: Ssrcs) -> Senders {
        Senders { first, further: HashMap::new(), ssrcs }
    }

    /// The sender of the first line. All lines share its transport.
    pub(crate) fn first(&self) -> &dyn RtpSender {
        &*self.first
    }

    /// Number of lines added later.
    pub(crate) fn further(&self) -> usize {
        self.further.len()
    }

    /// Adds a video line. Returns its SSRC.
    pub(crate) async fn add_video(&mut self, library: &Library) -> Result<u32, PeerError> {
        let (ssrc, rtx) = (self.ssrcs.next(), self.ssrcs.next());
        let sender = library.add_track(connection::track(ssrc, Some(rtx))).await?;
        self.further.insert(ssrc, sender);
        Ok(ssrc)
    }

    /// Removes the sender of a line that was added later.
    pub(crate) fn remove(&mut self, ssrc: u32) -> Option<Arc<dyn RtpSender>> {
        self.further.remove(&ssrc)
    }
}
