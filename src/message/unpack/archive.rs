//! zip: which members an archive has and where their data is. The crate `zip` reads the central
//! directory; the data itself is unpacked here like any other, so that the caps hold and everything
//! before a fault is kept.
#![allow(clippy::disallowed_types)] // this is the one place

use std::io::{self, Cursor, Read};

use memchr::memmem;
use zip::{CompressionMethod, ZipArchive};

use super::Stop;
use super::inflate::Inflate;
use super::layer::Notes;
use super::whole::{self, Unpacked};
use crate::message::text::{inert, lossy};

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";
/// Most members that are listed, where the limit is not above it.
const MAX_CENTRAL: usize = 4_096;
/// Longest name that is kept, in characters.
const MAX_NAME: usize = 255;

/// What an archive holds, without its directories.
pub(super) struct Listed<'a> {
    pub(super) members: Vec<Member<'a>>,
    /// What was wrong with the list itself.
    pub(super) problem: Option<String>,
}

/// A member of an archive.
pub(super) struct Member<'a> {
    /// Its name, fit to be shown; its number where it has none.
    pub(super) name: String,
    pub(super) encrypted: bool,
    pub(super) method: Method,
    /// The packed data.
    pub(super) data: &'a [u8],
    /// Whether the archive ends before the data does.
    cut: bool,
    /// Checksum and length, where the archive declares them.
    declared: Option<(u32, u64)>,
}

impl Member<'_> {
    /// All that it holds, where the archive says truly what that is.
    pub(super) fn at_once(&self) -> Option<Unpacked> {
        let (checksum, length) = self.declared?;
        match self.method {
            Method::Deflated if !self.cut => whole::inflate(self.data, length, checksum),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Stored,
    Deflated,
    Other,
}

/// Lists the members of an archive, by its central directory, or by the local headers one after
/// another where that cannot be read or names members alike.
pub(super) fn members(bytes: &[u8], most: usize) -> Result<Listed<'_>, Stop> {
    // The crate reads the whole directory into memory; a real one is nowhere near this.
    let bound = most.max(MAX_CENTRAL);
    let headers = memmem::find_iter(bytes, CENTRAL).take(bound + 1).count();
    if headers > bound {
        return Err(Stop::Cap(format!(
            "archive of more than {bound} members, more than {most} (limits.archive_entries)"
        )));
    }
    match ZipArchive::new(Cursor::new(bytes)) {
        Ok(archive) if !archive.has_duplicate_names() => Ok(Listed {
            members: central(bytes, &archive),
            problem: None,
        }),
        Ok(_) => Ok(Listed {
            members: local(bytes),
            problem: None,
        }),
        Err(error) => {
            let members = local(bytes);
            if members.is_empty() {
                return Err(Stop::Damaged(format!(
                    "zip archive cannot be read: {error}"
                )));
            }
            Ok(Listed {
                members,
                problem: Some(format!(
                    "central directory cannot be read ({error}), members taken as they follow \
                     one another"
                )),
            })
        }
    }
}

fn central<'a>(bytes: &'a [u8], archive: &ZipArchive<Cursor<&[u8]>>) -> Vec<Member<'a>> {
    (0..archive.len())
        .filter_map(|number| Some((number, archive.by_index_data(number).ok()?)))
        .filter(|(_, entry)| !entry.is_dir())
        .map(|(number, entry)| {
            let at = usize::try_from(entry.header_start()).unwrap_or(usize::MAX);
            let data = bytes.get(at..).and_then(Local::read);
            let data = data.map(|local| local.data).unwrap_or_default();
            let packed = usize::try_from(entry.compressed_size()).unwrap_or(usize::MAX);
            Member {
                name: name(entry.name_raw(), number),
                encrypted: entry.encrypted(),
                method: match entry.compression() {
                    CompressionMethod::Stored => Method::Stored,
                    CompressionMethod::Deflated => Method::Deflated,
                    _ => Method::Other,
                },
                data: data.get(..packed).unwrap_or(data),
                cut: data.len() < packed,
                declared: Some((entry.crc32(), entry.size())),
            }
        })
        .collect()
}

