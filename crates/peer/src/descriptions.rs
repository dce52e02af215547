//! The descriptions of both sides, and the offers that are due. Pure.

use crate::MAX_MEDIA_LINES;
use crate::agreement::{self, Agreed};
use crate::dtls_cookie::Cookie;
use crate::error::PeerError;
use crate::event::{PeerEvent, TrackKind};
use crate::forwarded::Forwarding;
use crate::negotiation::Negotiation;
use crate::remote_candidates::{CandidatePolicy, Generation};
use crate::sdp::{self, Description, LineKind, Origin, Setup};
use crate::standin::Shown;
use media::encoded::VideoCodec;
use transport::RecvKind;

/// Why an offer is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Reasons {
    /// Lines have changed.
    lines: bool,
    /// ICE is restarted.
    restart: bool,
}

/// The session descriptions of one connection.
#[derive(Debug)]
pub(crate) struct Descriptions {
    pub(crate) negotiation: Negotiation,
    /// The media lines that the library has.
    pub(crate) shown: Shown,
    origin: Origin,
    /// Whether to offer as soon as an offer may be sent, because lines have changed.
    needed: bool,
    /// Whether the owner has started the negotiation; nothing is offered before.
    begun: bool,
    /// Whether to restart ICE as soon as an offer may be sent.
    restart: bool,
    /// Why the pending offer was made.
    pending: Reasons,
    /// ICE user name fragment of our last description.
    local_ufrag: Option<String>,
    /// Our pending offer.
    offer: Option<Description>,
    /// The far side's last applied description.
    remote: Option<Description>,
    /// The result of the last negotiation.
    agreed: Vec<Agreed>,
    /// Our DTLS role, when negotiated. It stays the same in all later negotiations.
    part: Option<Setup>,
    /// What our DTLS server asks for.
    cookie: Cookie,
    /// If the far side is a forwarder.
    forwarding: Option<Forwarding>,
}

impl Descriptions {
    /// `session` is the session id of `o=` (RFC 8829 section 5.2.1), and `cookie` what our DTLS server asks for.
    pub(crate) fn new(session: u64, cookie: Cookie, forwarding: Option<Forwarding>) -> Descriptions {
        Descriptions {
            negotiation: Negotiation::Stable,
            shown: Shown::default(),
            origin: Origin { session, version: 0 },
            needed: false,
            begun: false,
            restart: false,
            pending: Reasons::default(),
            local_ufrag: None,
            offer: None,
            remote: None,
            agreed: Vec::new(),
            part: None,
            cookie,
            forwarding,
        }
    }

    /// The owner has started the negotiation.
    pub(crate) fn begin(&mut self) {
        self.begun = true;
    }

    /// An offer is needed.
    pub(crate) fn need_offer(&mut self) {
        self.needed = true;
    }

    /// An offer that restarts ICE is needed.
    pub(crate) fn need_restart(&mut self) {
        self.restart = true;
    }

    /// The far side's offer restarts ICE, which renews our side too: a restart of our own would only interrupt the new
    /// path.
    pub(crate) fn restarted_by_far_side(&mut self) {
        self.restart = false;
    }

    /// Starts an offer if one is due and allowed. Returns whether it restarts ICE.
    pub(crate) fn start_offer(&mut self) -> Option<bool> {
        let reasons = Reasons { lines: self.needed, restart: self.restart };
        if reasons == Reasons::default() || !self.begun || !self.negotiation.may_offer() {
            return None;
        }
        (self.needed, self.restart) = (false, false);
        self.pending = reasons;
        Some(reasons.restart)
    }

    /// Our offer for the far side, made from the library's.
    pub(crate) fn offer_for_far_side(&mut self, library: Description) -> Description {
        let mut offer = self.shown.offer(library, self.remote.as_ref());
        // The offerer of a new connection has nominated the path before the other side can know it, and so begins the
        // handshake sooner. Later the answerer knows its role, also if this side does not (RFC 8842 section 5.2).
        offer.transport.setup = if self.part.is_none() { Setup::Active } else { Setup::ActPass };
        if let Some(forwarding) = &self.forwarding {
            forwarding.offer(&mut offer);
            return offer;
        }
        offer.transport.cookie = Some(self.cookie);
        self.offer_repair(&mut offer);
        self.offer_red(&mut offer);
        offer
    }

