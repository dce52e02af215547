//! Settings of forwarded rooms.

use rooms::ForwardLimits;

use super::Settings;
use crate::config::Forwarding;
use crate::error::StartError;

impl Settings {
    /// Forwarding, if there is an address for it.
    pub(super) fn forwarding(&self) -> Result<Option<Forwarding>, StartError> {
        let Some(listen) = self.forward_listen else {
            let others = [self.forward_from, self.forward_max_participants, self.forward_max_rooms];
            let bits = [self.forward_person_mbit, self.forward_room_mbit];
            let is_alone = others.iter().all(Option::is_none) && bits.iter().all(Option::is_none);
            if is_alone && self.forward_external_address.is_none() {
                return Ok(None);
            }
            return Err(StartError::Config("settings that begin with forward- need forward-listen too".into()));
        };
        let default = Forwarding::default();
        let limits = ForwardLimits {
            from: self.forward_from.unwrap_or(default.limits.from),
            participants: self.forward_max_participants.unwrap_or(default.limits.participants),
            rooms: self.forward_max_rooms.unwrap_or(default.limits.rooms),
        };
        Ok(Some(Forwarding {
            listen,
            external: self.forward_external_address.clone().unwrap_or_default(),
            limits,
            person_bits: self.forward_person_mbit.map_or(default.person_bits, bits),
            room_bits: self.forward_room_mbit.map(bits),
        }))
    }
}

fn bits(mbit: u32) -> u64 {
    u64::from(mbit) * 1_000_000
}
