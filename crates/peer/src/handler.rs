//! The library's callbacks. They run on the driver, pass events on, and return.

use crate::early::Gate;
use crate::event::PeerState;
use crate::paced::Checks;
use crate::path::MediaPath;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;
use webrtc::data_channel::DataChannel;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    PeerConnectionEventHandler, RTCIceConnectionState, RTCIceGatheringState, RTCPeerConnectionIceEvent,
    RTCPeerConnectionState,
};

/// Events waiting for the connection's task. Gathering produces a few dozen candidates, and state changes are rare.
/// When full, events are lost; an ICE restart produces them again.
pub(crate) const DRIVER_EVENTS: usize = 512;

/// An event from the driver to the connection's task.
#[derive(Debug)]
pub(crate) enum DriverEvent {
    /// `url` is the server that it was gathered from; empty for a host candidate.
    Candidate {
        candidate: String,
        url: String,
    },
    /// The stream to a TURN server broke (`turn_stream`).
    RelayLost {
        server: usize,
    },
    GatheringComplete,
    State(PeerState),
}

/// See the module documentation.
pub(crate) struct Handler {
    pub(crate) path: Arc<MediaPath>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) checks: Arc<Checks>,
    pub(crate) events: mpsc::Sender<DriverEvent>,
}

impl Handler {
    fn tell(&self, event: DriverEvent) {
        if let Err(error) = self.events.try_send(event) {
            tracing::debug!("a driver event was lost: {error}");
        }
    }
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        match event.candidate.to_json() {
            // The media line is not signalled, because BUNDLE uses one transport.
            Ok(init) => self.tell(DriverEvent::Candidate { candidate: init.candidate, url: event.url }),
            Err(error) => tracing::debug!("cannot write a local candidate: {error}"),
        }
    }

    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.tell(DriverEvent::GatheringComplete);
        }
    }

    async fn on_ice_connection_state_change(&self, state: RTCIceConnectionState) {
        if state == RTCIceConnectionState::Connected {
            self.gate.open();
            // The DTLS client's first flight is ready; without a kick it would wait for the next timer.
            self.path.kick.kick();
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        let state = match state {
            RTCPeerConnectionState::Connecting => {
                // A restart has abandoned the old pair. Packets sent before there is a new one would count as lost.
                self.path.set_lost(Instant::now());
                PeerState::Connecting
            }
            RTCPeerConnectionState::Connected => {
                // Done here and not in the task, so that media starts one thread switch earlier.
                self.gate.connect();
                self.checks.set_keyed();
                self.path.set_connected(Instant::now());
                PeerState::Connected
            }
            RTCPeerConnectionState::Disconnected => PeerState::Disconnected,
            RTCPeerConnectionState::Failed => {
                self.path.set_lost(Instant::now());
                PeerState::Failed
            }
            RTCPeerConnectionState::Closed => {
                self.path.set_lost(Instant::now());
                PeerState::Closed
            }
            _ => return,
        };
        self.tell(DriverEvent::State(state));
    }

    /// Data channels have fixed ids, so nobody announces one. Closing it frees what the library keeps for it.
    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        if let Err(error) = channel.close().await {
            tracing::debug!("an unexpected data channel was not closed: {error}");
        }
    }

    /// Packets are taken before they reach the library's tracks, so nothing needs to hold or poll these.
    async fn on_track(&self, _: Arc<dyn TrackRemote>) {}
}