    /// Offers repair packets for lines with retransmissions. A far side that did not answer them is not offered them
    /// again.
    fn offer_repair(&self, offer: &mut Description) {
        let used: Vec<u8> = offer.lines.iter().flat_map(sdp::Line::payload_types).collect();
        let Some(free) = (96..=127).rev().find(|number| !used.contains(number)) else { return };
        for line in offer.lines.iter_mut().filter(|line| line.codecs.iter().any(|codec| codec.rtx.is_some())) {
            let theirs = self.remote.as_ref().map(|remote| remote.line(&line.mid).and_then(|line| line.repair));
            line.repair = theirs.unwrap_or(Some(free));
        }
    }

    /// Offers RED for sound (RFC 2198). A far side that did not answer it is not offered it again.
    fn offer_red(&self, offer: &mut Description) {
        let used: Vec<u8> = offer.lines.iter().flat_map(sdp::Line::payload_types).collect();
        // Browsers use 63; the numbers from 96 on are scarce.
        let Some(free) = (35..=63).rev().find(|number| !used.contains(number)) else { return };
        for line in offer.lines.iter_mut().filter(|line| line.kind == LineKind::Audio && !line.rejected) {
            let theirs = self.remote.as_ref().map(|remote| remote.line(&line.mid).and_then(|line| line.red));
            line.red = theirs.unwrap_or(Some(free));
        }
    }

    /// Our offer was sent.
    pub(crate) fn offered(&mut self, offer: Description) {
        self.negotiation.offered();
        self.offer = Some(offer);
    }

    /// Our offer was rolled back, so that the far side's can be answered. It is offered again later.
    pub(crate) fn rolled_back(&mut self) {
        self.offer = None;
        self.shown.take_back();
        let Reasons { lines, restart } = std::mem::take(&mut self.pending);
        self.needed |= lines;
        self.restart |= restart;
    }

    /// Parses a description, and checks that it names this certificate and continues the previous one.
    pub(crate) fn read(
        &self,
        text: &str,
        certificate: Option<[u8; 32]>,
        codecs: &[VideoCodec],
        policy: CandidatePolicy,
    ) -> Result<Description, PeerError> {
        let lines = self.offer.as_ref().map_or(0, |offer| offer.lines.len()).max(MAX_MEDIA_LINES);
        let mut remote = sdp::parse_up_to(lines, text, codecs).map_err(|error| match error {
            sdp::SdpError::TooManyLines => PeerError::TooMany,
            sdp::SdpError::Fingerprint => PeerError::NoFingerprint,
            other => PeerError::BadDescription(other.to_string()),
        })?;
        if certificate.is_some_and(|expected| remote.transport.fingerprint != sdp::fingerprint_line(&expected)) {
            return Err(PeerError::WrongFingerprint);
        }
        self.shown.refuse_unfit(&mut remote);
        if remote.lines.iter().all(|line| line.rejected) {
            return Err(PeerError::BadDescription("it has no supported media line".into()));
        }
        let continues = |before: &Description| {
            remote.continues(before) && remote.transport.fingerprint == before.transport.fingerprint
        };
        if !self.remote.as_ref().is_none_or(continues) {
            return Err(PeerError::BadDescription("it belongs to another session".into()));
        }
        remote.candidates.retain(|candidate| policy.allows(candidate));
        Ok(remote)
    }

    /// Checks that a description answers our pending offer, and completes its names. Returns that offer.
    pub(crate) fn take_answer(&self, remote: &mut Description) -> Result<Description, PeerError> {
        let Some(offer) = self.offer.clone().filter(|_| self.negotiation == Negotiation::HaveLocalOffer) else {
            return Err(PeerError::UnexpectedDescription);
        };
        if !remote.take_names(&offer) || remote.transport.setup == Setup::ActPass {
            return Err(PeerError::BadDescription("it is not an answer to our offer".into()));
        }
        Ok(offer)
    }

