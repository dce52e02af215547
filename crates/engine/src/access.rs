//! The connections that share this computer's access to the network, and their coordination (`transport::Uplink` and
//! `transport::Downlink`).

use crate::data_saver;
use peer::MediaOut;
use signaling::message::{ParticipantId, Resolution};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Instant;
use transport::{Downlink, Uplink, UplinkFlow, UplinkShare};

/// All connections that send video, or will.
#[derive(Default)]
pub(crate) struct SharedAccess {
    uplink: Uplink<u64>,
    downlink: Downlink<u64>,
    members: Vec<Member>,
    next_number: u64,
    saves_data: bool,
    /// The sizes at which the others' cameras are displayed here. `None` without a window.
    displayed: Option<BTreeMap<ParticipantId, Resolution>>,
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
    /// Whether they send their screen.
    shares_screen: bool,
}

impl Member {
    /// The most that this participant may send while data is to be saved, in bit/s.
    fn saving_limit(&self) -> u64 {
        if self.shares_screen { data_saver::RECEIVED_WITH_SHARE } else { data_saver::RECEIVED }
    }
}

impl SharedAccess {
    /// Adds a connection, or replaces the participant's previous one.
    pub(crate) fn add(&mut self, id: &ParticipantId, media: &MediaOut) {
        let shares_screen = self.members.iter().any(|member| member.id == *id && member.shares_screen);
        self.remove(id);
        self.members.push(Member {
            number: self.next_number,
            id: id.clone(),
            media: media.clone(),
            share: None,
            shares_screen,
        });
        self.next_number += 1;
    }

    /// Removes a participant's connection.
    pub(crate) fn remove(&mut self, id: &ParticipantId) {
        self.members.retain(|member| member.id != *id);
    }

    /// A participant sends their screen, or no longer.
    pub(crate) fn set_shares_screen(&mut self, id: &ParticipantId, on: bool) {
        self.members.iter_mut().filter(|member| member.id == *id).for_each(|member| member.shares_screen = on);
    }

    /// Sets the sizes at which the others' cameras are displayed here.
    pub(crate) fn set_displayed(&mut self, sizes: BTreeMap<ParticipantId, Resolution>) {
        self.displayed = Some(sizes);
    }

    /// Limits what the others send to little, or not.
    pub(crate) fn set_data_saver(&mut self, on: bool) {
        self.saves_data = on;
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
        let mut members: Vec<&Member> = self.members.iter().collect();
        members.sort_by_key(|member| Reverse(importance(member, self.displayed.as_ref())));
        let flows: Vec<_> = members.iter().map(|member| (member.number, member.media.downlink_flow())).collect();
        let limits = self.downlink.coordinate(now, &flows).into_iter().flatten();
        for (member, limit) in members.iter().zip(limits) {
            let saving = self.saves_data.then(|| member.saving_limit());
            member.media.set_downlink_limit(limit.into_iter().chain(saving).min());
        }
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

/// How much a participant's video matters here: a screen before faces, and large faces before small ones. Those who have
/// their cameras off are not displayed, and need no room. Members of the same importance keep their order.
fn importance(member: &Member, displayed: Option<&BTreeMap<ParticipantId, Resolution>>) -> (bool, u64) {
    let area = |size: &Resolution| u64::from(size.max_width) * u64::from(size.max_height);
    let area = displayed.map_or(u64::MAX, |sizes| sizes.get(&member.id).map_or(0, area));
    (member.shares_screen, area)
}
