//! RTP transport for audio and video: packetization, pacing, bandwidth estimation, retransmission, forward error
//! correction and frame assembly.
//!
//! The crate is pure: packets, frames, RTCP and the current time go in; packets, frames and RTCP come out.
//!
//! [`Sender`] packetizes frames, assigns transport-wide sequence numbers, paces packets (audio first), retransmits,
//! probes, and estimates the bandwidth of the path. [`Receiver`] unwraps retransmissions, requests missing packets,
//! assembles frames, and returns them in decoding order.
//!
//! Both are driven in the same way: pass the input, drain every `poll_*` method until it returns `None`, then wait for
//! the next input or for `poll_timeout`, at which `handle_timeout` must be called.

mod arrival;
mod downlink;
mod estimate;
mod lowest;
mod payload;
mod recv;
mod repair;
mod send;
mod sequence;
mod stream;
mod uplink;

pub use downlink::{Downlink, DownlinkFlow};
pub use payload::red::{NotRed, RedBlock};
pub use recv::{Feedback, Receiver, ReceiverConfig, ReceiverStats};
pub use send::{AudioNeed, SendError, Sender, SenderConfig, SenderEvent, SenderStats};
pub use stream::{PacketNames, RecvKind, RecvStream, SendStream, StreamKind, VideoFormat};
pub use uplink::{Uplink, UplinkFlow, UplinkShare};

pub use rtc_rtcp::receiver_report::ReceiverReport;
pub use rtc_rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
pub use rtc_rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
pub use rtc_rtp::packet::Packet;
