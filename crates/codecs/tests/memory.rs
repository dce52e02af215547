//! Measures the memory of an encoder if libvpx uses our memory functions.
#![cfg(static_vpx)]

mod common;

use media::encoded::VideoCodec;

/// This is the only test in its program, because it measures the whole process.
#[test]
fn an_unused_encoder_holds_little_memory() {
    for (codec, most) in [(VideoCodec::Vp8, 6), (VideoCodec::Vp9, 16)] {
        let before = anonymous_kib();
        let encoder = common::encoder(codec, 1280, 720, 2_000_000);
        let held = anonymous_kib().saturating_sub(before) / 1024;
        println!("{codec:?}: {held} MiB");
        assert!(held <= most, "{codec:?}: {held} MiB");
        drop(encoder);
    }
}

/// Anonymous memory of this process in KiB.
fn anonymous_kib() -> u64 {
    let said = std::fs::read_to_string("/proc/self/smaps_rollup").expect("the kernel's report");
    let line = said.lines().find_map(|line| line.strip_prefix("Anonymous:")).expect("a line of it");
    line.trim().trim_end_matches(" kB").trim().parse().expect("a number")
}
