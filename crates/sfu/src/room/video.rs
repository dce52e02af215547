//! Pictures: who watches what, in which encoding, and when a keyframe is needed.

use std::time::Instant;

use super::{Output, Room};
use crate::forwarder::Forward;
use crate::limits::{KEYFRAME_REQUESTS, MAX_ENCODINGS};
use crate::packet::{Kind, Packet, ParticipantId, Slot, Source};
use crate::publisher::Picture;
use crate::receiver::VideoSlot;
use crate::vp8::Vp8;

impl Room {
    /// Handles a packet of a picture. One whose descriptor is malformed is dropped.
    pub(super) fn receive_picture(&mut self, now: Instant, source: Source, layer: u8, packet: &Packet) {
        let Some(vp8) = packet.vp8() else {
            self.counters.refused += 1;
            return;
        };
        let Some(picture) = self.picture_mut(source) else { return };
        let Some(encoding) = picture.encodings.get_mut(usize::from(layer)) else { return };
        let began = encoding.receive(now, packet, vp8);
        let (epoch, top) = (encoding.epoch, encoding.top);
        let watchers = std::mem::take(&mut picture.watchers);
        self.changed |= began;
        for (to, index) in &watchers {
            self.forward_picture(now, (*to, *index), source, (layer, epoch, top), (packet, vp8));
        }
        if let Some(picture) = self.picture_mut(source) {
            picture.watchers = watchers;
        }
    }

    fn forward_picture(
        &mut self,
        now: Instant,
        (to, index): (ParticipantId, u8),
        source: Source,
        (layer, epoch, top): (u8, u32, u8),
        (packet, vp8): (&Packet, Vp8),
    ) {
        let Some(slot) = self.video_slot(to, index).filter(|slot| slot.source == Some(source)) else { return };
        let aimed = slot.target.is_some_and(|(target, _)| target == layer);
        if aimed && slot.running != Some((layer, epoch)) && vp8.starts_keyframe {
            self.start(now, (to, index), source, (layer, epoch), packet);
            return;
        }
        if slot.running.is_some_and(|(running, _)| running == layer) && slot.running != Some((layer, epoch)) {
            // The publisher has another SSRC.
            slot.interrupt();
        }
        if slot.running != Some((layer, epoch)) {
            if aimed && !slot.forwarder.is_running() {
                self.request_keyframe(now, source, layer);
            }
            return;
        }
        let highest = slot.highest(top);
        match slot.forwarder.forward(now, packet, Some(vp8), highest) {
            Forward::Packet(packet) => {
                self.outputs.push_back(Output::Forward { to, slot: Slot::Video(index), packet });
            }
            Forward::Nothing => {}
            Forward::Lost => {
                slot.interrupt();
                self.request_keyframe(now, source, layer);
            }
        }
    }

    /// Begins with a keyframe, and with what has come of it before its first packet.
    fn start(
        &mut self,
        now: Instant,
        (to, index): (ParticipantId, u8),
        source: Source,
        (layer, epoch): (u8, u32),
        first: &Packet,
    ) {
        let encoding = self.picture_mut(source).and_then(|picture| picture.encodings.get(usize::from(layer)));
        let following = encoding.map(|encoding| encoding.recent.after(first.sequence)).unwrap_or_default();
        let Some(slot) = self.video_slot(to, index) else { return };
        let highest = slot.highest(0);
        slot.running = Some((layer, epoch));
        let mut packets = slot.forwarder.start(now, source.from, first, first.vp8(), highest);
        for packet in following {
            if let Forward::Packet(packet) = slot.forwarder.forward(now, &packet, packet.vp8(), highest) {
                packets.push(packet);
            }
        }
        self.counters.switches += 1;
        let slot = Slot::Video(index);
        self.outputs.extend(packets.into_iter().map(|packet| Output::Forward { to, slot, packet }));
    }

