//! The connections that share this computer's uplink, and their coordination (`transport::Uplink`).

use peer::MediaOut;
use signaling::message::ParticipantId;
use std::time::Instant;
use transport::{Uplink, UplinkFlow, UplinkShare};

/// All connections that send video, or will.
#[derive(Default)]
pub(crate) struct SharedUplink {
    uplink: Uplink<u64>,
    members: Vec<Member>,
    next_number: u64,
}

struct Member {
    number: u64,
    id: ParticipantId,
    media: MediaOut,
    /// What it was told last.
    share: Option<UplinkShare>,
}

impl SharedUplink {
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

    /// Coordinates the connections. `sends` tells whether a participant is sent video now.
    pub(crate) fn coordinate(&mut self, now: Instant, sends: impl Fn(&ParticipantId) -> bool) {
        let flow = |member: &Member| {
            let flow = member.media.uplink_flow();
            (member.number, UplinkFlow { active: flow.active && sends(&member.id), ..flow })
        };
        let flows: Vec<(u64, UplinkFlow)> = self.members.iter().map(flow).collect();
        for (member, share) in self.members.iter_mut().zip(self.uplink.coordinate(now, &flows)) {
            if member.share.replace(share) != Some(share) {
                member.media.set_uplink_share(share);
            }
        }
    }
}
