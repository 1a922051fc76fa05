//! The bytes of a document as windows of valid UTF-8.
//!
//! Finds the encoding (byte order mark, UTF-16 by its pattern, the XML declaration), decodes, and
//! repairs what is not what it says it is. Knows nothing of elements.

use std::io::{self, Read};

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::message::Problems;
use crate::message::unpack::Whole;

/// How many bytes are read at a time, usually.
pub(super) const CHUNK: usize = 64 << 10;

/// How far into a document its XML declaration is looked for.
const DECLARATION: usize = 1 << 10;

enum Charset {
    /// Nothing was read yet.
    Unknown,
    /// UTF-8, declared or by default.
    Utf8,
    /// A single-byte encoding is declared, and nothing but ASCII was seen. Many writers declare one
    /// and send UTF-8: the first bytes beyond ASCII decide.
    Declared(&'static Encoding),
    /// Any other encoding.
    Decoded(Decoder),
}

/// A document as a sliding window over its text.
pub(super) enum Input<'a> {
    /// Read and decoded piece by piece.
    Stream(Stream<Box<dyn Read + 'a>>),
    /// In memory, and UTF-8 as it stands there.
    InPlace(InPlace<'a>),
}

impl<'a> Input<'a> {
    /// A document that is read from a stream, `chunk` bytes at a time.
    pub(super) fn stream(source: Box<dyn Read + 'a>, chunk: usize) -> Self {
        Self::Stream(Stream::new(source, chunk))
    }

    /// A document that is in memory; `None` where it must be decoded, or there is something to be
    /// said about its encoding.
    pub(super) fn in_place(whole: Whole<'a>, chunk: usize) -> Option<Self> {
        Some(Self::InPlace(InPlace::new(whole, chunk)?))
    }

    /// Drops the first `consumed` bytes of the window (a character boundary) and adds a chunk.
    pub(super) fn fill(&mut self, consumed: usize, problems: &mut Problems) {
        match self {
            Self::Stream(stream) => stream.fill(consumed, problems),
            Self::InPlace(text) => text.fill(consumed),
        }
    }

    /// The text that is there.
    pub(super) fn window(&self) -> &str {
        match self {
            Self::Stream(stream) => &stream.text,
            Self::InPlace(place) => place.text.get(place.from..place.to).unwrap_or(""),
        }
    }

    /// True where nothing comes after the window.
    pub(super) fn ended(&self) -> bool {
        match self {
            Self::Stream(stream) => stream.ended,
            Self::InPlace(place) => place.ended,
        }
    }

    /// What broke the source off, after all that it gave before is in the window.
    pub(super) fn failure(&self) -> Option<&io::Error> {
        match self {
            Self::Stream(stream) => stream.failure.as_ref(),
            Self::InPlace(_) => None,
        }
    }
}

/// A window that moves over a text where it stands. It grows by the same steps as that of a stream,
/// so that the same is counted as read where a reader breaks off.
pub(super) struct InPlace<'a> {
    text: &'a str,
    whole: Whole<'a>,
    chunk: usize,
    /// How many bytes stand before the text: a byte order mark.
    mark: usize,
    /// How many bytes were read, those included.
    read: usize,
    from: usize,
    to: usize,
    ended: bool,
}

impl<'a> InPlace<'a> {
    fn new(whole: Whole<'a>, chunk: usize) -> Option<Self> {
        let bytes = whole.bytes();
        let mut problems = Problems::default();
        let chunk = chunk.max(4);
        let (charset, mark) = detect(bytes.get(..chunk).unwrap_or(bytes), &mut problems);
        let is_plain = match charset {
            Charset::Utf8 => problems.is_empty(),
            Charset::Declared(_) => bytes.is_ascii(),
            _ => false,
        };
        let text = bytes.get(mark..).filter(|_| is_plain)?;
        Some(Self {
            text: simdutf8::basic::from_utf8(text).ok()?,
            whole,
            chunk,
            mark,
            read: 0,
            from: 0,
            to: 0,
            ended: false,
        })
    }

    fn fill(&mut self, consumed: usize) {
        // What a stream would hold back: the first bytes of a character.
        let held = self.read.saturating_sub(self.mark + self.to);
        let wanted = self.chunk - held;
        let length = wanted.min(self.mark + self.text.len() - self.read);
        self.whole.read(length);
        self.read += length;
        self.ended = length < wanted;
        self.from += consumed;
        let reached = self.read.saturating_sub(self.mark);
        self.to = self.text.floor_char_boundary(reached);
    }
}

/// A document that is read and decoded.
pub(super) struct Stream<R> {
    source: R,
    raw: Box<[u8]>,
    /// How many bytes at the start of `raw` wait for the rest of their character.
    held: usize,
    text: String,
    spare: String,
    charset: Charset,
    repaired: bool,
    ended: bool,
    failure: Option<io::Error>,
}

impl<R: Read> Stream<R> {
    /// `chunk` is how many bytes are read at a time: 4 or more, so that every character fits.
    fn new(source: R, chunk: usize) -> Self {
        Self {
            source,
            raw: vec![0; chunk.max(4)].into_boxed_slice(),
            held: 0,
            text: String::new(),
            spare: String::new(),
            charset: Charset::Unknown,
            repaired: false,
            ended: false,
            failure: None,
        }
    }

