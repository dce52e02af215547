//! Rounds: who eats with whom when many people sign up for the same time.
//!
//! In this order: two people of whom one has blocked the other never sit together; nobody sits alone; groups have three
//! or four people; people meet again only after [`APART_DAYS`]; teams are mixed or stay together, as the round says;
//! people have a language in common; people who have never met go before others. Each rule yields only to those before
//! it, because its cost is above the sum of all costs after it.

mod search;

use self::search::Search;

/// Days after which two people may meet again like strangers.
pub const APART_DAYS: u32 = 30;
/// People who are seated at once. More are split at random into parts of at most as many: the time grows with the square of
/// it, and meanwhile the server does nothing else. A month of rounds finds enough others among so many.
pub const MAX_TOGETHER: usize = 96;
/// Part sizes are multiples of this, so that they divide into threes and into fours.
const WHOLE_GROUPS: usize = 12;
/// Most people in a group.
pub const MOST: usize = 4;

/// Somebody who has signed up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diner {
    /// Team; empty for none.
    pub team: String,
    /// Languages that they speak; empty if they have not said so.
    pub languages: Vec<String>,
}

/// What a round does with teams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Teams {
    /// Teams do not matter.
    #[default]
    Any,
    /// People of different teams sit together.
    Mixed,
    /// People of one team sit together.
    Together,
}

/// How groups are usually made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// In threes, and as few fours as necessary.
    Threes,
    /// In fours, and as few threes as necessary.
    Fours,
}

/// What a round has to know about each two people, by their places among the diners.
pub struct Pairs<'a> {
    /// Whether either has blocked the other.
    pub apart: &'a dyn Fn(usize, usize) -> bool,
    /// Days since they last met; `None` if that is not remembered.
    pub days_since: &'a dyn Fn(usize, usize) -> Option<u32>,
}

/// A round's groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seating {
    /// Places among the diners. Each group has two to four people; two only where blocks or five people leave no choice.
    pub groups: Vec<Vec<usize>>,
    /// Those with whom nobody may sit, or who have signed up alone.
    pub unseated: Vec<usize>,
}

/// Seats everybody who has signed up. The same seed gives the same groups.
pub fn seat(diners: &[Diner], teams: Teams, size: Size, pairs: &Pairs<'_>, seed: u64) -> Seating {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut order: Vec<usize> = (0..diners.len()).collect();
    random.shuffle(&mut order);
    let parts = order.len().div_ceil(MAX_TOGETHER).max(1);
    let mut seating = Seating::default();
    // Only the last part may need groups of another size than the usual one.
    for part in order.chunks(order.len().div_ceil(parts).next_multiple_of(WHOLE_GROUPS).max(1)) {
        let cost = |a: usize, b: usize| cost(diners, teams, pairs, part[a], part[b]);
        let mut search = Search::new(part.len(), &sizes(part.len(), size), cost);
        search.improve(&mut random);
        let (groups, unseated) = search.settle();
        let own = |places: Vec<usize>| places.into_iter().map(|place| part[place]).collect::<Vec<_>>();
        seating.groups.extend(groups.into_iter().map(own));
        seating.unseated.extend(own(unseated));
    }
    seating
}

/// The costs of one pair. A part has at most [`MAX_TOGETHER`] people in groups of four, so fewer than 1,024 pairs: each
/// cost is above the sum of all lower ones.
mod costs {
    pub(super) const MET_BEFORE: u64 = 1;
    pub(super) const NO_LANGUAGE: u64 = 1 << 10;
    pub(super) const WRONG_TEAM: u64 = 1 << 20;
    /// For each day that is missing until they may meet again; at most 31.
    pub(super) const A_DAY: u64 = 1 << 30;
    pub(super) const TOO_SOON: u64 = 1 << 45;
    pub(super) const APART: u64 = 1 << 55;
}

