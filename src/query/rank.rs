//! Which sources an answer shows, found before anything else of them is added up.
//!
//! Ten million records come from millions of sources, of which an answer shows twenty. So a first
//! pass adds up of each source what decides the order and nothing else, and the second pass, which
//! counts all the rest, is about those that are shown. Where there are more sources than may stand in
//! memory, the first pass is about a part of them, by their hash, and is made again for the others.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;

use super::Sort;

/// Into how many parts the sources are divided, so that adding one up touches memory that is in a
/// core's cache.
const PARTS: usize = 256;
/// Candidates, beyond those that are shown, that are held until they are thinned out.
const SPARE: usize = 4096;

/// What decides the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Messages,
    Failing,
    Source,
}

/// What a source, or all of them, come to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    pub(super) messages: i64,
    /// Of the messages.
    pub(super) failing: i64,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.messages = self.messages.saturating_add(other.messages);
        self.failing = self.failing.saturating_add(other.failing);
    }
}

/// Facts that wait to be added up: eight bytes for nearly every one.
#[derive(Default)]
struct Part {
    /// Address, whether they fail, and number of messages, of IPv4.
    packed: Vec<u64>,
    /// All others.
    wide: Vec<(u128, Sums)>,
}

/// Of a packed fact: the messages fail. What is below is their number, what is above the address.
const FAILING: u64 = 1 << 31;

impl Part {
    /// Says how many packed facts it takes the place of.
    fn push(&mut self, source: u128, sums: Sums) -> usize {
        if let Some(fact) = packed(source, sums) {
            self.packed.push(fact);
            1
        } else {
            self.wide.push((source, sums));
            4
        }
    }

    fn facts(&self) -> impl Iterator<Item = (u128, Sums)> + '_ {
        let packed = self.packed.iter().map(|fact| unpacked(*fact));
        packed.chain(self.wide.iter().copied())
    }

    fn clear(&mut self) {
        self.packed.clear();
        self.wide.clear();
    }
}

/// The numbers of IPv4-mapped addresses begin with this.
const MAPPED: u128 = 0xffff_0000_0000;

fn packed(source: u128, sums: Sums) -> Option<u64> {
    let address = u32::try_from(source ^ MAPPED).ok()?;
    let messages = u64::try_from(sums.messages)
        .ok()
        .filter(|messages| *messages < FAILING)?;
    let failing = match sums.failing {
        0 => 0,
        failing if failing == sums.messages => FAILING,
        _ => return None,
    };
    Some(u64::from(address) << 32 | failing | messages)
}

fn unpacked(fact: u64) -> (u128, Sums) {
    let messages = i64::try_from(fact & (FAILING - 1)).unwrap_or(0);
    let failing = if fact & FAILING == 0 { 0 } else { messages };
    (MAPPED | u128::from(fact >> 32), Sums { messages, failing })
}

/// Sources on their way to be ranked.
pub(super) struct Ranking {
    order: Vec<(By, bool)>,
    only_failing: bool,
    seed: Seed,
    /// How many packed facts may stand in memory: many times the eight that a source may take.
    most: usize,
    /// Which places of sources this pass is about; see [`place`].
    places: Range<u64>,
    parts: Vec<Part>,
    /// How many packed facts the parts take the place of.
    held: usize,
    /// Where a part is added up.
    sums: HashMap<u128, Sums, Seed>,
    /// Candidates of the passes so far.
    first: Vec<(u128, Sums)>,
    /// One that is not among the first; nor is what comes after it.
    bar: Option<(u128, Sums)>,
    all: Sums,
    count: u64,
}

/// Where a source stands among all: bits of its hash of which neither the parts nor their maps make
/// use.
const fn place(hash: u64) -> u64 {
    hash >> 16 & (PLACES - 1)
}

const PLACES: u64 = 1 << 32;

/// The sources that are shown.
pub(super) struct Chosen {
    sources: HashSet<IpAddr>,
    /// False where no source is that folds to this.
    sieve: Vec<bool>,
    /// How many there are beside them.
    pub(super) others: u64,
    /// What all sources of the answer come to, shown or not.
    pub(super) all: Sums,
}

impl Ranking {
    /// A ranking by these columns; `None` where one of them is not known before all is counted.
    /// `only_failing`: sources without failing messages are in no answer. `most`: how many packed facts
    /// may stand in memory.
    pub(super) fn by(
        order: &[Sort],
        source: &str,
        only_failing: bool,
        most: usize,
    ) -> Option<Self> {
        let order = order.iter().map(|sort| {
            let by = match sort.column.as_str() {
                "messages" => By::Messages,
                "failing" => By::Failing,
                column if column == source => By::Source,
                _ => return None,
            };
            Some((by, sort.descending))
        });
        let seed = Seed::random();
        Some(Self {
            order: order.collect::<Option<_>>()?,
            only_failing,
            seed,
            most,
            places: 0..PLACES,
            parts: (0..PARTS).map(|_| Part::default()).collect(),
            held: 0,
            sums: HashMap::with_hasher(seed),
            first: Vec::new(),
            bar: None,
            all: Sums::default(),
            count: 0,
        })
    }

