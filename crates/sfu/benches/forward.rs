//! What it costs to forward: a room in which everybody publishes three encodings and sees others, in virtual time.
//!
//! `cargo xtask bench forward` runs it and prints the line. Only the time within the SFU counts, without sockets.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Duration;

use support::world::World;

/// Bytes of a packet, and packets of a frame in each encoding: about 0.25, 0.7 and 1.6 Mbit/s at 30 fps.
const BYTES: usize = 1_050;
const PACKETS: [usize; 3] = [1, 3, 6];
/// Voices and pictures that each person receives at most.
const VOICES: usize = 8;
const PICTURES: usize = 25;

fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let (people, seconds) = match numbers[..] {
        [people, seconds] => (usize::try_from(people).unwrap(), seconds),
        _ => (10, 10),
    };
    let pictures = PICTURES.min(people - 1);
    let mut world = World::new(people, (VOICES, pictures));
    world.connect();
    for client in &mut world.clients {
        client.level = 30;
        for (encoder, packets) in client.encoders.iter_mut().zip(PACKETS) {
            (encoder.bytes, encoder.packets) = (BYTES, packets);
        }
    }
    for who in 0..people {
        let whom: Vec<usize> = (1..=pictures).map(|step| (who + step) % people).collect();
        world.watch(who, &whom);
    }
    // Until the estimates have grown.
    world.run(Duration::from_secs(10));
    let before = world.sfu.counters();
    world.busy.clear();
    world.run(Duration::from_secs(seconds));
    let after = world.sfu.counters();
    world.busy.sort();
    let busy: Duration = world.busy.iter().sum();
    let at = |percent: usize| world.busy[(world.busy.len() - 1) * percent / 100].as_micros();
    let (packets, bytes) = (after.forwarded - before.forwarded, after.forwarded_bytes - before.forwarded_bytes);
    println!(
        "{people} {seconds} {packets} {:.0} {:.1} {} {}",
        packets as f64 / busy.as_secs_f64(),
        bytes as f64 * 8.0 / busy.as_secs_f64() / 1e6,
        at(50),
        at(99)
    );
}
