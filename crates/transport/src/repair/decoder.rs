//! The decoder: incremental Gaussian elimination.

use super::field::{add_scaled, coefficient, inverse, mul};
use super::{HEADER, SPAN, Source};
use std::collections::{BTreeMap, VecDeque};

/// Source packets and equations are kept up to this distance behind the newest packet, in sequence numbers.
const MAX_DISTANCE: u64 = 400;
/// Most equations kept. When full, the oldest is dropped.
const MAX_EQUATIONS: usize = 48;
/// Longest accepted combination in bytes. A longer one does not fit into a datagram.
const MAX_COMBINATION: usize = 1_500;

/// A linear combination of missing packets.
#[derive(Debug, Clone)]
struct Equation {
    /// Coefficients by extended sequence number. Not empty, and no coefficient is 0.
    coefficients: BTreeMap<u64, u8>,
    combination: Vec<u8>,
}

/// Restores lost packets of one stream.
///
/// The equations are in reduced row echelon form: the first missing packet of each, its pivot, has the coefficient 1 and
/// occurs in no other equation. A packet costs at most two passes over all equations, which is 150 KB of additions,
/// regardless of what the remote end sends.
#[derive(Debug, Default)]
pub(crate) struct RepairDecoder {
    sources: BTreeMap<u64, Source>,
    equations: VecDeque<Equation>,
    newest: u64,
}

impl RepairDecoder {
    /// Adds a received media packet. Returns the packets that it restores.
    pub(crate) fn source(&mut self, number: u64, source: Source) -> Vec<(u64, Source)> {
        self.add_source(number, source);
        self.restore()
    }

    /// Adds a received repair packet. `extend` extends sequence numbers. Returns the packets that it restores.
    pub(crate) fn repair(&mut self, payload: &[u8], extend: impl Fn(u16) -> u64) -> Vec<(u64, Source)> {
        let Some((header, combination)) = payload.split_first_chunk::<HEADER>() else { return Vec::new() };
        let [a, b, count, s0, s1, _] = *header;
        let (first, seed) = (extend(u16::from_be_bytes([a, b])), u16::from_be_bytes([s0, s1]));
        let last = first + u64::from(count);
        let is_near = first + MAX_DISTANCE >= self.newest && last <= self.newest + MAX_DISTANCE;
        if usize::from(count) > SPAN || combination.len() > MAX_COMBINATION || self.newest == 0 || !is_near {
            return Vec::new();
        }
        let mut equation = Equation { coefficients: BTreeMap::new(), combination: combination.to_vec() };
        for (index, number) in (first..last).enumerate() {
            let coefficient = coefficient(seed, index);
            match self.sources.get(&number) {
                Some(source) => source.add_to(&mut equation.combination, coefficient),
                None => drop(equation.coefficients.insert(number, coefficient)),
            }
        }
        self.insert(equation);
        self.restore()
    }

    /// Stores a source packet, and removes it from the equations.
    fn add_source(&mut self, number: u64, source: Source) {
        self.newest = self.newest.max(number);
        let oldest = self.newest.saturating_sub(MAX_DISTANCE);
        while self.sources.first_key_value().is_some_and(|(known, _)| *known < oldest) {
            self.sources.pop_first();
        }
        self.equations.retain(|e| e.pivot().is_some_and(|pivot| pivot >= oldest));
        let mut changed_pivot = None;
        for (index, equation) in self.equations.iter_mut().enumerate() {
            let was_pivot = equation.pivot() == Some(number);
            let Some(coefficient) = equation.coefficients.remove(&number) else { continue };
            source.add_to(&mut equation.combination, coefficient);
            if was_pivot {
                changed_pivot = Some(index); // at most one: a pivot is in no other equation
            }
        }
        if let Some(equation) = changed_pivot.and_then(|index| self.equations.remove(index)) {
            self.insert(equation);
        }
        self.sources.insert(number, source);
    }

    /// Adds an equation, and restores the echelon form. A linearly dependent one is dropped.
    fn insert(&mut self, mut equation: Equation) {
        for known in &self.equations {
            let coefficient = known.pivot().and_then(|pivot| equation.coefficients.get(&pivot).copied());
            if let Some(coefficient) = coefficient {
                equation.subtract(coefficient, known);
            }
        }
        let Some((&pivot, &leading)) = equation.coefficients.first_key_value() else { return };
        equation.scale(inverse(leading));
        for other in &mut self.equations {
            if let Some(coefficient) = other.coefficients.get(&pivot).copied() {
                other.subtract(coefficient, &equation);
            }
        }
        if self.equations.len() == MAX_EQUATIONS {
            self.equations.pop_front();
        }
        self.equations.push_back(equation);
    }

    /// Removes the equations that are solved, and returns their packets.
    fn restore(&mut self) -> Vec<(u64, Source)> {
        let mut restored = Vec::new();
        while let Some(index) = self.equations.iter().position(|e| e.coefficients.len() == 1) {
            let Some(equation) = self.equations.remove(index) else { break };
            // Only an invalid repair packet results in an invalid source packet, which is dropped.
            if let Some((number, source)) = equation.pivot().zip(Source::from_combination(&equation.combination)) {
                self.sources.insert(number, source.clone());
                restored.push((number, source));
            }
        }
        restored
    }
}

impl Equation {
    fn pivot(&self) -> Option<u64> {
        self.coefficients.first_key_value().map(|(number, _)| *number)
    }

    fn scale(&mut self, by: u8) {
        self.coefficients.values_mut().for_each(|coefficient| *coefficient = mul(*coefficient, by));
        self.combination.iter_mut().for_each(|byte| *byte = mul(*byte, by));
    }

    /// Subtracts `times` × `other`. In GF(2^8), subtraction is addition.
    fn subtract(&mut self, times: u8, other: &Equation) {
        for (number, coefficient) in &other.coefficients {
            let sum = self.coefficients.get(number).copied().unwrap_or(0) ^ mul(times, *coefficient);
            if sum == 0 {
                self.coefficients.remove(number);
            } else {
                self.coefficients.insert(*number, sum);
            }
        }
        if self.combination.len() < other.combination.len() {
            self.combination.resize(other.combination.len(), 0);
        }
        add_scaled(&mut self.combination, times, &other.combination);
    }
}

/// The number after the last source packet that the last repair packet of a frame covers. `None` for other repair packets.
/// Packets before it that are still missing must be requested.
pub(crate) fn covered_until(payload: &[u8], extend: impl Fn(u16) -> u64) -> Option<u64> {
    let (&[a, b, count, _, _, remaining], _) = payload.split_first_chunk::<HEADER>()?;
    (remaining == 0).then(|| extend(u16::from_be_bytes([a, b])) + u64::from(count))
}