fn cost(diners: &[Diner], teams: Teams, pairs: &Pairs<'_>, a: usize, b: usize) -> u64 {
    if (pairs.apart)(a, b) {
        return costs::APART;
    }
    let days = (pairs.days_since)(a, b);
    let missing = days.map_or(0, |days| APART_DAYS.saturating_sub(days));
    let too_soon = if missing > 0 { costs::TOO_SOON + u64::from(missing) * costs::A_DAY } else { 0 };
    let same = !diners[a].team.is_empty() && diners[a].team == diners[b].team;
    let wrong = match teams {
        Teams::Any => false,
        Teams::Mixed => same,
        Teams::Together => !same,
    };
    let (ours, theirs) = (&diners[a].languages, &diners[b].languages);
    let mute = !ours.is_empty() && !theirs.is_empty() && !ours.iter().any(|language| theirs.contains(language));
    too_soon
        + if wrong { costs::WRONG_TEAM } else { 0 }
        + if mute { costs::NO_LANGUAGE } else { 0 }
        + if days.is_some() { costs::MET_BEFORE } else { 0 }
}

/// The sizes of the groups for this many people: three and four, unless there are five or fewer than three.
fn sizes(people: usize, size: Size) -> Vec<usize> {
    let (threes, fours) = match (people, size) {
        (0 | 1, _) => return Vec::new(),
        (2, _) => return vec![2],
        (5, _) => return vec![3, 2],
        (_, Size::Threes) => (people / 3 - people % 3, people % 3),
        (_, Size::Fours) => {
            let threes = (4 - people % 4) % 4;
            (threes, (people - 3 * threes) / 4)
        }
    };
    [vec![3; threes], vec![4; fours]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nobody(count: usize) -> Vec<Diner> {
        vec![Diner::default(); count]
    }

    const STRANGERS: Pairs<'_> = Pairs { apart: &|_, _| false, days_since: &|_, _| None };

    /// Fails unless everybody has one place, and nobody sits alone.
    fn check(seating: &Seating, people: usize) {
        let mut all: Vec<usize> = seating.groups.iter().flatten().chain(&seating.unseated).copied().collect();
        all.sort_unstable();
        assert_eq!(all, (0..people).collect::<Vec<_>>());
        assert!(seating.groups.iter().all(|group| (2..=MOST).contains(&group.len())), "{seating:?}");
    }

    #[test]
    fn groups_have_three_or_four_people() {
        for people in 0..80 {
            for size in [Size::Threes, Size::Fours] {
                let seating = seat(&nobody(people), Teams::Any, size, &STRANGERS, 1);
                check(&seating, people);
                let mut found: Vec<usize> = seating.groups.iter().map(Vec::len).collect();
                found.sort_unstable();
                match people {
                    0 | 1 => assert_eq!((found.len(), seating.unseated.len()), (0, people)),
                    2 | 5 => assert_eq!(found.iter().sum::<usize>(), people),
                    _ => assert!(found.iter().all(|one| [3, 4].contains(one)), "{people}: {found:?}"),
                }
                let (usual, others) = if size == Size::Threes { (3, 2) } else { (4, 3) };
                assert!(people < 9 || found.iter().filter(|one| **one != usual).count() <= others, "{found:?}");
            }
        }
    }

    #[test]
    fn a_blocked_pair_is_never_matched_in_a_thousand_seeds() {
        for seed in 0..1_000 {
            let mut random = fastrand::Rng::with_seed(seed);
            let people = random.usize(2..40);
            let blocks: Vec<(usize, usize)> =
                (0..random.usize(1..60)).map(|_| (random.usize(..people), random.usize(..people))).collect();
            let apart = |a: usize, b: usize| blocks.contains(&(a, b)) || blocks.contains(&(b, a));
            // Everything else speaks for the pairs that are blocked.
            let days_since = |a: usize, b: usize| (!apart(a, b)).then_some(1);
            let pairs = Pairs { apart: &apart, days_since: &days_since };
            let seating = seat(&nobody(people), Teams::Any, Size::Threes, &pairs, seed);
            check(&seating, people);
            for group in &seating.groups {
                let quarrel = group.iter().any(|a| group.iter().any(|b| a != b && apart(*a, *b)));
                assert!(!quarrel, "seed {seed}: {group:?} of {blocks:?}");
            }
            for (n, a) in seating.unseated.iter().enumerate() {
                let company = seating.unseated[n + 1..].iter().any(|b| !apart(*a, *b));
                assert!(!company, "seed {seed}: two who may sit together have no table");
            }
        }
    }

    #[test]
    fn somebody_whom_all_have_blocked_has_no_table() {
        let pairs = Pairs { apart: &|a, b| a == 0 || b == 0, days_since: &|_, _| None };
        let seating = seat(&nobody(8), Teams::Any, Size::Threes, &pairs, 3);
        check(&seating, 8);
        assert_eq!(seating.unseated, [0]);
    }

    #[test]
    fn in_sixty_and_more_nobody_meets_again_within_a_month() {
        for (people, seed) in [(60, 1), (61, 2), (83, 3)] {
            let mut met = vec![vec![None::<u32>; people]; people];
            for day in (0..364).step_by(7) {
                let mut random = fastrand::Rng::with_seed(seed ^ u64::from(day) << 8);
                let here: Vec<usize> = (0..people).filter(|_| people == 60 || random.u8(..10) > 1).collect();
                let days_since = |a: usize, b: usize| met[here[a]][here[b]].map(|last| day - last);
                let pairs = Pairs { apart: &|_, _| false, days_since: &days_since };
                let seating = seat(&nobody(here.len()), Teams::Any, Size::Fours, &pairs, u64::from(day));
                check(&seating, here.len());
                assert!(seating.unseated.is_empty());
                for (a, b) in seating.groups.iter().flat_map(|group| pairs_of(group)) {
                    let (a, b) = (here[a], here[b]);
                    let days = met[a][b].map(|last| day - last);
                    assert!(here.len() < 60 || days.is_none_or(|days| days >= APART_DAYS), "{people}: {days:?}");
                    (met[a][b], met[b][a]) = (Some(day), Some(day));
                }
            }
        }
    }

    fn pairs_of(group: &[usize]) -> impl Iterator<Item = (usize, usize)> {
        group.iter().enumerate().flat_map(|(n, a)| group[n + 1..].iter().map(|b| (*a, *b)))
    }

    #[test]
    fn teams_are_mixed_or_stay_together() {
        let of = |n: usize| Diner { team: format!("team {}", n % 4), languages: Vec::new() };
        let diners: Vec<Diner> = (0..16).map(of).collect();
        for (teams, alike) in [(Teams::Mixed, 0), (Teams::Together, 6 * 4)] {
            let seating = seat(&diners, teams, Size::Fours, &STRANGERS, 5);
            let pairs = seating.groups.iter().flat_map(|group| pairs_of(group));
            assert_eq!(pairs.filter(|(a, b)| diners[*a].team == diners[*b].team).count(), alike, "{teams:?}");
        }
    }

    #[test]
    fn a_month_apart_goes_before_teams_and_teams_before_languages() {
        let diner = |team: &str, language: &str| Diner { team: team.into(), languages: vec![language.into()] };
        let people = [("a", "ko"), ("a", "en"), ("a", "en"), ("b", "ko"), ("b", "ko"), ("b", "en")];
        let diners = people.map(|(team, language)| diner(team, language));
        let sides = |pairs: &Pairs<'_>, teams| {
            let mut seating = seat(&diners, teams, Size::Threes, pairs, 7);
            seating.groups.iter_mut().for_each(|group| group.sort_unstable());
            seating.groups.sort();
            seating.groups
        };
        assert_eq!(sides(&STRANGERS, Teams::Together), [[0, 1, 2], [3, 4, 5]]);
        assert_eq!(sides(&STRANGERS, Teams::Any), [[0, 3, 4], [1, 2, 5]]);
        let met =
            Pairs { apart: &|_, _| false, days_since: &|a, b| ((a, b) == (0, 1) || (a, b) == (1, 0)).then_some(3) };
        let groups = sides(&met, Teams::Together);
        assert!(!groups.iter().any(|group| group.contains(&0) && group.contains(&1)), "{groups:?}");
    }

    #[test]
    fn many_people_are_split_and_all_of_them_are_seated() {
        let seating = seat(&nobody(MAX_TOGETHER + 7), Teams::Any, Size::Threes, &STRANGERS, 9);
        check(&seating, MAX_TOGETHER + 7);
        assert!(seating.unseated.is_empty());
    }
}
