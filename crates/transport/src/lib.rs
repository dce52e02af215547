//! Sending and receiving RTP well. Pure: packets, frames, RTCP and `now` go in, packets, frames and RTCP come out.
//!
//! [`Sender`] packetises, numbers everything transport-wide, paces (audio first), retransmits, probes and
//! estimates what the path carries. [`Receiver`] unwraps retransmissions, asks for what is missing, assembles
//! frames and hands them out in an order that a decoder can use.
//!
//! Both are driven alike: put input in, then drain every `poll_*` until it returns `None`, then wait for the
//! earliest of input and `poll_timeout`, at which `handle_timeout` is called.

mod arrival;
mod estimate;
mod payload;
mod recv;
mod repair;
mod send;
mod sequence;
mod stream;

pub use recv::{Feedback, Receiver, ReceiverConfig, ReceiverStats};
pub use send::{SendError, Sender, SenderConfig, SenderEvent, SenderStats};
pub use stream::{RecvKind, RecvStream, SendStream, StreamKind};

pub use rtc_rtcp::receiver_report::ReceiverReport;
pub use rtc_rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
pub use rtc_rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
pub use rtc_rtp::packet::Packet;
