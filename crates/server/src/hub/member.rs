//! A session's numbering and its connection.

use std::time::Instant;

use signaling::message::ServerMessage;
use signaling::server_session::ServerSession;

use super::ConnectionId;
use crate::line::Line;

/// A session's numbering and its connection, if it has one.
pub(super) struct Member {
    pub(super) session: ServerSession,
    /// Key of the device.
    pub(super) key: String,
    pub(super) line: Option<(ConnectionId, Line)>,
    /// The nonce of the newest ping that has not been answered.
    pub(super) pong: Option<u64>,
}

impl Member {
    /// Hands the connection as much as its window admits.
    pub(super) fn hand_over(&mut self) {
        let Some((_, line)) = &self.line else { return };
        while let Some(bytes) = self.session.next_bytes() {
            if !line.admits(bytes) {
                return;
            }
            if let Some(frame) = self.session.next_frame() {
                line.hand(frame);
            }
        }
        if let Some(nonce) = self.pong
            && line.admits(0)
        {
            self.pong = None;
            line.hand(self.session.uncounted(&ServerMessage::Pong { nonce }));
        }
    }

    /// Sends a bare acknowledgement if one is due.
    pub(super) fn acknowledge(&mut self, now: Instant) {
        let Some((_, line)) = &self.line else { return };
        // A connection that is behind receives the acknowledgement with its next frame.
        if !line.is_waiting()
            && let Some(frame) = self.session.poll_ack(now)
        {
            line.hand(frame);
        }
    }
}
