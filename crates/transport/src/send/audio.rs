//! Sound on a path: which share of it sound gets, and how lost packets are covered.
//!
//! Sound is more important than the picture, and needs little. On a path that loses packets, copies of earlier packets
//! (RED, RFC 2198) or the in-band FEC of Opus cover the loss. docs/audio.md has the measurements behind the constants.

use std::ops::Range;

/// Weights of a reception report that is worse or better than the smoothed loss. Redundancy is needed at once, and loss often
/// comes again.
const RISE: f64 = 0.4;
const FALL: f64 = 0.08;
/// Loss from which the first and the second copy are sent, and below which they end. Before that, in-band FEC is enough.
const COPIES_FROM: [f64; 2] = [0.015, 0.08];
const COPIES_UNTIL: [f64; 2] = [0.006, 0.05];
/// The same for the second copy where losses come in bursts, which often take two packets of sound in a row.
const SECOND_COPY_IN_BURSTS: [f64; 2] = [0.025, 0.015];
/// A path with a lower target has no room for copies, in bit/s.
const MIN_COPIES_TARGET: f64 = 340_000.0;
/// Bitrate of Opus without copies, with one and with two: 64 kbit/s in all.
const BITRATES: [f64; 3] = [32_000.0, 30_000.0, 19_500.0];
/// The lowest useful bitrate of Opus for wide-band voice.
const MIN_BITRATE: f64 = 12_000.0;
/// Sound gets this share of a narrow path, but a path below [`SOUND_ALONE`] nearly for itself.
const SHARE: f64 = 0.3;
const SOUND_ALONE: f64 = 60_000.0;
const SHARE_ALONE: f64 = 0.8;
/// Headers of a packet in bits: IPv4, UDP, RTP with two extensions, and the tag of SRTP. Of these, a target includes RTP's.
const HEADER_BITS: f64 = 62.0 * 8.0;
const RTP_HEADER_BITS: f64 = 24.0 * 8.0;
/// Targets between which packets get longer or shorter, in bit/s: below the start to 40 ms, and above the end to 20 ms.
/// Headers of 20 ms packets need 25 kbit/s.
const LONGER_PACKETS: Range<f64> = 70_000.0..100_000.0;
/// Expected loss without reports, in percent: the first lost packets are covered too, in a coarse quality.
const LEAST_FEC: f64 = 1.0;
/// Highest expected loss, in percent. Higher values do not improve the redundancy.
const MOST_FEC: f64 = 25.0;

/// What a connection needs from the encoder of sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioNeed {
    /// Bitrate of Opus in bit/s.
    pub bitrate: u32,
    /// Loss in percent that in-band FEC should cover. 0 if copies cover the loss.
    pub fec_percent: u8,
    /// Duration of a packet in ms: 20 or 40.
    pub packet_ms: u32,
    /// What sound sends with copies and RTP headers, in bit/s.
    pub total: u64,
    /// The same with all headers, in bit/s.
    pub wire: u64,
}

/// The state of sound on a path.
#[derive(Debug)]
pub(crate) struct AudioPlan {
    /// Smoothed share of packets lost, 0..1.
    loss: f64,
    copies: usize,
    longer_packets: bool,
}

impl Default for AudioPlan {
    fn default() -> Self {
        AudioPlan { loss: 0.0, copies: 0, longer_packets: false }
    }
}

impl AudioPlan {
    /// A reception report about sound: the share of packets lost since the last one, 0..1.
    pub(crate) fn on_report(&mut self, lost: f64) {
        self.loss += (lost - self.loss) * if lost > self.loss { RISE } else { FALL };
    }

    /// Follows the target of all media, in bit/s. `may_copy`: the far side accepts RED.
    /// `in_bursts`: losses come in long runs.
    pub(crate) fn update(&mut self, target: f64, may_copy: bool, in_bursts: bool) {
        let limit = if self.longer_packets { LONGER_PACKETS.end } else { LONGER_PACKETS.start };
        self.longer_packets = target < limit;
        let second = if in_bursts { SECOND_COPY_IN_BURSTS } else { [COPIES_FROM[1], COPIES_UNTIL[1]] };
        let thresholds = [[COPIES_FROM[0], COPIES_UNTIL[0]], second];
        let lossy = |n: usize| self.loss > thresholds[n][usize::from(self.copies > n)];
        self.copies = match (may_copy && target >= MIN_COPIES_TARGET, lossy(0), lossy(1)) {
            (true, true, true) => 2,
            (true, true, false) => 1,
            (true, false, _) | (false, _, _) => 0,
        };
    }

