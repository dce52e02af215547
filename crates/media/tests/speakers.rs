//! The test vectors in `docs/protocol` about speakers, which the pages' JavaScript runs too (PROTOCOL.md, *Test vectors*).

use media::active_speaker::ActiveSpeaker;
use serde_json::{Value, json};

/// The level of a person at a tick of a step.
fn level(levels: &Value, tick: usize) -> f32 {
    let levels = levels.as_array().expect("levels");
    levels[tick % levels.len()].as_f64().expect("a level") as f32
}

#[test]
fn speakers_are_those_of_the_vectors() {
    let text = std::fs::read_to_string("../../docs/protocol/speakers.json").expect("vectors");
    let vectors: Value = serde_json::from_str(&text).expect("JSON");
    for case in vectors["cases"].as_array().expect("cases") {
        let mut speakers = ActiveSpeaker::default();
        for (number, step) in case["steps"].as_array().expect("steps").iter().enumerate() {
            let people = step["levels"].as_object().expect("levels");
            for tick in 0..step["ticks"].as_u64().expect("ticks") as usize {
                let levels: Vec<_> = people.iter().map(|(id, of)| (id.clone(), level(of, tick))).collect();
                speakers.update(&levels);
            }
            let seen = json!({ "speaking": speakers.speaking().collect::<Vec<_>>(), "active": speakers.active() });
            let expected = json!({ "speaking": step["speaking"], "active": step["active"] });
            assert_eq!(seen, expected, "{}, step {number}", case["name"]);
        }
    }
}
