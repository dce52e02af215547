//! Local search for groups of low cost: swaps of two people while that helps, and small random changes between.

use fastrand::Rng;

use super::MOST;
use super::costs::{APART, TOO_SOON};

/// Random changes that are tried while people would meet too soon.
const KICKS: usize = 60;
/// Those that are tried for the rules after that.
const LIGHT_KICKS: usize = 6;
/// Swaps in one random change.
const KICK_SWAPS: usize = 4;

/// People in groups. A person is a place from 0, and so is a group.
pub(super) struct Search {
    people: usize,
    /// The cost of each pair, in rows.
    costs: Vec<u64>,
    groups: Vec<Vec<usize>>,
    group_of: Vec<usize>,
    /// Somebody who signed up alone.
    alone: Vec<usize>,
}

impl Search {
    /// Seats people in groups of these sizes, each where they cost least.
    pub(super) fn new(people: usize, sizes: &[usize], cost: impl Fn(usize, usize) -> u64) -> Search {
        let mut costs = vec![0; people * people];
        for a in 0..people {
            for b in 0..a {
                let cost = cost(a, b);
                (costs[a * people + b], costs[b * people + a]) = (cost, cost);
            }
        }
        let groups = vec![Vec::with_capacity(MOST); sizes.len()];
        let mut search = Search { people, costs, groups, group_of: vec![0; people], alone: Vec::new() };
        for person in 0..people {
            let open = (0..sizes.len()).filter(|group| search.groups[*group].len() < sizes[*group]);
            match open.min_by_key(|group| (search.with(person, &search.groups[*group]), search.groups[*group].len())) {
                Some(group) => search.put(person, group),
                None => search.alone.push(person),
            }
        }
        search
    }

    /// Lowers the cost.
    pub(super) fn improve(&mut self, random: &mut Rng) {
        self.descend();
        let mut best = self.cost();
        let mut kicks = 0;
        while self.groups.len() > 1
            && best > 0
            && kicks < if best >= u128::from(TOO_SOON) { KICKS } else { LIGHT_KICKS }
        {
            kicks += 1;
            let before = (self.groups.clone(), self.group_of.clone());
            for _ in 0..KICK_SWAPS {
                self.swap(random.usize(..self.people), random.usize(..self.people));
            }
            self.descend();
            let cost = self.cost();
            if cost <= best {
                best = cost;
            } else {
                (self.groups, self.group_of) = before;
            }
        }
    }

    /// Returns the groups without anybody beside somebody whom they have blocked, and who has no group then.
    pub(super) fn settle(mut self) -> (Vec<Vec<usize>>, Vec<usize>) {
        let mut without = std::mem::take(&mut self.alone);
        for group in 0..self.groups.len() {
            while let Some(person) = self.most_apart(group) {
                self.groups[group].retain(|other| *other != person);
                without.push(person);
            }
        }
        // Who is left alone in a group looks for another.
        for group in &mut self.groups {
            if group.len() == 1 {
                without.append(group);
            }
        }
        self.groups.retain(|group| !group.is_empty());
        let mut unseated = Vec::new();
        while let Some(person) = without.pop() {
            let fits = |group: &Vec<usize>| group.len() < MOST && self.with(person, group) < APART;
            let best = (0..self.groups.len()).filter(|group| fits(&self.groups[*group]));
            if let Some(group) = best.min_by_key(|group| self.with(person, &self.groups[*group])) {
                self.groups[group].push(person);
            } else if let Some(at) = without.iter().position(|other| self.pair(person, *other) < APART) {
                let other = without.swap_remove(at);
                self.groups.push(vec![person, other]);
            } else if let Some(other) = self.leave_for(person) {
                self.groups.push(vec![person, other]);
            } else {
                unseated.push(person);
            }
        }
        (self.groups, unseated)
    }

    /// Takes somebody who may sit with a person out of a group that is large enough without them.
    fn leave_for(&mut self, person: usize) -> Option<usize> {
        let willing = |group: &Vec<usize>| group.iter().position(|other| self.pair(person, *other) < APART);
        let large = (0..self.groups.len()).filter(|group| self.groups[*group].len() > 2);
        let found = large.filter_map(|group| Some((group, willing(&self.groups[group])?)));
        let (group, at) = found.max_by_key(|(group, _)| self.groups[*group].len())?;
        Some(self.groups[group].swap_remove(at))
    }

    /// The person in a group beside most of whom they may not sit.
    fn most_apart(&self, group: usize) -> Option<usize> {
        let group = &self.groups[group];
        let apart = |person: usize| group.iter().filter(|other| self.pair(person, **other) >= APART).count();
        group.iter().copied().filter(|person| apart(*person) > 0).max_by_key(|person| apart(*person))
    }

    /// Swaps people until no swap of two lowers the cost.
    fn descend(&mut self) {
        let mut improved = true;
        while improved {
            improved = false;
            for a in 0..self.people {
                for b in 0..a {
                    if self.lowers(a, b) {
                        self.swap(a, b);
                        improved = true;
                    }
                }
            }
        }
    }

    /// Whether the cost is lower after these two have swapped their places.
    fn lowers(&self, a: usize, b: usize) -> bool {
        let (of_a, of_b) = (self.group_of[a], self.group_of[b]);
        if of_a == of_b || self.groups.is_empty() {
            return false;
        }
        let (with_a, with_b) = (&self.groups[of_a], &self.groups[of_b]);
        // Each now costs what it has with its own group, and afterwards with the other's, which it has left.
        let now = self.with(a, with_a) + self.with(b, with_b);
        let swapped = self.with(a, with_b) + self.with(b, with_a) - 2 * self.pair(a, b);
        swapped < now
    }

    fn swap(&mut self, a: usize, b: usize) {
        let (of_a, of_b) = (self.group_of[a], self.group_of[b]);
        if of_a == of_b {
            return;
        }
        for (group, gone, new) in [(of_a, a, b), (of_b, b, a)] {
            if let Some(place) = self.groups[group].iter_mut().find(|person| **person == gone) {
                *place = new;
            }
        }
        (self.group_of[a], self.group_of[b]) = (of_b, of_a);
    }

    fn put(&mut self, person: usize, group: usize) {
        self.groups[group].push(person);
        self.group_of[person] = group;
    }

    fn pair(&self, a: usize, b: usize) -> u64 {
        self.costs[a * self.people + b]
    }

    /// The cost of a person with a group, of which they may be.
    fn with(&self, person: usize, group: &[usize]) -> u64 {
        group.iter().map(|other| self.pair(person, *other)).sum()
    }

    /// Of all groups. It is too large for 64 bits if hundreds have blocked each other.
    fn cost(&self) -> u128 {
        let all = self.groups.iter().flat_map(|group| group.iter().map(|person| self.with(*person, group)));
        all.map(u128::from).sum::<u128>() / 2
    }
}