    /// Number of earlier packets that each packet should contain.
    pub(crate) fn copies(&self) -> usize {
        self.copies
    }

    /// What this path needs at a target of all media, in bit/s.
    pub(crate) fn need(&self, target: f64) -> AudioNeed {
        let packet_ms = if self.longer_packets { 40 } else { 20 };
        let packets = 1_000.0 / f64::from(packet_ms);
        let headers = HEADER_BITS * packets;
        let share = (target * SHARE).max(target.min(SOUND_ALONE) * SHARE_ALONE) - headers;
        let bitrate = BITRATES[self.copies].min(share.max(MIN_BITRATE));
        let copied = bitrate * (1 + self.copies) as f64;
        let fec = (self.loss * 100.0).clamp(LEAST_FEC, MOST_FEC).round();
        AudioNeed {
            bitrate: bitrate as u32,
            fec_percent: if self.copies > 0 { 0 } else { fec as u8 },
            packet_ms,
            total: (copied + RTP_HEADER_BITS * packets) as u64,
            wire: (copied + headers) as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: f64 = 2_000_000.0;

    fn after(reports: &[f64], target: f64, may_copy: bool) -> AudioPlan {
        let mut plan = AudioPlan::default();
        for lost in reports {
            plan.on_report(*lost);
            plan.update(target, may_copy, false);
        }
        plan
    }

    #[test]
    fn a_clean_path_gets_the_full_rate_and_a_little_fec() {
        let need = after(&[0.0; 9], WIDE, true).need(WIDE);
        assert_eq!(need, AudioNeed { bitrate: 32_000, fec_percent: 1, packet_ms: 20, total: 41_600, wire: 56_800 });
    }

    #[test]
    fn copies_follow_the_loss() {
        for (lost, copies) in [(0.01, 0), (0.05, 1), (0.20, 2)] {
            let plan = after(&[lost; 20], WIDE, true);
            assert_eq!(plan.copies(), copies, "{lost}");
            assert_eq!(plan.need(WIDE).fec_percent == 0, copies > 0);
            assert!(plan.need(WIDE).total <= 64_000 + 8_000, "{lost}");
        }
    }

    #[test]
    fn bursts_need_the_second_copy_at_less_loss() {
        let mut plan = after(&[0.05; 20], WIDE, true);
        plan.update(WIDE, true, true);
        assert_eq!(plan.copies(), 2);
    }

    #[test]
    fn loss_is_believed_at_once_and_forgotten_slowly() {
        assert_eq!(after(&[0.0, 0.0, 0.06], WIDE, true).copies(), 1);
        let mut plan = after(&[0.06; 9], WIDE, true);
        let reports = (0..200).take_while(|_| {
            plan.on_report(0.0);
            plan.update(WIDE, true, false);
            plan.copies() > 0
        });
        assert!((20..60).contains(&reports.count()));
    }

    #[test]
    fn without_red_the_fec_covers_the_loss() {
        let plan = after(&[0.10; 20], WIDE, false);
        assert_eq!((plan.copies(), plan.need(WIDE).fec_percent, plan.need(WIDE).bitrate), (0, 10, 32_000));
        assert_eq!(after(&[0.9; 20], WIDE, false).need(WIDE).fec_percent, 25);
    }

    #[test]
    fn a_narrow_path_has_no_copies_and_a_lower_rate() {
        let plan = after(&[0.20; 20], 150_000.0, true);
        assert_eq!((plan.copies(), plan.need(150_000.0).bitrate, plan.need(150_000.0).fec_percent), (0, 23_200, 20));
        for target in [10_000.0, 50_000.0, 80_000.0, 120_000.0, 200_000.0] {
            let need = after(&[0.0; 3], target, true).need(target);
            assert!((12_000..=32_000).contains(&need.bitrate), "{target}: {need:?}");
            assert!(target < 40_000.0 || need.total as f64 <= target * 0.82, "{target}: {need:?}");
        }
    }

    #[test]
    fn packets_do_not_change_back_and_forth() {
        let mut plan = after(&[0.0], 60_000.0, true);
        assert_eq!(plan.need(60_000.0).packet_ms, 40);
        plan.update(90_000.0, true, false);
        assert_eq!(plan.need(90_000.0).packet_ms, 40);
        plan.update(110_000.0, true, false);
        plan.update(90_000.0, true, false);
        assert_eq!(plan.need(90_000.0).packet_ms, 20);
    }
}