    /// The far side's description for the library. `before` is the description whose lines it continues; for an answer
    /// that is our offer.
    pub(crate) fn for_library(
        &self,
        remote: &Description,
        before: Option<&Description>,
        codecs: &[VideoCodec],
    ) -> (Description, String) {
        let kept = self.forwarding.as_ref().map(|_| Forwarding::for_library(remote, self.shown.count()));
        let mut shown = self.shown.for_library(kept.as_ref().unwrap_or(remote), before, codecs);
        shown.transport.cookie = None;
        let text = shown.write(self.origin);
        (shown, text)
    }

    /// Our answer for the far side, made from the library's.
    pub(crate) fn answer_for_far_side(&mut self, library: Description, remote: &Description) -> Description {
        let mut local = Shown::answer(library, remote);
        // The library reports its role for a new handshake, even if the far side has already chosen one.
        let ours = match remote.transport.setup {
            Setup::ActPass => local.transport.setup,
            chosen @ (Setup::Active | Setup::Passive) => chosen.opposite(),
        };
        // For an existing handshake, browsers reject a change of roles (RFC 8842 section 5.3).
        local.transport.setup = *self.part.get_or_insert(ours);
        local.transport.cookie = Some(self.cookie);
        local
    }

    /// Our offer was answered.
    pub(crate) fn answered(&mut self, shown: &Description, remote: &Description) {
        self.negotiation.remote_answer();
        self.shown.settle(shown);
        self.part.get_or_insert(remote.transport.setup.opposite());
        self.offer = None;
        self.pending = Reasons::default();
    }

    /// Whether a description has ICE credentials other than the last applied one.
    pub(crate) fn is_new_generation(&self, remote: &Description) -> bool {
        self.remote().is_none_or(|before| before.transport.ufrag != remote.transport.ufrag)
    }

    /// A description of ours is sent.
    pub(crate) fn published(&mut self, description: &Description) {
        self.local_ufrag = Some(description.transport.ufrag.clone());
    }

    /// ICE user name fragment of our last description: our candidates belong to it.
    pub(crate) fn local_ufrag(&self) -> Option<&str> {
        self.local_ufrag.as_deref()
    }

    /// The next version of `o=`, for a description that is sent.
    pub(crate) fn next_origin(&mut self) -> Origin {
        self.origin.version += 1;
        self.origin
    }

    /// Both descriptions have been applied. Returns the events for the owner.
    pub(crate) fn conclude(&mut self, local: &Description, remote: Description) -> Vec<PeerEvent> {
        let mut agreed = agreement::agree(local, &remote);
        if self.forwarding.is_some() {
            // The library knows no slots, so it would not report what arrives on announced SSRCs. Each packet names its line.
            agreed.iter_mut().for_each(|line| line.announced = None);
        }
        let mut events = Vec::new();
        let receives = |lines: &[Agreed], mid: &str| lines.iter().any(|line| line.mid == mid && line.receives);
        for line in agreed.iter().filter(|line| line.receives && !receives(&self.agreed, &line.mid)) {
            let kind = match line.kind {
                RecvKind::Audio => TrackKind::Audio,
                RecvKind::Video if line.screen => TrackKind::Screen,
                RecvKind::Video => TrackKind::Video,
            };
            events.push(PeerEvent::RemoteTrack { mid: line.mid.clone(), kind });
        }
        for before in self.agreed.iter().filter(|before| before.receives && !receives(&agreed, &before.mid)) {
            events.push(PeerEvent::RemoteTrackEnded { mid: before.mid.clone() });
        }
        let video =
            agreed.iter().find(|line| line.kind == RecvKind::Video && !line.screen).and_then(Agreed::video_codec);
        let audio = agreed.iter().any(|line| line.kind == RecvKind::Audio && line.send.is_some());
        events.push(PeerEvent::Negotiated { video, audio });
        self.agreed = agreed;
        self.remote = Some(remote);
        events
    }

    pub(crate) fn agreed(&self) -> &[Agreed] {
        &self.agreed
    }

    pub(crate) fn remote(&self) -> Option<&Description> {
        self.remote.as_ref()
    }

    /// ICE user name fragment of the far side's last applied description.
    pub(crate) fn remote_ufrag(&self) -> Option<&str> {
        self.remote().map(|remote| remote.transport.ufrag.as_str())
    }