    fn fill(&mut self, consumed: usize, problems: &mut Problems) {
        self.spare.clear();
        self.spare.push_str(self.text.get(consumed..).unwrap_or(""));
        std::mem::swap(&mut self.text, &mut self.spare);

        let mut length = self.held;
        while let Some(free) = self.raw.get_mut(length..).filter(|free| !free.is_empty()) {
            match self.source.read(free) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.ended = true;
                    self.failure = Some(error);
                    break;
                }
            }
        }
        self.held = 0;
        let raw = std::mem::take(&mut self.raw);
        let kept = self.decode(raw.get(..length).unwrap_or(&[]), problems);
        self.raw = raw;
        self.raw.copy_within(length - kept..length, 0);
        self.held = kept;
    }

    /// Appends the text of `bytes`; answers how many bytes at the end wait for more.
    fn decode(&mut self, mut bytes: &[u8], problems: &mut Problems) -> usize {
        if matches!(self.charset, Charset::Unknown) {
            let (charset, mark) = detect(bytes, problems);
            self.charset = charset;
            bytes = bytes.get(mark..).unwrap_or(&[]);
        }
        if let Charset::Declared(encoding) = self.charset
            && !bytes.is_ascii()
        {
            let valid = match std::str::from_utf8(bytes) {
                Ok(_) => true,
                Err(error) => error.error_len().is_none() && !self.ended,
            };
            self.charset = if valid {
                problems.add(
                    "encoding",
                    format!("declared as {}, but is UTF-8", encoding.name()),
                );
                Charset::Utf8
            } else {
                Charset::Decoded(encoding.new_decoder_without_bom_handling())
            };
        }
        match &mut self.charset {
            Charset::Decoded(decoder) => {
                let mut replaced = false;
                loop {
                    self.text.reserve(bytes.len() + 64);
                    let (result, read, some) =
                        decoder.decode_to_string(bytes, &mut self.text, self.ended);
                    replaced |= some;
                    bytes = bytes.get(read..).unwrap_or(&[]);
                    if result == CoderResult::InputEmpty {
                        break;
                    }
                }
                if replaced && !self.repaired {
                    self.repaired = true;
                    problems.add(
                        "encoding",
                        format!("bytes that are not {}", decoder.encoding().name()),
                    );
                }
                0
            }
            _ => self.utf8(bytes, problems),
        }
    }

    fn utf8(&mut self, bytes: &[u8], problems: &mut Problems) -> usize {
        let error = match std::str::from_utf8(bytes) {
            Ok(text) => {
                self.text.push_str(text);
                return 0;
            }
            Err(error) => error,
        };
        let waits = |from: usize| bytes.len() - from;
        if error.error_len().is_none() && !self.ended {
            // Only the last character is cut: the usual case at the edge of a chunk.
            let valid = bytes.get(..error.valid_up_to()).unwrap_or(&[]);
            self.text.push_str(std::str::from_utf8(valid).unwrap_or(""));
            return waits(error.valid_up_to());
        }
        let mut at = 0;
        for chunk in bytes.utf8_chunks() {
            self.text.push_str(chunk.valid());
            at += chunk.valid().len();
            let invalid = chunk.invalid();
            if invalid.is_empty() {
                break;
            }
            if !self.ended
                && at + invalid.len() == bytes.len()
                && std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none())
            {
                return waits(at);
            }
            at += invalid.len();
            let (text, _) = WINDOWS_1252.decode_without_bom_handling(invalid);
            self.text.push_str(&text);
            if !self.repaired {
                self.repaired = true;
                problems.add(
                    "encoding",
                    "bytes that are not UTF-8; they were read as windows-1252",
                );
            }
        }
        0
    }
}

