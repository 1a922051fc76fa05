//! How often which value was met.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Up to so many values are looked through one by one.
const FEW: usize = 16;

/// Values and their weights; most groups have few.
#[derive(Debug, Clone)]
pub(super) enum Tally {
    Few(Vec<(i64, i64)>),
    Many(HashMap<i64, i64, BuildHasherDefault<Spread>>),
}

impl Default for Tally {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Tally {
    pub(super) fn add(&mut self, value: i64, weight: i64) {
        match self {
            Self::Few(list) => {
                if let Some((_, sum)) = list.iter_mut().find(|(there, _)| *there == value) {
                    *sum = sum.saturating_add(weight);
                } else if list.len() < FEW {
                    list.push((value, weight));
                } else {
                    let mut map: HashMap<_, _, _> = std::mem::take(list).into_iter().collect();
                    map.insert(value, weight);
                    *self = Self::Many(map);
                }
            }
            Self::Many(map) => {
                let sum = map.entry(value).or_default();
                *sum = sum.saturating_add(weight);
            }
        }
    }

    /// Adds all of another.
    pub(super) fn merge(&mut self, other: &Self) {
        match other {
            Self::Few(list) => list.iter().for_each(|(value, sum)| self.add(*value, *sum)),
            Self::Many(map) => map.iter().for_each(|(value, sum)| self.add(*value, *sum)),
        }
    }

    /// How many different values.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(list) => list.len(),
            Self::Many(map) => map.len(),
        }
    }

    /// The most frequent value; of equals the one with the least number.
    pub(super) fn top(&self) -> Option<i64> {
        let rank = |(value, sum): &(i64, i64)| (*sum, Reverse(*value));
        let most = match self {
            Self::Few(list) => list.iter().copied().max_by_key(rank),
            Self::Many(map) => map
                .iter()
                .map(|(value, sum)| (*value, *sum))
                .max_by_key(rank),
        };
        most.map(|(value, _)| value)
    }

    /// The values, the most frequent first.
    pub(super) fn ordered(&self) -> Vec<i64> {
        let mut all: Vec<(i64, i64)> = match self {
            Self::Few(list) => list.clone(),
            Self::Many(map) => map.iter().map(|(value, sum)| (*value, *sum)).collect(),
        };
        all.sort_unstable_by_key(|(value, sum)| (Reverse(*sum), *value));
        all.into_iter().map(|(value, _)| value).collect()
    }
}

/// Hashes numbers that count up from zero, which no stranger can choose.
#[derive(Debug, Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_i64(i64::from(*byte));
        }
    }

    fn write_i64(&mut self, number: i64) {
        let spread = (self.0 ^ number.cast_unsigned()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = spread ^ (spread >> 32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_count_alike() {
        for values in [3, 16, 17, 1000] {
            let mut tally = Tally::default();
            let mut twice = Tally::default();
            for value in (0..values).chain(0..values) {
                tally.add(value, value);
                twice.merge(&{
                    let mut one = Tally::default();
                    one.add(value, value);
                    one
                });
            }
            tally.add(1, 10_000);
            twice.add(1, 10_000);
            for tally in [tally, twice] {
                assert_eq!(tally.len(), usize::try_from(values).unwrap());
                assert_eq!(tally.top(), Some(1));
                let ordered = tally.ordered();
                assert_eq!(ordered[..2], [1, values - 1]);
                assert_eq!(*ordered.last().unwrap(), 0);
            }
        }
        assert_eq!(Tally::default().top(), None);
    }

    #[test]
    fn of_equals_the_least_number_is_the_most_frequent() {
        let mut tally = Tally::default();
        for value in [7, 3, 5] {
            tally.add(value, 1);
        }
        assert_eq!((tally.top(), tally.ordered()), (Some(3), vec![3, 5, 7]));
    }
}
