//! What the clients do that send or receive several flows.

use crate::world::{Flow, World};
use std::time::Instant;
use transport::{Downlink, Uplink, UplinkFlow};

/// The coordination of the flows.
#[derive(Default)]
pub(crate) struct Coordination {
    /// If one client sends them all.
    uplink: Option<Uplink<usize>>,
    /// If one client receives them all.
    downlink: Option<Downlink<usize>>,
}

impl Coordination {
    pub(crate) fn is_needed(&self) -> bool {
        self.uplink.is_some() || self.downlink.is_some()
    }
}

impl World {
    /// One client sends all flows.
    pub(crate) fn coordinate(&mut self) {
        self.coordination.uplink = Some(Uplink::default());
    }

    /// One client receives all flows.
    pub(crate) fn coordinate_downlink(&mut self) {
        self.coordination.downlink = Some(Downlink::default());
    }

    /// One client receives all flows but the backward ones, which it sends.
    pub(crate) fn coordinate_both(&mut self) {
        self.coordinate();
        self.coordinate_downlink();
    }

    pub(crate) fn coordinate_flows(&mut self, now: Instant) {
        let both = self.coordination.uplink.is_some() && self.coordination.downlink.is_some();
        if let Some(uplink) = &mut self.coordination.uplink {
            let state = |flow: &Flow| {
                let active = flow.sends_video();
                UplinkFlow { active, paused: !active, ..flow.sender.uplink_flow() }
            };
            let mut sent: Vec<_> = self.flows.iter_mut().filter(|flow| !both || flow.plan.backward).collect();
            let flows = sent.iter().map(|flow| state(flow)).enumerate().collect::<Vec<_>>();
            for (flow, share) in sent.iter_mut().zip(uplink.coordinate(now, &flows)) {
                flow.sender.set_uplink_share(now, share);
                flow.admitted = share.may_send_video;
            }
        }
        if let Some(downlink) = &mut self.coordination.downlink {
            let mut received: Vec<_> = self.flows.iter_mut().filter(|flow| !both || !flow.plan.backward).collect();
            let flows = received.iter().map(|flow| flow.receiver.downlink_flow(now)).enumerate().collect::<Vec<_>>();
            for (flow, limit) in received.iter_mut().zip(downlink.coordinate(now, &flows).into_iter().flatten()) {
                flow.receiver.set_limit(now, limit);
            }
        }
    }
}
