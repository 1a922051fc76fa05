//! What is counted of records, packed: a summary reads ten million records from a hundred megabytes
//! in the time in which SQLite would hand out a twentieth of them row by row.
//!
//! A pack is a run of records, each a byte of flags and what the flags say follows. Texts are numbers
//! that whoever packs has for them. Nothing else of a record is here: no results, no reasons.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is counted of a record. Words are the numbers that they have in the vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed {
    /// The source.
    pub source_ip: IpAddr,
    /// Number of messages.
    pub count: u64,
    /// The words.
    pub verdict: Verdict,
}

/// The numbers of the texts of a record: header From, envelope from, envelope to.
pub type Texts = [Option<u64>; 3];

/// The words of a record: what the receiver did, and what it found aligned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Verdict {
    /// Disposition.
    pub disposition: Option<u8>,
    /// DKIM as evaluated.
    pub dkim: Option<u8>,
    /// SPF as evaluated.
    pub spf: Option<u8>,
}

const IS_V6: u8 = 1;
const IS_ONE: u8 = 1 << 1;
const SAME_VERDICT: u8 = 1 << 2;
/// The first of three flags, one for each text.
const SAME_TEXT: u8 = 1 << 3;

impl Verdict {
    /// Three bits, two, two; zero is absent. No vocabulary has more words than that.
    fn byte(self) -> u8 {
        let code =
            |word: Option<u8>, most: u8| word.map_or(0, |word| word.saturating_add(1).min(most));
        code(self.disposition, 7) << 4 | code(self.dkim, 3) << 2 | code(self.spf, 3)
    }

    fn of(byte: u8) -> Self {
        Self {
            disposition: (byte >> 4 & 7).checked_sub(1),
            dkim: (byte >> 2 & 3).checked_sub(1),
            spf: (byte & 3).checked_sub(1),
        }
    }
}

/// Packs records.
#[derive(Debug, Default)]
pub struct Packer {
    bytes: Vec<u8>,
    records: usize,
    verdict: u8,
    texts: Texts,
}

impl Packer {
    /// Adds a record.
    pub fn push(&mut self, record: &Packed, texts: Texts) {
        let mut flags = 0;
        let verdict = record.verdict.byte();
        if record.source_ip.is_ipv6() {
            flags |= IS_V6;
        }
        if record.count == 1 {
            flags |= IS_ONE;
        }
        if verdict == self.verdict {
            flags |= SAME_VERDICT;
        }
        for (n, (text, last)) in texts.iter().zip(&self.texts).enumerate() {
            if text == last {
                flags |= SAME_TEXT << n;
            }
        }
        self.bytes.push(flags);
        match record.source_ip {
            IpAddr::V4(ip) => self.bytes.extend_from_slice(&ip.octets()),
            IpAddr::V6(ip) => self.bytes.extend_from_slice(&ip.octets()),
        }
        if verdict != self.verdict {
            self.bytes.push(verdict);
            self.verdict = verdict;
        }
        if record.count != 1 {
            self.varint(record.count);
        }
        for (n, text) in texts.into_iter().enumerate() {
            if flags & SAME_TEXT << n == 0 {
                self.varint(text.map_or(0, |text| text.saturating_add(1)));
            }
        }
        self.texts = texts;
        self.records += 1;
    }

    /// Seven bits a byte, the lowest first; the eighth says that more follow.
    fn varint(&mut self, mut number: u64) {
        while let Some(byte) = u8::try_from(number & 0x7f).ok().filter(|_| number > 0x7f) {
            self.bytes.push(byte | 0x80);
            number >>= 7;
        }
        self.bytes.push(u8::try_from(number).unwrap_or(0));
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.records
    }

    /// True where there are none.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// The pack.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Begins the next pack.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.records = 0;
        self.verdict = 0;
        self.texts = [None; 3];
    }
}

