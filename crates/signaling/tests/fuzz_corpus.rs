//! Runs the fuzz targets over seeded mutations of valid inputs and over the stored corpus.

#[path = "../../../tests/fuzz/src/corpus.rs"]
mod corpus;
#[path = "../../../tests/fuzz/src/signaling.rs"]
mod entry;

use signaling::link::Link;
use signaling::parse;

const ROUNDS: u32 = 6_000;

/// Tokens that often matter in links and in JSON.
const TOKENS: &[&str] = &[
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "-1",
    "1e999",
    "18446744073709551616",
    "0",
    "\"seq\":2,",
    "\"ack\":7,",
    "\"type\":\"ack\"",
    "\n",
    "\0",
    "\u{202e}",
    "\u{feff}",
    "é",
    "🍲",
    "%00",
    "%2f",
    "%",
    "?",
    "&",
    "=",
    "#",
    "@",
    "//",
    "..",
    "[::1]",
    "127.1",
    "0x7f.1",
    "ws://",
    "wss:",
    "&server=ws://8.8.8.8",
    "&fp=",
    "&amp;fp=",
    "&FP%3D",
];

struct Random(fastrand::Rng);

impl Random {
    fn new(seed: u64) -> Random {
        Random(fastrand::Rng::with_seed(seed))
    }

    fn below(&mut self, end: usize) -> usize {
        self.0.usize(..end.max(1))
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    /// Returns a seed with one to four random changes.
    fn mutated(&mut self, seeds: &[&str]) -> Vec<u8> {
        let mut data = self.pick(seeds).as_bytes().to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(data.len() + 1);
            let end = (at + self.below(24)).min(data.len());
            match self.below(7) {
                0 => data.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (at % 8)),
                1 => drop(data.drain(at..end)),
                2 => drop(data.splice(at..end, self.pick(TOKENS).bytes())),
                3 => drop(data.splice(at..at, self.pick(TOKENS).bytes())),
                4 => {
                    let copy = data[at..end].to_vec();
                    let to = self.below(data.len() + 1);
                    data.splice(to..to, copy);
                }
                5 => data.truncate(at),
                _ => {
                    let lines: Vec<&[u8]> = data.split(|&byte| byte == b'\n').collect();
                    let (from, to) = (self.below(lines.len()), self.below(lines.len()));
                    let mut lines = lines.clone();
                    lines.swap(from, to);
                    data = lines.join(&b'\n');
                }
            }
        }
        data
    }
}

fn run(seed: u64, seeds: &[&str], target: fn(&[u8])) {
    let mut random = Random::new(seed);
    seeds.iter().for_each(|seed| target(seed.as_bytes()));
    for _ in 0..ROUNDS {
        target(&random.mutated(seeds));
    }
}

#[test]
fn the_link_parser_never_panics() {
    run(1, entry::LINKS, entry::link);
}

#[test]
fn no_client_text_makes_a_server_panic() {
    run(2, entry::CLIENT, entry::client_message);
}

#[test]
fn no_server_text_makes_a_client_panic() {
    run(3, entry::SERVER, entry::server_message);
}

#[test]
fn the_seeds_and_many_mutations_are_valid() {
    assert!(entry::LINKS.iter().all(|link| Link::parse(link).is_ok()));
    let lines = |seeds: &'static [&str]| seeds.iter().flat_map(|seed| seed.split('\n'));
    assert!(lines(entry::CLIENT).all(|line| parse::client_message(line).is_ok()));
    assert!(lines(entry::SERVER).all(|line| line == "garbage" || parse::server_message(line).is_ok()));
    let mut random = Random::new(4);
    let good = (0..1_000).filter(|_| {
        let text = random.mutated(entry::LINKS);
        std::str::from_utf8(&text).is_ok_and(|text| Link::parse(text).is_ok())
    });
    assert!((100..900).contains(&good.count()), "mutations must neither break everything nor nothing");
}

#[test]
fn stored_texts_pass() {
    corpus::replay("link", entry::link);
    corpus::replay("ice_url", entry::ice_url);
    corpus::replay("statement", entry::statement);
    corpus::replay("client_message", entry::client_message);
    corpus::replay("server_message", entry::server_message);
    corpus::replay("photo", entry::photo);
}
