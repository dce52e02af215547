//! A simulated year of rounds, as JSON: `rounds-year PEOPLE EVERY_DAYS SEED`. People have random days off. Beside the
//! matcher, it seats the same people at random, and by a greedy matcher that only avoids those whom one has met.

use std::time::Instant;

use rooms::rounds::{APART_DAYS, Diner, Pairs, Size, Teams, seat};

/// Days of a year with rounds: 52 weeks.
const DAYS: u32 = 364;
/// Of ten days, on how many somebody is off.
const OFF_OF_TEN: u8 = 2;

/// What came of a year.
#[derive(Default)]
struct Year {
    rounds: usize,
    seats: usize,
    /// Pairs that met, at least once.
    pairs: usize,
    /// Meetings of pairs that met less than [`APART_DAYS`] before.
    repeats: usize,
    meetings: usize,
    /// Most rounds in a row in which somebody who was there met only people whom they had met less than [`APART_DAYS`]
    /// before.
    longest_wait: u32,
    /// Fewest different people whom anybody met.
    fewest: usize,
    alone: usize,
    slowest_ms: f64,
}

/// Who met whom last, on which day.
type Met = Vec<Vec<Option<u32>>>;
type Matcher = fn(&Met, &[usize], u32, &mut fastrand::Rng) -> Vec<Vec<usize>>;

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|text| text.parse::<u32>().ok());
    let (people, every) = (arguments.next().unwrap_or(100), arguments.next().unwrap_or(7));
    let seed = arguments.next().unwrap_or(1);
    let matchers: [(&str, Matcher); 3] = [("matcher", ours), ("greedy", greedy), ("random", random)];
    let figures = matchers.map(|(name, matcher)| {
        let year = year(people as usize, every, u64::from(seed), matcher);
        let (of, wait) = (people * (people - 1) / 2, year.longest_wait);
        format!(
            "\"{name}\":{{\"rounds\":{},\"seats\":{},\"pairs\":{},\"of\":{of},\"meetings\":{},\"repeats\":{},\
             \"longest_wait\":{wait},\"fewest\":{},\"alone\":{},\"slowest_ms\":{:.1}}}",
            year.rounds, year.seats, year.pairs, year.meetings, year.repeats, year.fewest, year.alone, year.slowest_ms
        )
    });
    println!("{{{}}}", figures.join(","));
}

fn year(people: usize, every: u32, seed: u64, matcher: Matcher) -> Year {
    // The days off are the same for each matcher.
    let (mut days, mut rng) = (fastrand::Rng::with_seed(seed), fastrand::Rng::with_seed(seed + 1));
    let mut met: Met = vec![vec![None; people]; people];
    let mut waits = vec![0; people];
    let mut year = Year::default();
    for day in (0..DAYS).step_by(every as usize).filter(|day| every > 1 || day % 7 < 5) {
        let here: Vec<usize> = (0..people).filter(|_| days.u8(..10) >= OFF_OF_TEN).collect();
        let began = Instant::now();
        let groups = matcher(&met, &here, day, &mut rng);
        year.slowest_ms = year.slowest_ms.max(began.elapsed().as_secs_f64() * 1_000.0);
        year.rounds += 1;
        year.seats += here.len();
        here.iter().for_each(|person| waits[*person] += 1);
        for group in &groups {
            year.alone += usize::from(group.len() < 2);
            for (n, &a) in group.iter().enumerate() {
                for &b in &group[n + 1..] {
                    record(&mut year, &mut met, &mut waits, (a, b), day);
                }
            }
        }
        year.longest_wait = year.longest_wait.max(waits.iter().copied().max().unwrap_or(0));
    }
    year.fewest = met.iter().map(|theirs| theirs.iter().flatten().count()).min().unwrap_or(0);
    year
}

fn record(year: &mut Year, met: &mut Met, waits: &mut [u32], (a, b): (usize, usize), day: u32) {
    year.meetings += 1;
    year.pairs += usize::from(met[a][b].is_none());
    if met[a][b].is_some_and(|last| day - last < APART_DAYS) {
        year.repeats += 1;
    } else {
        (waits[a], waits[b]) = (0, 0);
    }
    (met[a][b], met[b][a]) = (Some(day), Some(day));
}

fn ours(met: &Met, here: &[usize], day: u32, rng: &mut fastrand::Rng) -> Vec<Vec<usize>> {
    let days_since = |a: usize, b: usize| met[here[a]][here[b]].map(|last| day - last);
    let pairs = Pairs { apart: &|_, _| false, days_since: &days_since };
    let seating = seat(&vec![Diner::default(); here.len()], Teams::Any, Size::Threes, &pairs, rng.u64(..));
    let groups = seating.groups.into_iter().chain(seating.unseated.into_iter().map(|one| vec![one]));
    groups.map(|group| group.into_iter().map(|place| here[place]).collect()).collect()
}

/// Fills one group after the other with whomever its people have not met, or met longest ago.
fn greedy(met: &Met, here: &[usize], _: u32, rng: &mut fastrand::Rng) -> Vec<Vec<usize>> {
    let mut left = here.to_vec();
    rng.shuffle(&mut left);
    let mut groups = Vec::new();
    while let Some(first) = left.pop() {
        let mut group = vec![first];
        while group.len() < 3 && !left.is_empty() {
            let age = |one: usize| {
                group.iter().map(|other| met[one][*other].map_or(0, |last| u64::from(last) + 1)).sum::<u64>()
            };
            let best = (0..left.len()).min_by_key(|at| age(left[*at])).unwrap_or(0);
            group.push(left.swap_remove(best));
        }
        groups.push(group);
    }
    spread(groups)
}

fn random(_: &Met, here: &[usize], _: u32, rng: &mut fastrand::Rng) -> Vec<Vec<usize>> {
    let mut order = here.to_vec();
    rng.shuffle(&mut order);
    spread(order.chunks(3).map(<[usize]>::to_vec).collect())
}

/// Nobody sits alone or in a pair: the people of the last group join others.
fn spread(mut groups: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    if groups.len() > 2 && groups.last().is_some_and(|group| group.len() < 3) {
        for (at, one) in groups.pop().into_iter().flatten().enumerate() {
            groups[at].push(one);
        }
    }
    groups
}