fn local(bytes: &[u8]) -> Vec<Member<'_>> {
    let mut members = Vec::new();
    let mut rest = memmem::find(bytes, LOCAL)
        .and_then(|at| bytes.get(at..))
        .unwrap_or_default();
    for number in 0..MAX_CENTRAL {
        let Some(local) = Local::read(rest) else {
            break;
        };
        let packed = match local.sizes {
            Some((packed, _)) => usize::try_from(packed).unwrap_or(usize::MAX),
            None => next_header(local.data),
        };
        if !local.name.ends_with(b"/") {
            members.push(Member {
                name: name(local.name, number),
                encrypted: local.flags & 1 != 0,
                method: match local.method {
                    0 => Method::Stored,
                    8 => Method::Deflated,
                    _ => Method::Other,
                },
                data: local.data.get(..packed).unwrap_or(local.data),
                cut: local.data.len() < packed,
                declared: local.sizes.map(|(_, length)| (local.crc, length)),
            });
        }
        rest = local.data.get(packed..).unwrap_or_default();
    }
    members
}

/// Where the data ends whose length only the descriptor after it says: at the next header.
fn next_header(data: &[u8]) -> usize {
    memmem::find_iter(data, b"PK")
        .find(|at| {
            let rest = data.get(*at..).unwrap_or_default();
            rest.starts_with(LOCAL) || rest.starts_with(CENTRAL)
        })
        .unwrap_or(data.len())
}

/// A member's name as a label, never a path.
fn name(raw: &[u8], number: usize) -> String {
    let text = lossy(raw);
    let text: String = inert(text.trim()).chars().take(MAX_NAME).collect();
    if text.is_empty() {
        format!("#{}", number + 1)
    } else {
        text
    }
}

/// A local file header, and all that follows it (APPNOTE 4.3.7).
struct Local<'a> {
    flags: u16,
    method: u16,
    crc: u32,
    /// Packed and unpacked, where they are known before the data.
    sizes: Option<(u64, u64)>,
    name: &'a [u8],
    data: &'a [u8],
}

impl<'a> Local<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(LOCAL)?;
        let mut field = |length: usize| {
            let (field, after) = rest.split_at_checked(length)?;
            rest = after;
            Some(field)
        };
        let number = |field: &[u8]| field.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b));
        let short = |field: &[u8]| field.try_into().map(u16::from_le_bytes).ok();
        field(2)?; // version
        let flags = short(field(2)?)?;
        let method = short(field(2)?)?;
        field(4)?; // time and date
        let crc = field(4)?.try_into().map(u32::from_le_bytes).ok()?;
        let packed = number(field(4)?);
        let length = number(field(4)?);
        let name_length = short(field(2)?)?;
        let extra_length = short(field(2)?)?;
        let name = field(name_length.into())?;
        field(extra_length.into())?;
        Some(Self {
            flags,
            method,
            crc,
            sizes: (flags & 8 == 0).then_some((packed, length)),
            name,
            data: rest,
        })
    }
}

/// Unpacks a member.
pub(super) struct Unzip<'a> {
    member: &'a Member<'a>,
    rest: &'a [u8],
    inflate: Inflate,
    checked: bool,
    notes: &'a Notes<'a>,
}

impl<'a> Unzip<'a> {
    pub(super) fn new(member: &'a Member<'a>, notes: &'a Notes<'a>) -> Self {
        Self {
            member,
            rest: member.data,
            inflate: Inflate::new(),
            checked: false,
            notes,
        }
    }

    /// Compares what came out with what the archive declares, which costs no data where it is
    /// wrong.
    fn check(&mut self) {
        let Some((crc, length)) = self.member.declared else {
            return;
        };
        if std::mem::replace(&mut self.checked, true) {
            return;
        }
        if length != self.inflate.length() {
            let text = format!(
                "{length} bytes are declared, {} were found",
                self.inflate.length()
            );
            self.notes.add(0, text);
        } else if crc != self.inflate.crc() {
            self.notes.add(0, "checksum is wrong");
        }
    }
}

impl Read for Unzip<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        let read = match self.member.method {
            Method::Stored => {
                let read = self.inflate.copy(&mut self.rest, out);
                if read == 0 && self.member.cut {
                    return Err(self.inflate.cut_off());
                }
                read
            }
            Method::Deflated => self.inflate.read(&mut self.rest, out)?,
            Method::Other => {
                let text = "member is packed by a method that is neither stored nor deflated";
                return Err(Stop::Damaged(text.to_owned()).into());
            }
        };
        if read == 0 {
            self.check();
        }
        Ok(read)
    }
}
