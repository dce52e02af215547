//! Runs one target under libFuzzer. The environment variable `FUZZ_TARGET` names it; `cargo xtask fuzz` sets it.
#![no_main]

mod codecs;
mod e2ee;
mod files;
mod media;
mod relay;
mod signaling;
mod transport;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

type Target = fn(&[u8]);

/// Every target. Its corpus is the folder of the same name in `corpus/`.
const TARGETS: &[(&str, Target)] = &[
    ("bitstream", codecs::bitstream),
    ("candidate", peer::fuzz::candidate),
    ("certificate", doctor::fuzz::certificate),
    ("client_message", signaling::client_message),
    ("datagram", relay::datagrams),
    ("deframer", peer::fuzz::deframer),
    ("description", peer::fuzz::description),
    ("file_message", files::file_message),
    ("framer", relay::framer),
    ("ice_url", signaling::ice_url),
    ("jpeg", codecs::jpeg),
    ("link", signaling::link),
    ("opus", codecs::opus),
    ("photo", signaling::photo),
    ("pixels", codecs::pixels),
    ("portal", doctor::fuzz::portal),
    ("proxy_answer", outbound::fuzz::proxy_answer),
    ("proxy_settings", outbound::fuzz::proxy_settings),
    ("receiver", transport::receiver),
    ("red", transport::red),
    ("response", relay::response),
    ("rtcp", transport::rtcp),
    ("sealed_frame", e2ee::sealed_frame),
    ("sealed_key", e2ee::sealed_key),
    ("sender", transport::sender),
    ("server_message", signaling::server_message),
    ("statement", signaling::statement),
    ("stun", peer::fuzz::stun),
    ("wav", media::wav),
];

static TARGET: OnceLock<Target> = OnceLock::new();

fuzz_target!(init: choose(), |data: &[u8]| {
    let target = TARGET.get().expect("chosen at the start");
    target(data);
});

/// Chooses the target. Without one, prints all and exits.
fn choose() {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let Some((_, target)) = TARGETS.iter().find(|(known, _)| *known == name) else {
        TARGETS.iter().for_each(|(name, _)| println!("{name}"));
        std::process::exit(if name.is_empty() { 0 } else { 2 });
    };
    TARGET.get_or_init(|| *target);
}
