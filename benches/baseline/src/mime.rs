//! What carries reports: header fields, transfer encodings, packing.
//!
//! Lines end with LF here; `mail::Mail` knows how they end in the end.

use std::fmt::Write as _;
use std::io::{self, Cursor, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, GzBuilder};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::cast::Cast;
use crate::chance::Chance;
use crate::day;

/// The fields that every mail begins with.
pub struct Header<'a> {
    /// The sender.
    pub from: &'a str,
    /// The recipient.
    pub to: &'a str,
    /// May have line breaks where it is folded.
    pub subject: &'a str,
    /// Without brackets.
    pub message_id: &'a str,
    /// When it was sent.
    pub moment: i64,
}

impl Header<'_> {
    /// Writes the fields, with one to three hops and a signature.
    pub fn write(&self, cast: &Cast, chance: &mut Chance, text: &mut String) {
        let Header {
            from,
            to,
            subject,
            message_id,
            moment,
        } = self;
        let date = day::in_header(*moment);
        let host = from.split_once('@').map_or(*from, |(_, host)| host);
        let _ = write!(text, "Return-Path: <{from}>\nDelivered-To: {to}\n");
        for hop in 0..=chance.below(3) {
            let (helo, name) = (chance.below(900), chance.below(900));
            let address = cast.address(chance);
            let id = chance.bits() >> 16;
            let _ = write!(
                text,
                "Received: from mail-{helo}.{host} (mail-{name}.{host} [{address}])\n\
                 \tby mx{hop}.receiver.example (Postfix) with ESMTPS id {id:012X}\n\
                 \tfor <{to}>; {date}\n"
            );
        }
        let body = STANDARD.encode(chance.bytes(32));
        let signature = STANDARD.encode(chance.bytes(108));
        let (one, two) = signature.split_at(72);
        let _ = write!(
            text,
            "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\n\
             \td={host}; s=20230601; t={moment};\n\
             \th=to:from:subject:date:message-id; bh={body};\n\
             \tb={one}\n\t {two}\n\
             MIME-Version: 1.0\nDate: {date}\nMessage-ID: <{message_id}>\n\
             From: {from}\nTo: {to}\nSubject: {subject}\n"
        );
    }
}

/// Base64 in lines of 76.
pub fn base64(bytes: &[u8], text: &mut String) {
    for line in bytes.chunks(57) {
        STANDARD.encode_string(line, text);
        text.push('\n');
    }
}

/// Quoted-printable; line breaks stay what they are.
pub fn quoted_printable(content: &str, text: &mut String) {
    const MOST: usize = 75;
    for line in content.lines() {
        let mut column = 0;
        let last = line.len().saturating_sub(1);
        for (at, byte) in line.bytes().enumerate() {
            let plain = match byte {
                b' ' | b'\t' => at != last,
                b'=' => false,
                other => other.is_ascii_graphic(),
            };
            let width = if plain { 1 } else { 3 };
            if column + width > MOST {
                text.push_str("=\n");
                column = 0;
            }
            column += width;
            if plain {
                text.push(char::from(byte));
            } else {
                let _ = write!(text, "={byte:02X}");
            }
        }
        text.push('\n');
    }
}

/// A document as the one file in a gzip archive.
pub fn gzip(document: &[u8], name: &str, level: u32, moment: i64) -> io::Result<Vec<u8>> {
    let mut writer = GzBuilder::new()
        .filename(name)
        .mtime(u32::try_from(moment).unwrap_or(0))
        .write(Vec::new(), Compression::new(level));
    writer.write_all(document)?;
    writer.finish()
}

/// A document as the one file in a zip archive.
pub fn zip(document: &[u8], name: &str, level: u32) -> io::Result<Vec<u8>> {
    let options = match level {
        0 => SimpleFileOptions::default().compression_method(CompressionMethod::Stored),
        _ => SimpleFileOptions::default().compression_level(Some(i64::from(level))),
    };
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file(name, options)?;
    writer.write_all(document)?;
    Ok(writer.finish()?.into_inner())
}
