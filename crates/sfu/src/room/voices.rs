//! Voices: the last who spoke are audible.

use std::time::Instant;

use super::{Output, Room};
use crate::forwarder::Forward;
use crate::packet::{Kind, Packet, ParticipantId, Slot, Source};
use crate::receiver::AudioSlot;

impl Room {
    /// Handles a packet of sound.
    pub(super) fn receive_voice(&mut self, now: Instant, from: ParticipantId, packet: &Packet) {
        let others = self.members.len().saturating_sub(1);
        let Some(member) = self.members.get_mut(&from) else { return };
        member.publisher.voice.update(now, packet.level);
        member.publisher.sound.add(now, packet.payload.len());
        if member.publisher.listeners.len() < others {
            self.claim_slots(now, from);
        }
        let Some(member) = self.members.get(&from) else { return };
        for (to, index) in member.publisher.listeners.clone() {
            self.forward_voice(now, from, to, index, packet);
        }
    }

    /// Makes somebody audible to those who have a free slot, or if they speak, one whose owner is silent.
    fn claim_slots(&mut self, now: Instant, from: ParticipantId) {
        let speaks = self.members.get(&from).is_some_and(|member| member.publisher.voice.is_speaking(now));
        for to in self.ids() {
            let Some(index) = self.slot_for_voice(now, from, to, speaks) else { continue };
            let Some(slot) = self.audio_slot(to, index) else { continue };
            let before = slot.from;
            slot.assign(Some(from));
            if let Some(before) = before.and_then(|before| self.members.get_mut(&before)) {
                before.publisher.listeners.retain(|listener| *listener != (to, index));
            }
            if let Some(member) = self.members.get_mut(&from) {
                member.publisher.listeners.push((to, index));
            }
            let source = Some(Source { from, kind: Kind::Audio });
            self.outputs.push_back(Output::Assigned { to, slot: Slot::Audio(index), source });
        }
    }

    /// A slot of `to` that `from` may have: a free one, or that of whoever has been silent the longest.
    fn slot_for_voice(&self, now: Instant, from: ParticipantId, to: ParticipantId, speaks: bool) -> Option<u8> {
        let slots = &self.members.get(&to).filter(|_| to != from)?.receiver.audio;
        if slots.iter().any(|slot| slot.from == Some(from)) {
            return None;
        }
        if let Some(free) = slots.iter().position(|slot| slot.from.is_none()) {
            return u8::try_from(free).ok();
        }
        let voice = |id: ParticipantId| self.members.get(&id).map(|member| &member.publisher.voice);
        let silent = slots.iter().enumerate().filter_map(|(index, slot)| {
            let voice = slot.from.and_then(voice)?;
            (!voice.is_speaking(now)).then_some((voice.last(), index))
        });
        silent.min().filter(|_| speaks).and_then(|(_, index)| u8::try_from(index).ok())
    }

    fn forward_voice(&mut self, now: Instant, from: ParticipantId, to: ParticipantId, index: u8, packet: &Packet) {
        let Some(slot) = self.audio_slot(to, index).filter(|slot| slot.from == Some(from)) else { return };
        if slot.ssrc != packet.ssrc {
            slot.ssrc = packet.ssrc;
            slot.forwarder.stop();
        }
        let begins = |slot: &mut AudioSlot| slot.forwarder.start(now, from, packet, None, u8::MAX);
        let forwarded = match slot.forwarder.forward(now, packet, None, u8::MAX) {
            Forward::Packet(forwarded) => vec![forwarded],
            Forward::Nothing if slot.forwarder.is_running() => return,
            Forward::Nothing | Forward::Lost => begins(slot),
        };
        let slot = Slot::Audio(index);
        self.outputs.extend(forwarded.into_iter().map(|packet| Output::Forward { to, slot, packet }));
    }

    /// Frees the slot that somebody had with `to`.
    pub(super) fn release_voice(&mut self, to: ParticipantId, from: ParticipantId) {
        let Some(member) = self.members.get_mut(&to) else { return };
        for (index, slot) in member.receiver.audio.iter_mut().enumerate() {
            if slot.from == Some(from) {
                slot.assign(None);
                self.outputs.push_back(Output::Assigned { to, slot: Slot::Audio(index as u8), source: None });
            }
        }
    }

    fn audio_slot(&mut self, to: ParticipantId, index: u8) -> Option<&mut AudioSlot> {
        self.members.get_mut(&to)?.receiver.audio.get_mut(usize::from(index))
    }
}