    /// The ICE generation of the far side's last applied description.
    pub(crate) fn remote_generation(&self) -> Option<Generation<'_>> {
        let remote = self.remote()?;
        Some(Generation { ufrag: &remote.transport.ufrag, bundled: remote.bundle.get(1..).unwrap_or_default() })
    }

    /// The line that our candidates refer to: its mid, if it has one, and its index.
    pub(crate) fn tagged_line(&self) -> (Option<String>, u16) {
        let description = self.offer.as_ref().or(self.remote.as_ref());
        let index = description.and_then(Description::tagged);
        let line = description.zip(index).map(|(description, index)| &description.lines[index]);
        let mid = line.filter(|line| line.named).map(|line| line.mid.clone());
        (mid, index.unwrap_or_default() as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHROMIUM: &str = include_str!("sdp/chromium.sdp");

    /// What the library offers, for which Chromium's offer stands.
    fn library() -> Description {
        sdp::parse(CHROMIUM, &VideoCodec::ALL).unwrap()
    }

    fn repair(description: &Description) -> Vec<Option<u8>> {
        description.lines.iter().filter(|line| !line.rejected).map(|line| line.repair).collect()
    }

    #[test]
    fn our_own_clients_agree_on_repair_packets() {
        let mut ours = Descriptions::new(1, Cookie::default(), None);
        let offer = ours.offer_for_far_side(library());
        let text = offer.write(ours.next_origin());
        let theirs = Descriptions::new(2, Cookie::default(), None);
        let read = theirs.read(&text, None, &VideoCodec::ALL, CandidatePolicy { mdns: true, loopback: false }).unwrap();
        assert_eq!(repair(&read), repair(&offer));
        let answer = Shown::answer(library(), &read);
        let used: Vec<u8> = answer.lines.iter().flat_map(|line| line.codecs.iter().map(|c| c.payload_type)).collect();
        for (us, them) in [(&offer, &answer), (&answer, &offer)] {
            for line in agreement::agree(us, them) {
                let send = line.send.expect("both send");
                assert_eq!(send.repair.is_some(), line.kind == RecvKind::Video);
                assert_eq!(line.repair, send.repair);
                assert!(send.repair.is_none_or(|number| !used.contains(&number)));
            }
        }
    }

    #[test]
    fn a_browser_that_answers_without_repair_packets_gets_none_and_no_second_offer() {
        let mut ours = Descriptions::new(1, Cookie::default(), None);
        let offer = ours.offer_for_far_side(library());
        assert!(repair(&offer).iter().any(Option::is_some));
        let browsers = library();
        assert!(agreement::agree(&offer, &browsers).iter().all(|line| line.repair.is_none()));
        assert!(agreement::agree(&offer, &browsers).iter().flat_map(|l| &l.send).all(|send| send.repair.is_none()));
        ours.conclude(&offer, browsers);
        assert!(repair(&ours.offer_for_far_side(library())).iter().all(Option::is_none));
    }

    #[test]
    fn copies_of_sound_are_agreed_on_with_whoever_supports_them() {
        let mut ours = Descriptions::new(1, Cookie::default(), None);
        let mut without = library();
        without.lines[0].red = None;
        let offer = ours.offer_for_far_side(without.clone());
        assert_eq!(offer.lines[0].red, Some(63));
        let answer = Shown::answer(without.clone(), &offer);
        let agreed = agreement::agree(&offer, &answer).swap_remove(0);
        assert_eq!(agreed.send.unwrap().red, Some(63));
        assert!(agreed.payload_types.contains(&(63, transport::StreamKind::Red)));
        assert_eq!(agreement::agree(&offer, &without)[0].send.as_ref().unwrap().red, None);
        ours.conclude(&offer, without.clone());
        assert_eq!(ours.offer_for_far_side(without).lines[0].red, None);
    }

    #[test]
    fn an_invalid_payload_type_for_repair_packets_is_ignored() {
        for number in ["96", "95", "128", "-1", "", "x"] {
            let text = CHROMIUM.replace("a=mid:1", &format!("a=mid:1\r\na=x-lunchroom-repair:{number}"));
            let read = sdp::parse(&text, &VideoCodec::ALL).unwrap();
            assert!(repair(&read).iter().all(Option::is_none), "{number:?}");
        }
    }
}