    /// Adds a fact to its source.
    pub(super) fn add(&mut self, source: IpAddr, sums: Sums) {
        let source = number(source);
        let hash = self.seed.hash(source);
        if !self.places.contains(&place(hash)) {
            return;
        }
        let part = usize::try_from(hash >> 48).unwrap_or(0) % PARTS;
        if let Some(part) = self.parts.get_mut(part) {
            self.held += part.push(source, sums);
            if self.held > self.most {
                self.make_room();
            }
        }
    }

    /// Makes one fact, or two, of all facts of a source. Where that is not enough, it leaves half of the
    /// places that are left to a later pass.
    fn make_room(&mut self) {
        loop {
            let (seed, places) = (self.seed, self.places.clone());
            self.held = 0;
            for part in &mut self.parts {
                add_up(part, &mut self.sums);
                part.clear();
                for (source, sums) in self.sums.drain() {
                    if !places.contains(&place(seed.hash(source))) {
                        continue;
                    }
                    let failing = sums.failing;
                    let passing = sums.messages.saturating_sub(failing);
                    if passing > 0 || failing == 0 {
                        let sums = Sums {
                            messages: passing,
                            failing: 0,
                        };
                        self.held += part.push(source, sums);
                    }
                    if failing > 0 {
                        let sums = Sums {
                            messages: failing,
                            failing,
                        };
                        self.held += part.push(source, sums);
                    }
                }
            }
            if self.held <= self.most / 2 || self.places.end - self.places.start < 2 {
                break;
            }
            self.places.end = self.places.start + (self.places.end - self.places.start) / 2;
        }
    }

    /// Ends a pass. False where the facts have to be added once more, all of them, because there are
    /// sources that it was not about.
    pub(super) fn is_complete(&mut self, most: usize) -> bool {
        let Self {
            order,
            only_failing,
            parts,
            sums: added_up,
            first,
            bar,
            all,
            count,
            ..
        } = self;
        for part in parts {
            add_up(part, added_up);
            part.clear();
            for (source, sums) in added_up.drain() {
                if *only_failing && sums.failing == 0 {
                    continue;
                }
                *count += 1;
                all.add(&sums);
                let candidate = (source, sums);
                if bar.is_some_and(|bar| compare(order, &candidate, &bar).is_gt()) {
                    continue;
                }
                first.push(candidate);
                if first.len() >= most.saturating_add(SPARE) {
                    *bar = thin(first, most, |a, b| compare(order, a, b));
                }
            }
        }
        self.held = 0;
        let width = self.places.end - self.places.start;
        self.places = self.places.end..self.places.end.saturating_add(width).min(PLACES);
        self.places.is_empty()
    }

    /// The first so many.
    pub(super) fn choose(self, most: usize) -> Chosen {
        let Self {
            order,
            mut first,
            all,
            count,
            ..
        } = self;
        thin(&mut first, most, |a, b| compare(&order, a, b));
        let sources: HashSet<IpAddr> = first
            .into_iter()
            .map(|(number, _)| source(number))
            .collect();
        let mut sieve = vec![false; SIEVE];
        for source in &sources {
            if let Some(slot) = sieve.get_mut(fold(*source)) {
                *slot = true;
            }
        }
        Chosen {
            others: count - sources.len() as u64,
            sources,
            sieve,
            all,
        }
    }
}

fn add_up(part: &Part, sums: &mut HashMap<u128, Sums, Seed>) {
    for (source, fact) in part.facts() {
        sums.entry(source).or_default().add(&fact);
    }
}

/// Keeps the first so many; gives the one that came next.
fn thin<T: Copy>(
    list: &mut Vec<T>,
    most: usize,
    before: impl FnMut(&T, &T) -> Ordering,
) -> Option<T> {
    if list.len() <= most {
        return None;
    }
    let (_, next, _) = list.select_nth_unstable_by(most, before);
    let next = *next;
    list.truncate(most);
    Some(next)
}

fn compare(order: &[(By, bool)], a: &(u128, Sums), b: &(u128, Sums)) -> Ordering {
    let each = order.iter().map(|(by, descending)| {
        let order = match by {
            By::Messages => a.1.messages.cmp(&b.1.messages),
            By::Failing => a.1.failing.cmp(&b.1.failing),
            By::Source => source(a.0).cmp(&source(b.0)),
        };
        if *descending { order.reverse() } else { order }
    });
    each.fold(Ordering::Equal, Ordering::then)
}

