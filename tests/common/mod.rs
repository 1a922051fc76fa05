//! What the tests make their inputs with: base64, gzip, zip, mails.

#![allow(dead_code, reason = "no test needs all of it")]

use std::io::{self, Write};

use flate2::write::{DeflateEncoder, GzEncoder};
use flate2::{Compression, Crc};

/// An aggregate report of RFC 7489 with one record.
pub(crate) const REPORT: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feedback>\n\
    <version>1.0</version>\n\
    <report_metadata><org_name>Receiver</org_name><email>dmarc@receiver.example</email>\
    <report_id>id-1</report_id>\
    <date_range><begin>1760000000</begin><end>1760086399</end></date_range></report_metadata>\n\
    <policy_published><domain>example.org</domain><adkim>r</adkim><aspf>r</aspf><p>reject</p>\
    <sp>none</sp><pct>100</pct></policy_published>\n\
    <record><row><source_ip>192.0.2.1</source_ip><count>3</count><policy_evaluated>\
    <disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row>\
    <identifiers><envelope_from>bounce.example.org</envelope_from>\
    <header_from>example.org</header_from></identifiers>\
    <auth_results><dkim><domain>example.org</domain><selector>s1</selector><result>pass</result>\
    </dkim><spf><domain>bounce.example.org</domain><scope>mfrom</scope><result>pass</result>\
    </spf></auth_results></record>\n</feedback>\n";

/// A report's name as RFC 7489 section 7.2.1.1 wants it, without its extension.
pub(crate) const NAME: &str = "receiver.example!example.org!1760000000!1760086399";

/// [`REPORT`] with one text put in the place of another, which must be there.
pub(crate) fn edited(from: &str, to: &str) -> String {
    edited_from(REPORT, from, to)
}

/// A text with one part put in the place of another, which must be there.
pub(crate) fn edited_from(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in the text");
    text.replacen(from, to, 1)
}

/// Base64 in lines of 76, with CRLF.
pub(crate) fn base64(bytes: &[u8]) -> String {
    let mut text = Vec::new();
    let mut writer = Base64::new(&mut text);
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap();
    String::from_utf8(text).unwrap()
}

/// Writes what it is given as base64 in lines of 76.
pub(crate) struct Base64<W> {
    to: W,
    held: Vec<u8>,
}

impl<W: Write> Base64<W> {
    /// How many bytes a line stands for.
    const LINE: usize = 57;

    pub(crate) fn new(to: W) -> Self {
        Self {
            to,
            held: Vec::new(),
        }
    }

    fn line(&mut self, bytes: &[u8]) -> io::Result<()> {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut line = Vec::with_capacity(78);
        for three in bytes.chunks(3) {
            let at = |index: usize| three.get(index).map_or(0, |byte| u32::from(*byte));
            let bits = at(0) << 16 | at(1) << 8 | at(2);
            for index in 0..4 {
                let six = bits >> (18 - 6 * index) & 63;
                line.push(if index <= three.len() {
                    ALPHABET[six as usize]
                } else {
                    b'='
                });
            }
        }
        line.extend_from_slice(b"\r\n");
        self.to.write_all(&line)
    }

    pub(crate) fn finish(mut self) -> io::Result<W> {
        let rest = std::mem::take(&mut self.held);
        if !rest.is_empty() {
            self.line(&rest)?;
        }
        Ok(self.to)
    }
}

impl<W: Write> Write for Base64<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        let held = std::mem::take(&mut self.held);
        let mut lines = held.chunks_exact(Self::LINE);
        for line in lines.by_ref() {
            self.line(line)?;
        }
        self.held = lines.remainder().to_vec();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// One gzip member.
pub(crate) fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// A member of a zip archive.
pub(crate) struct Member<'a> {
    pub(crate) name: &'a str,
    pub(crate) bytes: &'a [u8],
    /// The unpacked size that the archive declares, where it is not the true one.
    pub(crate) declared: Option<u32>,
}

impl<'a> Member<'a> {
    pub(crate) fn new(name: &'a str, bytes: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self {
            name,
            bytes: bytes.as_ref(),
            declared: None,
        }
    }
}

/// A zip archive with these members.
pub(crate) fn zip(members: &[Member<'_>]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap();
    for member in members {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(member.bytes).unwrap();
        let packed = encoder.finish().unwrap();
        let mut crc = Crc::new();
        crc.update(member.bytes);
        let mut common = vec![20, 0, 0, 0, 8, 0, 0, 0, 0, 0]; // version, flags, deflate, time
        common.extend(crc.sum().to_le_bytes());
        common.extend(size(&packed).to_le_bytes());
        common.extend(member.declared.unwrap_or(size(member.bytes)).to_le_bytes());
        common.extend(u16::try_from(member.name.len()).unwrap().to_le_bytes());
        common.extend([0, 0]); // no extra field
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&common);
        directory.extend([0; 10]); // comment, disk, attributes
        directory.extend(size(&archive).to_le_bytes());
        directory.extend(member.name.as_bytes());
        archive.extend(b"PK\x03\x04");
        archive.extend(&common);
        archive.extend(member.name.as_bytes());
        archive.extend(packed);
    }
    let count = u16::try_from(members.len()).unwrap().to_le_bytes();
    let (start, length) = (size(&archive), size(&directory));
    archive.extend(directory);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend([count, count].concat());
    archive.extend(length.to_le_bytes());
    archive.extend(start.to_le_bytes());
    archive.extend([0, 0]);
    archive
}

/// The header of a mail from a reporter, without its Content-Type.
pub(crate) const HEADER: &str = "From: Receiver <dmarc@receiver.example>\r\n\
    To: reports@example.org\r\n\
    Subject: Report Domain: example.org Submitter: receiver.example Report-ID: <id-1>\r\n\
    Date: Thu, 09 Oct 2025 08:00:00 +0000\r\n\
    Message-ID: <mail-1@receiver.example>\r\n\
    MIME-Version: 1.0\r\n";

/// A mail whose body is a multipart of these parts: for each its header fields, which may be none,
/// and its body.
pub(crate) fn multipart(content_type: &str, parts: &[(&str, &str)]) -> Vec<u8> {
    let mut mail = format!("{HEADER}Content-Type: {content_type}; boundary=\"=_b\"\r\n\r\n");
    for (header, body) in parts {
        let end = if header.is_empty() || header.ends_with("\r\n") {
            ""
        } else {
            "\r\n"
        };
        mail += &["--=_b\r\n", header, end, "\r\n", body, "\r\n"].concat();
    }
    mail += "--=_b--\r\n";
    mail.into_bytes()
}

/// A mail with a note to the reader and one attachment in base64.
pub(crate) fn attachment(media_type: &str, parameters: &str, bytes: &[u8]) -> Vec<u8> {
    let header =
        format!("Content-Type: {media_type}{parameters}\r\nContent-Transfer-Encoding: base64\r\n");
    multipart(
        "multipart/mixed",
        &[
            ("Content-Type: text/plain", "This is a report."),
            (&header, &base64(bytes)),
        ],
    )
}
