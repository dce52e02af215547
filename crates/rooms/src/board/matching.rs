//! Decides who sits with whom at "eat now" tables.

use super::key::Key;

/// Maximum number of people at an "eat now" table.
pub(super) const MOST: usize = 4;

/// Somebody who waits, and the people with whom they want to sit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    /// The person.
    pub(super) key: Key,
    /// People to sit with, if they wait too.
    pub(super) with: Vec<Key>,
}

/// Splits waiting people, longest wait first, into tables of two to four. If two or more wait, everybody has a table;
/// one person alone has none. Friends stay together unless a chain of friends is longer than four or somebody would
/// be left alone. Strangers sit with people whom they have met least lately: `met` returns the weight of a pair. Two people whom `apart` separates never
/// sit together, even if somebody then has no table.
pub(super) fn tables(
    waiting: &[Wish],
    met: impl Fn(&str, &str) -> u64,
    apart: impl Fn(&str, &str) -> bool,
) -> Vec<Vec<Key>> {
    if waiting.len() < 2 {
        return Vec::new();
    }
    let mut tables: Vec<Vec<Key>> = vec![Vec::new(); waiting.len().div_ceil(MOST)];
    let fair = waiting.len() / tables.len();
    let mut parties: Vec<Vec<Key>> = parties(waiting).into_iter().flat_map(|party| agree(party, &apart)).collect();
    // Large parties first, because they do not fit later. The sort is stable: among equals, the longest wait comes
    // first.
    parties.sort_by_key(|party| std::cmp::Reverse(party.len()));
    for party in parties {
        place(&mut tables, party, fair, &met, &apart);
    }
    tables.retain(|table| !table.is_empty());
    company(&mut tables, &apart);
    tables.retain(|table| table.len() > 1);
    tables
}

/// Splits a party in which somebody has blocked another into single people.
fn agree(party: Vec<Key>, apart: impl Fn(&str, &str) -> bool) -> Vec<Vec<Key>> {
    let quarrel = party.iter().any(|a| party.iter().any(|b| apart(a, b)));
    if quarrel { party.into_iter().map(|one| vec![one]).collect() } else { vec![party] }
}

/// Groups friends, and friends of friends, into parties of at most four. A larger group is split so that nobody is
/// alone.
fn parties(waiting: &[Wish]) -> Vec<Vec<Key>> {
    let mut party_of: Vec<usize> = (0..waiting.len()).collect();
    for (index, wish) in waiting.iter().enumerate() {
        for friend in waiting.iter().enumerate().filter(|(_, other)| wish.with.contains(&other.key)).map(|(at, _)| at) {
            let (from, to) = (party_of[friend].max(party_of[index]), party_of[friend].min(party_of[index]));
            party_of.iter_mut().filter(|party| **party == from).for_each(|party| *party = to);
        }
    }
    let mut parties = Vec::new();
    for first in 0..waiting.len() {
        let members: Vec<Key> = (0..waiting.len())
            .filter(|&index| party_of[index] == first)
            .map(|index| waiting[index].key.clone())
            .collect();
        if !members.is_empty() {
            parties.extend(even(members));
        }
    }
    parties
}

/// Splits into parts of at most four whose sizes differ by at most one.
fn even(members: Vec<Key>) -> Vec<Vec<Key>> {
    let parts = members.len().div_ceil(MOST);
    let (size, larger) = (members.len() / parts, members.len() % parts);
    let mut members = members.into_iter();
    (0..parts).map(|part| members.by_ref().take(size + usize::from(part < larger)).collect()).collect()
}

/// Puts a party at the table where it fits and has met the fewest people, preferring small tables. Adds a table if it
/// fits nowhere.
fn place(
    tables: &mut Vec<Vec<Key>>,
    party: Vec<Key>,
    fair: usize,
    met: impl Fn(&str, &str) -> u64,
    apart: impl Fn(&str, &str) -> bool,
) {
    let weight = |table: &Vec<Key>| {
        let old_news: u64 = table.iter().flat_map(|a| party.iter().map(|b| met(a, b))).sum();
        // A table filled beyond its share leaves too few people for another.
        let over = (table.len() + party.len()).saturating_sub(fair.max(2));
        (old_news, over, table.len())
    };
    let fits = |table: &&mut Vec<Key>| table.len() + party.len() <= MOST && !are_apart(table, &party, &apart);
    match tables.iter_mut().filter(fits).min_by_key(|table| weight(table)) {
        Some(table) => table.extend(party),
        None => tables.push(party),
    }
}