impl Chosen {
    /// True where the source is shown.
    pub(super) fn has(&self, source: IpAddr) -> bool {
        self.sieve.get(fold(source)).copied().unwrap_or(true) && self.sources.contains(&source)
    }
}

const SIEVE: usize = 1 << 12;

fn fold(source: IpAddr) -> usize {
    let spread = u64::try_from(number(source) & u128::from(u64::MAX))
        .unwrap_or(0)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(spread >> 52).unwrap_or(0)
}

/// A source as a number. IPv4-mapped IPv6 addresses are stored as IPv4, so none is there twice.
fn number(source: IpAddr) -> u128 {
    match source {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

fn source(number: u128) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits(number)).to_canonical()
}

/// Hashes sources, which strangers choose: seeded, so that they cannot choose those that collide.
/// The hash of the standard library takes half the time of the first pass.
#[derive(Debug, Clone, Copy, Default)]
struct Seed(u64, u64);

impl Seed {
    fn random() -> Self {
        let random = RandomState::new();
        Self(random.hash_one(0), random.hash_one(1))
    }

    fn hash(self, number: u128) -> u64 {
        let halves = |number: u128| {
            let low = u64::try_from(number & u128::from(u64::MAX)).unwrap_or(0);
            (u64::try_from(number >> 64).unwrap_or(0), low)
        };
        let (high, low) = halves(number);
        let (a, b) = halves(u128::from(high ^ self.0) * u128::from(low ^ self.1));
        let (a, b) = halves(u128::from(a ^ b ^ self.0) * 0x9e37_79b9_7f4a_7c15);
        a ^ b
    }
}

impl BuildHasher for Seed {
    type Hasher = Seeded;

    fn build_hasher(&self) -> Seeded {
        Seeded {
            seed: *self,
            hash: 0,
        }
    }
}

/// One number on its way to its hash.
struct Seeded {
    seed: Seed,
    hash: u64,
}

impl Hasher for Seeded {
    fn finish(&self) -> u64 {
        self.hash
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u128(u128::from(*byte));
        }
    }

    fn write_u128(&mut self, number: u128) {
        self.hash = self.seed.hash(number ^ u128::from(self.hash));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(columns: &[(&str, bool)]) -> Vec<Sort> {
        let sort = |(column, descending): &(&str, bool)| Sort {
            column: (*column).to_owned(),
            descending: *descending,
        };
        columns.iter().map(sort).collect()
    }

    proptest::proptest! {
        #[test]
        fn the_first_are_those_that_sorting_all_puts_first(
            facts in proptest::collection::vec((0..60_u8, proptest::bool::ANY, 0..4_i64, 0..3_i64), 0..300),
            most in 0..20_usize,
            only_failing in proptest::bool::ANY,
            descending in proptest::bool::ANY,
            at_once in 64..500_usize,
        ) {
            let order = order(&[("failing", descending), ("messages", true), ("ip", false)]);
            let mut ranking = Ranking::by(&order, "ip", only_failing, at_once).unwrap();
            let mut naive: HashMap<IpAddr, (i64, i64)> = HashMap::new();
            let mut sent = Vec::new();
            for (host, is_v6, messages, failing) in facts {
                let failing = failing.min(messages);
                let ip: IpAddr = if is_v6 {
                    Ipv6Addr::from([0, 0, 0, 0, 0, 0, 0, host.into()]).into()
                } else {
                    [0, 0, 0, host].into()
                };
                let sums = naive.entry(ip).or_default();
                *sums = (sums.0 + messages, sums.1 + failing);
                sent.push((ip, Sums { messages, failing }));
            }
            loop {
                for (ip, sums) in &sent {
                    ranking.add(*ip, *sums);
                }
                if ranking.is_complete(most) {
                    break;
                }
            }
            let mut naive: Vec<_> = naive.into_iter().collect();
            naive.retain(|(_, (_, failing))| !only_failing || *failing > 0);
            naive.sort_by(|(a, a_sums), (b, b_sums)| {
                let failing = a_sums.1.cmp(&b_sums.1);
                let failing = if descending { failing.reverse() } else { failing };
                failing.then(b_sums.0.cmp(&a_sums.0)).then(a.cmp(b))
            });
            let chosen = ranking.choose(most);
            proptest::prop_assert_eq!(chosen.all.messages, naive.iter().map(|(_, sums)| sums.0).sum::<i64>());
            proptest::prop_assert_eq!(chosen.others, naive.len().saturating_sub(most) as u64);
            for (n, (ip, _)) in naive.iter().enumerate() {
                proptest::prop_assert_eq!(chosen.has(*ip), n < most);
            }
        }
    }

    #[test]
    fn what_is_not_known_beforehand_is_not_ranked_by() {
        assert!(Ranking::by(&order(&[("reporters", true)]), "ip", false, 9).is_none());
    }
}
