//! Calls the WebRTC library. A panic in it becomes an error, because input from the far side must not end the process.

use crate::candidate::Candidate;
use crate::error::PeerError;
use crate::sdp::{self, Description};
use futures_util::FutureExt;
use media::encoded::VideoCodec;
use rtc::peer_connection::configuration::RTCOfferOptions;
use rtc::statistics::report::RTCStatsReport;
use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::peer_connection::{
    PeerConnection, RTCConfigurationBuilder, RTCIceCandidateInit, RTCIceServer, RTCSessionDescription, StatsSelector,
};
use webrtc::rtp_transceiver::RtpSender;

/// Longest wait for the library to close. A driver that panicked never answers.
const CLOSING: Duration = Duration::from_secs(2);

/// The library's connection.
pub(crate) struct Library(pub(crate) Arc<dyn PeerConnection>);

impl Library {
    /// An offer, and the library's description of our side in it.
    pub(crate) async fn create_offer(
        &self,
        ice_restart: bool,
    ) -> Result<(RTCSessionDescription, Description), PeerError> {
        let offer = guarded(self.0.create_offer(Some(RTCOfferOptions { ice_restart }))).await?;
        let description = own(&offer.sdp)?;
        Ok((offer, description))
    }

    /// An answer to the remote offer, and the library's description of our side in it.
    pub(crate) async fn create_answer(&self) -> Result<(RTCSessionDescription, Description), PeerError> {
        let answer = guarded(self.0.create_answer(None)).await?;
        let description = own(&answer.sdp)?;
        Ok((answer, description))
    }

    pub(crate) async fn set_local(&self, description: RTCSessionDescription) -> Result<(), PeerError> {
        guarded(self.0.set_local_description(description)).await
    }

    pub(crate) async fn set_remote_offer(&self, sdp: String) -> Result<(), PeerError> {
        let offer = RTCSessionDescription::offer(sdp).map_err(refused)?;
        guarded(self.0.set_remote_description(offer)).await
    }

    pub(crate) async fn set_remote_answer(&self, sdp: String) -> Result<(), PeerError> {
        let answer = RTCSessionDescription::answer(sdp).map_err(refused)?;
        guarded(self.0.set_remote_description(answer)).await
    }

    /// Rolls back our offer.
    pub(crate) async fn roll_back_local(&self) -> Result<(), PeerError> {
        let rollback = RTCSessionDescription::rollback(None).map_err(refused)?;
        guarded(self.0.set_local_description(rollback)).await
    }

    /// Rolls back the far side's offer.
    pub(crate) async fn roll_back_remote(&self) -> Result<(), PeerError> {
        let rollback = RTCSessionDescription::rollback(None).map_err(refused)?;
        guarded(self.0.set_remote_description(rollback)).await
    }

    /// Replaces the STUN and TURN servers, from the next gathering on.
    pub(crate) async fn set_servers(&self, servers: Vec<RTCIceServer>) -> Result<(), PeerError> {
        let before = self.0.get_configuration().await;
        let configuration = RTCConfigurationBuilder::new()
            .with_ice_servers(servers)
            .with_ice_transport_policy(before.ice_transport_policy())
            .with_certificates(before.certificates().to_vec())
            .build();
        guarded(self.0.set_configuration(configuration)).await
    }

    pub(crate) async fn add_candidate(&self, candidate: &Candidate) -> Result<(), PeerError> {
        let init = RTCIceCandidateInit { candidate: candidate.to_string(), ..RTCIceCandidateInit::default() };
        guarded(self.0.add_ice_candidate(init)).await
    }

    pub(crate) async fn add_track(&self, track: Arc<dyn TrackLocal>) -> Result<Arc<dyn RtpSender>, PeerError> {
        guarded(self.0.add_track(track)).await
    }

    pub(crate) async fn remove_track(&self, sender: &Arc<dyn RtpSender>) -> Result<(), PeerError> {
        guarded(self.0.remove_track(sender)).await
    }

    pub(crate) async fn stats(&self) -> RTCStatsReport {
        self.0.get_stats(Instant::now(), StatsSelector::None).await
    }

    pub(crate) async fn close(&self) {
        match tokio::time::timeout(CLOSING, guarded(self.0.close())).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!("closing: {error}"),
            Err(_) => tracing::warn!("the library does not close the connection"),
        }
    }
}

/// Parses the library's description of our side. Its candidates are removed: they are sent separately, and those of an
/// earlier generation would be misleading.
fn own(text: &str) -> Result<Description, PeerError> {
    let description = sdp::parse(&with_own_data_name(text), &VideoCodec::ALL);
    let mut description = description.map_err(|error| PeerError::Refused(format!("own SDP: {error}")))?;
    description.candidates.clear();
    Ok(description)
}

/// Renames the line of data channels if another line has the same name. The library names it by its index, and after a
/// rollback it names media lines by numbers that continue. It reads only the names of media lines.
fn with_own_data_name(text: &str) -> Cow<'_, str> {
    let Some((before, data)) = text.split_once("\r\nm=application ") else { return Cow::Borrowed(text) };
    let Some(mid) = data.lines().find(|line| line.starts_with("a=mid:")) else { return Cow::Borrowed(text) };
    if !before.lines().any(|line| line == mid) {
        return Cow::Borrowed(text);
    }
    let (name, data) = (&mid["a=mid:".len()..], data.replacen(mid, "a=mid:data", 1));
    // Such a line is the last one, also in the group.
    let group = before.lines().find(|line| line.starts_with("a=group:BUNDLE")).unwrap_or_default();
    let renamed = group.strip_suffix(name).map_or(group.to_owned(), |others| format!("{others}data"));
    Cow::Owned(format!("{}\r\nm=application {data}", before.replacen(group, &renamed, 1)))
}

pub(crate) async fn guarded<T>(call: impl Future<Output = Result<T, webrtc::error::Error>>) -> Result<T, PeerError> {
    match AssertUnwindSafe(call).catch_unwind().await {
        Ok(outcome) => outcome.map_err(refused),
        Err(_) => Err(PeerError::Refused("the library panicked".into())),
    }
}

fn refused(error: webrtc::error::Error) -> PeerError {
    PeerError::Refused(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_data_channels_gets_a_name_of_its_own() {
        let text = |group: &str, mid: &str| {
            format!(
                "v=0\r\na=group:BUNDLE {group}\r\nm=audio 9\r\na=mid:2\r\nm=video 9\r\na=mid:3\r\nm=application 9 x\r\na=mid:{mid}\r\n"
            )
        };
        assert_eq!(with_own_data_name(&text("2 3 2", "2")), text("2 3 data", "data"));
        for fine in
            [text("2 3 4", "4"), text("2 3", "5"), text("2 3", "5").replace("application", "video"), String::new()]
        {
            assert_eq!(with_own_data_name(&fine), fine);
        }
    }

    #[tokio::test]
    async fn a_panic_of_the_library_is_an_error() {
        let call = async { panic!("on purpose") };
        let outcome: Result<(), PeerError> = guarded(call).await;
        assert_eq!(outcome, Err(PeerError::Refused("the library panicked".into())));
    }
}