fn are_apart(a: &[Key], b: &[Key], apart: impl Fn(&str, &str) -> bool) -> bool {
    a.iter().any(|a| b.iter().any(|b| apart(a, b)))
}

/// Leaves nobody alone while there is another table at which they may sit: they join the smallest, or two people of a
/// table of four join them.
fn company(tables: &mut Vec<Vec<Key>>, apart: impl Fn(&str, &str) -> bool) {
    let mut hopeless = Vec::new();
    while let Some(alone) = tables.iter().position(|table| table.len() == 1) {
        let mut lonely = tables.swap_remove(alone);
        let open = |table: &&mut Vec<Key>| table.len() < MOST && !are_apart(table, &lonely, &apart);
        if let Some(smallest) = tables.iter_mut().filter(open).min_by_key(|table| table.len()) {
            smallest.append(&mut lonely);
        } else if let Some(pair) = tables.iter_mut().find_map(|full| leave_with(full, &lonely, &apart)) {
            // Split five into three and two.
            lonely.extend(pair);
            tables.push(lonely);
        } else {
            hopeless.push(lonely);
        }
    }
    tables.append(&mut hopeless);
}

/// Takes two people out of a table of four who may sit with somebody.
fn leave_with(full: &mut Vec<Key>, lonely: &[Key], apart: impl Fn(&str, &str) -> bool) -> Option<Vec<Key>> {
    if full.len() < MOST {
        return None;
    }
    // The last who came leave first.
    let willing = full.iter().rev().filter(|one| !are_apart(std::slice::from_ref(one), lonely, &apart)).take(2);
    let pair: Vec<Key> = willing.cloned().collect();
    (pair.len() == 2).then(|| full.retain(|one| !pair.contains(one))).map(|()| pair)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn wish(key: &str, with: &[&str]) -> Wish {
        Wish { key: key.into(), with: with.iter().map(|key| (*key).into()).collect() }
    }

    fn strangers(count: usize) -> Vec<Wish> {
        (0..count).map(|n| wish(&format!("{n:03}"), &[])).collect()
    }

    /// Nobody has blocked anybody.
    fn nobody(_: &str, _: &str) -> bool {
        false
    }

    fn sizes(tables: &[Vec<Key>]) -> Vec<usize> {
        let mut sizes: Vec<usize> = tables.iter().map(Vec::len).collect();
        sizes.sort_unstable();
        sizes
    }

    fn together(tables: &[Vec<Key>], a: &str, b: &str) -> bool {
        tables.iter().any(|table| table.iter().any(|key| key == a) && table.iter().any(|key| key == b))
    }

    #[test]
    fn people_without_friends_are_split_evenly() {
        let never = |_: &str, _: &str| 0;
        for (count, expected) in [
            (0, vec![]),
            (1, vec![]),
            (2, vec![2]),
            (3, vec![3]),
            (4, vec![4]),
            (5, vec![2, 3]),
            (6, vec![3, 3]),
            (7, vec![3, 4]),
            (9, vec![3, 3, 3]),
            (13, vec![3, 3, 3, 4]),
        ] {
            assert_eq!(sizes(&tables(&strangers(count), never, nobody)), expected, "{count}");
        }
    }

    #[test]
    fn people_who_have_not_met_are_matched() {
        let met = |a: &str, b: &str| if (a < "003") == (b < "003") { 1_000 } else { 0 };
        // Two groups of three, each of which ate together yesterday.
        for table in tables(&strangers(6), met, nobody) {
            let from_the_first = table.iter().filter(|key| key.as_str() < "003").count();
            assert!((1..=2).contains(&from_the_first), "{table:?}");
        }
    }

    #[test]
    fn friends_stay_together_even_if_only_one_asked() {
        let waiting =
            [wish("a", &[]), wish("b", &["e"]), wish("c", &[]), wish("d", &[]), wish("e", &[]), wish("f", &[])];
        let tables = tables(&waiting, |a, b| if (a, b) == ("b", "e") { 1_000 } else { 0 }, nobody);
        assert!(together(&tables, "b", "e"), "{tables:?}");
    }

    #[test]
    fn a_friend_who_is_not_waiting_delays_nobody() {
        assert_eq!(sizes(&tables(&[wish("a", &["z"]), wish("b", &["y"])], |_, _| 0, nobody)), [2]);
    }

    #[test]
    fn four_friends_and_a_fifth_leave_nobody_alone() {
        let waiting = [wish("a", &["b", "c", "d"]), wish("b", &[]), wish("c", &[]), wish("d", &[]), wish("e", &[])];
        assert_eq!(sizes(&tables(&waiting, |_, _| 0, nobody)), [2, 3]);
    }

    #[test]
    fn friends_of_whom_one_has_blocked_another_are_no_party() {
        let mut waiting = strangers(6);
        waiting[0].with = vec!["001".into(), "002".into()];
        let apart = |a: &str, b: &str| (a.min(b), a.max(b)) == ("001", "002");
        let tables = tables(&waiting, |_, _| 0, apart);
        assert!(!together(&tables, "001", "002"), "{tables:?}");
        assert_eq!(tables.iter().flatten().count(), 6);
    }

    #[test]
    fn somebody_with_whom_nobody_may_sit_goes_on_waiting() {
        let apart = |a: &str, b: &str| a != b && (a == "000" || b == "000");
        for count in 2..12 {
            let tables = tables(&strangers(count), |_, _| 0, apart);
            assert!(!tables.iter().flatten().any(|key| key == "000"), "{tables:?}");
            assert!(tables.iter().all(|table| table.len() > 1), "{tables:?}");
            assert_eq!(tables.iter().flatten().count(), if count == 2 { 0 } else { count - 1 });
        }
    }

    proptest! {
        #[test]
        fn people_who_have_blocked_each_other_never_sit_together(
            count in 0usize..20,
            blocks in proptest::collection::vec((0usize..20, 0usize..20), 0..30),
            friends in proptest::collection::vec((0usize..20, 0usize..20), 0..12),
        ) {
            let mut waiting = strangers(count);
            for (a, b) in friends.into_iter().filter(|(a, b)| a != b && *a < count && *b < count) {
                waiting[a].with.push(format!("{b:03}"));
            }
            let name = |n: usize| format!("{n:03}");
            let apart = |a: &str, b: &str| {
                blocks.iter().any(|(x, y)| x != y && [(name(*x), name(*y)), (name(*y), name(*x))].contains(&(a.into(), b.into())))
            };
            let tables = tables(&waiting, |_, _| 0, apart);
            for table in &tables {
                prop_assert!((2..=MOST).contains(&table.len()), "{tables:?}");
                prop_assert!(!are_apart(table, table, apart), "{tables:?}");
            }
        }

        #[test]
        fn everybody_gets_a_table_of_two_to_four(
            friends in prop::collection::vec(prop::collection::vec(0usize..24, 0..3), 2..24),
            met in prop::collection::vec(0u64..1_000, 64),
        ) {
            let waiting: Vec<Wish> = friends
                .iter()
                .enumerate()
                .map(|(n, with)| Wish {
                    key: format!("{n:03}"),
                    with: with.iter().map(|friend| format!("{friend:03}")).collect(),
                })
                .collect();
            let weight = |a: &str, b: &str| {
                let (a, b): (usize, usize) = (a.parse().unwrap(), b.parse().unwrap());
                met[(a.min(b) * 7 + a.max(b)) % met.len()]
            };
            let tables = tables(&waiting, weight, nobody);
            prop_assert!(tables.iter().all(|table| (2..=MOST).contains(&table.len())), "{:?}", sizes(&tables));
            let seated: BTreeSet<&Key> = tables.iter().flatten().collect();
            prop_assert_eq!(seated.len(), waiting.len());
            prop_assert_eq!(tables.iter().flatten().count(), waiting.len(), "nobody sits twice");
        }

        #[test]
        fn a_party_of_up_to_three_is_never_split(size in 2usize..=3, others in 0usize..12) {
            let mut waiting = strangers(size + others);
            waiting[0].with = (1..size).map(|n| format!("{n:03}")).collect();
            let tables = tables(&waiting, |_, _| 0, nobody);
            for friend in 1..size {
                prop_assert!(together(&tables, "000", &format!("{friend:03}")), "{tables:?}");
            }
        }
    }
}