/// The encoding of a document by its first bytes, and how long its byte order mark is.
fn detect(bytes: &[u8], problems: &mut Problems) -> (Charset, usize) {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return (charset(encoding), mark);
    }
    match bytes {
        [b'<', 0, ..] => return (charset(UTF_16LE), 0),
        [0, b'<', ..] => return (charset(UTF_16BE), 0),
        _ => {}
    }
    let Some(label) = declared(bytes.get(..DECLARATION).unwrap_or(bytes)) else {
        return (Charset::Utf8, 0);
    };
    match Encoding::for_label(label) {
        // Whatever says UTF-16 in ASCII is not UTF-16.
        Some(encoding) if encoding == UTF_16LE || encoding == UTF_16BE => (Charset::Utf8, 0),
        Some(encoding) if encoding.is_single_byte() => (Charset::Declared(encoding), 0),
        Some(encoding) => (charset(encoding), 0),
        None => {
            let label = String::from_utf8_lossy(label);
            let label: String = label.chars().take(40).collect();
            problems.add(
                "encoding",
                format!("`{label}` is no known encoding; it was read as UTF-8"),
            );
            (Charset::Utf8, 0)
        }
    }
}

fn charset(encoding: &'static Encoding) -> Charset {
    if encoding == UTF_8 {
        Charset::Utf8
    } else {
        Charset::Decoded(encoding.new_decoder_without_bom_handling())
    }
}

/// The encoding that an XML declaration names.
fn declared(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.trim_ascii_start().strip_prefix(b"<?xml")?;
    let end = memchr::memchr(b'>', rest)?;
    let declaration = rest.get(..end)?;
    let at = memchr::memmem::find(declaration, b"encoding")? + b"encoding".len();
    let rest = declaration.get(at..)?.trim_ascii_start();
    let rest = rest.strip_prefix(b"=")?.trim_ascii_start();
    let (quote, rest) = rest.split_first()?;
    if !matches!(quote, b'"' | b'\'') {
        return None;
    }
    let end = memchr::memchr(*quote, rest)?;
    rest.get(..end).filter(|label| !label.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, so that every character is cut.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = 1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn text(bytes: &[u8]) -> (String, Vec<String>) {
        let mut problems = Problems::default();
        let mut input = Stream::new(Drip(bytes), CHUNK);
        let mut text = String::new();
        while !input.ended {
            input.fill(input.text.len(), &mut problems);
            text.push_str(&input.text);
        }
        let problems = problems.into_vec();
        (
            text,
            problems.into_iter().map(|p| p.what.into_owned()).collect(),
        )
    }

    #[test]
    fn encodings() {
        let utf16 =
            |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        assert_eq!(text(b"\xef\xbb\xbf<a>\xc3\xa9").0, "<a>é");
        assert_eq!(text(&utf16("\u{feff}<a>é")).0, "<a>é");
        assert_eq!(text(&utf16("<a>é")).0, "<a>é");
        let latin = b"<?xml version='1.0' encoding = 'ISO-8859-1'?><a>caf\xe9</a>";
        assert!(text(latin).0.ends_with("<a>café</a>"));
        let cyrillic = b"\n<?xml version=\"1.0\" encoding=\"windows-1251\"?><a>\xcf\xf0\xe8</a>";
        assert!(text(cyrillic).0.ends_with("<a>При</a>"));
        let (read, problems) = text(b"<?xml encoding=\"us-ascii\"?><a>caf\xc3\xa9</a>");
        assert!(read.ends_with("<a>café</a>"));
        assert_eq!(problems, ["declared as windows-1252, but is UTF-8"]);
        let (read, problems) = text(b"<?xml encoding=\"utf-16\"?><a>x</a>");
        assert!(read.ends_with("<a>x</a>") && problems.is_empty());
        let (_, problems) = text(b"<?xml encoding=\"klingon\"?><a>x</a>");
        assert_eq!(
            problems,
            ["`klingon` is no known encoding; it was read as UTF-8"]
        );
    }

    #[test]
    fn bytes_that_are_not_utf8_are_read_as_windows_1252() {
        let (read, problems) = text(b"<a>caf\xe9 \x80 \xe2\x82\xac \xe2\x82");
        assert_eq!(read, "<a>café € € â‚");
        assert_eq!(problems.len(), 1);
    }

    #[test]
    fn characters_at_the_edge_of_a_chunk() {
        for shift in 0..4 {
            let sent = "x".repeat(CHUNK - shift) + &"é€😀".repeat(CHUNK / 4);
            let (read, problems) = text(sent.as_bytes());
            assert!(read == sent && problems.is_empty());
            let mut broken = sent.clone().into_bytes();
            broken[0] = 0xff;
            assert!(text(&broken).0.ends_with(sent.strip_prefix('x').unwrap()));
        }
    }

    #[test]
    fn what_came_before_a_failure_is_kept() {
        struct Fails(bool);
        impl Read for Fails {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                if std::mem::replace(&mut self.0, true) {
                    return Err(io::Error::other("gone"));
                }
                buffer[..3].copy_from_slice(b"<a>");
                Ok(3)
            }
        }
        let mut input = Stream::new(Fails(false), CHUNK);
        input.fill(0, &mut Problems::default());
        assert_eq!(input.text, "<a>");
        assert!(input.ended && input.failure.is_some());
    }
}