/// The records of a pack, in order. Ends where the bytes make none.
#[derive(Debug, Clone)]
pub struct Unpacker<'b> {
    bytes: &'b [u8],
    verdict: Verdict,
    texts: Texts,
}

/// Reads a pack.
pub fn unpack(bytes: &[u8]) -> Unpacker<'_> {
    Unpacker {
        bytes,
        verdict: Verdict::default(),
        texts: [None; 3],
    }
}

impl Unpacker<'_> {
    /// The texts of the record that came last.
    pub const fn texts(&self) -> &Texts {
        &self.texts
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(*taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.take()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

impl Iterator for Unpacker<'_> {
    type Item = Packed;

    #[inline]
    fn next(&mut self) -> Option<Packed> {
        let [flags] = self.take()?;
        let source_ip = if flags & IS_V6 == 0 {
            IpAddr::V4(Ipv4Addr::from(self.take::<4>()?))
        } else {
            IpAddr::V6(Ipv6Addr::from(self.take::<16>()?))
        };
        if flags & SAME_VERDICT == 0 {
            let [byte] = self.take()?;
            self.verdict = Verdict::of(byte);
        }
        let count = if flags & IS_ONE == 0 {
            self.varint()?
        } else {
            1
        };
        let same = SAME_TEXT | SAME_TEXT << 1 | SAME_TEXT << 2;
        if flags & same != same {
            for n in 0..3 {
                if flags & SAME_TEXT << n == 0 {
                    let number = self.varint()?;
                    if let Some(text) = self.texts.get_mut(n) {
                        *text = number.checked_sub(1);
                    }
                }
            }
        }
        Some(Packed {
            source_ip,
            count,
            verdict: self.verdict,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record() -> impl Strategy<Value = (Packed, Texts)> {
        let text = || prop::option::of(prop_oneof![0..4_u64, 0..u64::MAX]);
        let word = |most: u8| prop::option::of(0..most);
        (
            any::<IpAddr>(),
            prop_oneof![Just(1_u64), 0..300_u64, any::<u64>()],
            (word(5), word(3), word(3)),
            [text(), text(), text()],
        )
            .prop_map(|(source_ip, count, (disposition, dkim, spf), texts)| {
                let verdict = Verdict {
                    disposition,
                    dkim,
                    spf,
                };
                let record = Packed {
                    source_ip,
                    count,
                    verdict,
                };
                (record, texts)
            })
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_out(
            first in prop::collection::vec(record(), 0..20),
            second in prop::collection::vec(record(), 0..20),
        ) {
            let mut packer = Packer::default();
            for records in [first, second] {
                packer.clear();
                for (record, texts) in &records {
                    packer.push(record, *texts);
                }
                prop_assert_eq!(packer.len(), records.len());
                let mut unpacker = unpack(packer.bytes());
                for (record, texts) in &records {
                    prop_assert_eq!(unpacker.next(), Some(*record));
                    prop_assert_eq!(unpacker.texts(), texts);
                }
                prop_assert_eq!(unpacker.next(), None);
            }
        }

        #[test]
        fn any_bytes_come_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(unpack(&bytes).count() <= bytes.len());
        }
    }

    #[test]
    fn the_words_of_the_vocabulary_fit() {
        use crate::report::vocabulary::{Disposition, Evaluated};
        assert!((Disposition::Other as u8) < 7 && (Evaluated::Other as u8) < 3);
    }

    #[test]
    fn a_usual_record_takes_few_bytes() {
        let mut packer = Packer::default();
        for host in 0..100 {
            let verdict = Verdict {
                disposition: Some(0),
                dkim: Some(0),
                spf: Some(1),
            };
            let record = Packed {
                source_ip: IpAddr::from([192, 0, 2, host]),
                count: 3,
                verdict,
            };
            packer.push(&record, [Some(12), None, None]);
        }
        assert_eq!(packer.bytes().len(), 100 * 6 + 2);
    }
}
