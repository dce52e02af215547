//! Processing of the microphone's sound: `cargo bench -p codecs --bench processing -- CLIPS OUT WHAT`.
//!
//! CLIPS is a folder of recorded speech (WAV, mono, 48 kHz). OUT gets what was sent, for a tool that rates it. WHAT is
//! `echo`, `noise` or `cost`. Time is virtual,
//! except in `cost`.

mod cost;
mod echo;
mod noise;
mod room;
mod sound;

use std::path::Path;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let [clips, out, what] = &arguments[..] else {
        println!("SKIPPED: no folder of recorded speech; `cargo xtask bench echo` prepares it");
        return;
    };
    let (clips, out) = (sound::clips(Path::new(clips)), Path::new(out));
    match what.as_str() {
        "cost" => cost::run(&clips),
        "echo" => echo::run(&clips, out),
        "noise" => noise::run(&clips, out),
        _ => panic!("no such measurement: {what}"),
    }
}