    /// Takes steps so that a slot sends what it is aimed at: begins with a recent keyframe, or requests one.
    pub(super) fn settle(&mut self, now: Instant, to: ParticipantId, index: usize) {
        let Ok(index) = u8::try_from(index) else { return };
        let Some(slot) = self.video_slot(to, index) else { return };
        let (Some(source), Some((layer, _)), running) = (slot.source, slot.target, slot.running) else { return };
        let Some(picture) = self.picture_mut(source) else { return };
        let Some(encoding) = picture.encodings.get(usize::from(layer)) else { return };
        let epoch = encoding.epoch;
        if running == Some((layer, epoch)) {
            return;
        }
        match encoding.recent.keyframe(now) {
            Some(first) => self.start(now, (to, index), source, (layer, epoch), &first),
            None => self.request_keyframe(now, source, layer),
        }
    }

    /// A receiver needs a keyframe of what a slot shows.
    pub fn keyframe_needed(&mut self, now: Instant, to: ParticipantId, index: u8) {
        let Some(slot) = self.video_slot(to, index) else { return };
        let (Some(source), Some((layer, _))) = (slot.source, slot.running) else { return };
        if slot.requests.take(now, KEYFRAME_REQUESTS, 1) {
            self.request_keyframe(now, source, layer);
        }
    }

    /// A receiver's connection cannot take more of a slot at present. The picture goes on with the next keyframe, not with a
    /// recent one, for which there is no room either.
    pub fn interrupt(&mut self, now: Instant, to: ParticipantId, index: u8) {
        let Some(slot) = self.video_slot(to, index) else { return };
        slot.interrupt();
        if let (Some(source), Some((layer, _))) = (slot.source, slot.target) {
            self.request_keyframe(now, source, layer);
        }
    }

    fn request_keyframe(&mut self, now: Instant, source: Source, layer: u8) {
        let Some(picture) = self.picture_mut(source) else { return };
        let Some(encoding) = picture.encodings.get_mut(usize::from(layer)) else { return };
        if encoding.requests.request(now) {
            self.outputs.push_back(Output::RequestKeyframe { source, layer });
        }
    }

    /// Sends the keyframe requests that had to wait.
    pub(super) fn poll_keyframes(&mut self, now: Instant) {
        for from in self.ids() {
            for kind in [Kind::Camera, Kind::Screen] {
                let source = Source { from, kind };
                for layer in 0..MAX_ENCODINGS {
                    let Some(picture) = self.picture_mut(source) else { continue };
                    if picture.encodings[layer].requests.poll(now) {
                        self.outputs.push_back(Output::RequestKeyframe { source, layer: layer as u8 });
                    }
                }
            }
        }
    }

    /// Gives the pictures that somebody wants to see their slots.
    pub(super) fn assign(&mut self, now: Instant, id: ParticipantId) {
        let present = self.ids();
        let Some(member) = self.members.get_mut(&id) else { return };
        let changed = member.receiver.assign(|source| source.from != id && present.contains(&source.from));
        if changed.is_empty() {
            return;
        }
        let slots: Vec<Option<Source>> = member.receiver.video.iter().map(|slot| slot.source).collect();
        self.forget_watched(id);
        for (index, source) in slots.iter().enumerate() {
            if let Some(picture) = source.and_then(|source| self.picture_mut(source)) {
                picture.watchers.push((id, index as u8));
            }
        }
        for index in changed {
            let source = slots.get(usize::from(index)).copied().flatten();
            self.outputs.push_back(Output::Assigned { to: id, slot: Slot::Video(index), source });
        }
        self.select_for(now, id);
    }

    /// Forgets that somebody receives anything.
    pub(super) fn forget_watcher(&mut self, id: ParticipantId) {
        self.forget_watched(id);
        for member in self.members.values_mut() {
            member.publisher.listeners.retain(|(listener, _)| *listener != id);
        }
    }

    fn forget_watched(&mut self, id: ParticipantId) {
        for member in self.members.values_mut() {
            for picture in [&mut member.publisher.camera, &mut member.publisher.screen] {
                picture.watchers.retain(|(watcher, _)| *watcher != id);
            }
        }
    }

    pub(super) fn picture_mut(&mut self, source: Source) -> Option<&mut Picture> {
        self.members.get_mut(&source.from)?.publisher.picture_mut(source.kind)
    }

    fn video_slot(&mut self, to: ParticipantId, index: u8) -> Option<&mut VideoSlot> {
        self.members.get_mut(&to)?.receiver.video.get_mut(usize::from(index))
    }
}
