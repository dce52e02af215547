//! The connections that share this computer's access to the network, and their coordination (`transport::Uplink` and
//! `transport::Downlink`).

use peer::MediaOut;
use signaling::message::ParticipantId;
use std::time::Instant;
use transport::{Downlink, Uplink, UplinkFlow, UplinkShare};

/// All connections that send video, or will.
#[derive(Default)]
pub(crate) struct SharedAccess {
    uplink: Uplink<u64>,
    downlink: Downlink<u64>,
    members: Vec<Member>,
    next_number: u64,
}

/// What a participant is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sending {
    Video,
    /// No video, because the path is too narrow for it now, or the uplink for everybody's.
    Paused,
    /// No video, because nobody looks at it or it cannot be sent yet.
    Nothing,
}

struct Member {
    number: u64,
    id: ParticipantId,
    media: MediaOut,
    /// What it was told last.
    share: Option<UplinkShare>,
}

impl SharedAccess {
    /// Adds a connection, or replaces the participant's previous one.
    pub(crate) fn add(&mut self, id: &ParticipantId, media: &MediaOut) {
        self.remove(id);
        self.members.push(Member { number: self.next_number, id: id.clone(), media: media.clone(), share: None });
        self.next_number += 1;
    }

    /// Removes a participant's connection.
    pub(crate) fn remove(&mut self, id: &ParticipantId) {
        self.members.retain(|member| member.id != *id);
    }

    /// Whether the uplink is too narrow to send video to this participant too.
    pub(crate) fn refuses(&self, id: &ParticipantId) -> bool {
        let share = self.members.iter().find(|member| member.id == *id).and_then(|member| member.share);
        share.is_some_and(|share| !share.may_send_video)
    }

    /// Limits what the others send if it is too much together.
    pub(crate) fn limit_downlink(&mut self, now: Instant) {
        if !self.downlink.is_due(now) {
            return;
        }
        let flows: Vec<_> = self.members.iter().map(|member| (member.number, member.media.downlink_flow())).collect();
        let limits = self.downlink.coordinate(now, &flows).into_iter().flatten();
        self.members.iter().zip(limits).for_each(|(member, limit)| member.media.set_downlink_limit(limit));
    }

    /// Coordinates the connections. `sending` tells whether a participant is sent video now.
    pub(crate) fn coordinate(&mut self, now: Instant, sending: impl Fn(&ParticipantId) -> Sending) {
        let flow = |member: &Member| {
            let (flow, sending) = (member.media.uplink_flow(), sending(&member.id));
            let (active, paused) = (sending == Sending::Video, sending == Sending::Paused);
            (member.number, UplinkFlow { active: flow.active && active, paused: flow.active && paused, ..flow })
        };
        let flows: Vec<(u64, UplinkFlow)> = self.members.iter().map(flow).collect();
        for (member, share) in self.members.iter_mut().zip(self.uplink.coordinate(now, &flows)) {
            if member.share.replace(share) != Some(share) {
                member.media.set_uplink_share(share);
            }
        }
    }
}
