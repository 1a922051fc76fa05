//! What one response says.
//!
//! A response that is not understood is no error: servers have extensions. Two are, because news of a
//! message may be in them: FETCH and SEARCH.

use super::cursor::{Cursor, Value};
use super::frames::{Piece, starts_with, words};
use super::utf7;

/// How much of what a server says is shown, in characters.
const SHOWN: usize = 200;

/// A response.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Response {
    /// The end of a command.
    Tagged {
        /// Whose.
        tag: Vec<u8>,
        /// How it ended.
        said: Said,
    },
    /// The server waits for more of the command, and says this.
    Continue(Vec<u8>),
    /// `OK`, `NO` and the like without a tag.
    Said(Said),
    /// So many messages are in the folder.
    Exists(u32),
    /// A message is gone.
    Expunge,
    /// Something else has changed.
    Changed,
    /// A message.
    Fetch(Fetch),
    /// Numbers that were searched for.
    Search(Vec<u32>),
    /// A folder.
    List(Folder),
    /// What the server can do.
    Capabilities(Vec<String>),
    /// What the names of the user's own folders begin with.
    Namespace(String),
    /// What is not understood.
    Other,
    /// A FETCH or SEARCH response that is not understood.
    Malformed(String),
}

/// A status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Well.
    Ok,
    /// Refused.
    No,
    /// Not understood.
    Bad,
    /// Who logs in is known already.
    PreAuth,
    /// The server ends the connection.
    Bye,
}

/// A status, and what the server says to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// The status.
    pub(super) status: Status,
    /// The response code, without its brackets.
    pub(super) code: Option<String>,
    /// The text.
    pub(super) text: String,
}

/// What a FETCH response says of a message.
#[derive(Debug, PartialEq, Eq, Default)]
pub(super) struct Fetch {
    /// `UID`.
    pub(super) uid: Option<u32>,
    /// `RFC822.SIZE`.
    pub(super) size: Option<u64>,
    /// `BODY[]`.
    pub(super) body: Option<Body>,
}

/// A body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// Its bytes.
    Bytes(Vec<u8>),
    /// The server has none.
    Nil,
}

/// A folder.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Folder {
    /// Its name.
    pub(super) name: String,
    /// Whether messages can be in it.
    pub(super) is_real: bool,
    /// Whether it is the one for trash (RFC 6154).
    pub(super) is_trash: bool,
}

impl Said {
    /// The first word of the response code.
    pub(super) fn code(&self) -> Option<&str> {
        self.code.as_deref()?.split(' ').next()
    }

    /// Whether this is the first word of the response code.
    pub(super) fn has(&self, code: &str) -> bool {
        self.code()
            .is_some_and(|word| word.eq_ignore_ascii_case(code))
    }

    /// The number in this response code.
    pub(super) fn number(&self, code: &str) -> Option<u32> {
        let mut words = self.code.as_deref()?.split(' ');
        words
            .next()
            .filter(|word| word.eq_ignore_ascii_case(code))?;
        words.next()?.parse().ok()
    }

    /// The capabilities in the response code.
    pub(super) fn capabilities(&self) -> Option<Vec<String>> {
        let code = self.code.as_deref().filter(|_| self.has("CAPABILITY"))?;
        Some(code.split(' ').skip(1).map(str::to_owned).collect())
    }

    /// In words, for people.
    pub(super) fn words(&self) -> String {
        match (&self.code, self.text.as_str()) {
            (None, "") => "(no reason given)".to_owned(),
            (None, text) => text.to_owned(),
            (Some(code), text) => shown(format!("[{code}] {text}").trim_end().as_bytes()),
        }
    }
}

/// What a server says, fit to be shown: one short line without control characters.
pub(super) fn shown(said: &[u8]) -> String {
    // Four bytes a character at most.
    let said = said.get(..4 * SHOWN).unwrap_or(said);
    String::from_utf8_lossy(said)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(SHOWN)
        .collect()
}

/// Reads a response.
pub(super) fn read(pieces: Vec<Piece>) -> Response {
    let Some(Piece::Text(line)) = pieces.first() else {
        return Response::Other;
    };
    if let Some(rest) = line.strip_prefix(b"+") {
        return Response::Continue(rest.trim_ascii().to_vec());
    }
    let mut words = words(line);
    let (Some(tag), Some(word)) = (words.next(), words.next()) else {
        return Response::Other;
    };
    if let Some(said) = said(line) {
        return match tag {
            b"*" => Response::Said(said),
            tag => Response::Tagged {
                tag: tag.to_vec(),
                said,
            },
        };
    }
    if tag != b"*" {
        return Response::Other;
    }
    let word = word.to_ascii_uppercase();
    let third = words.next().map(<[u8]>::to_ascii_uppercase);
    drop(words);
    if let Some(number) = number(&word) {
        return match third.as_deref() {
            Some(b"EXISTS") => Response::Exists(number),
            Some(b"EXPUNGE") => Response::Expunge,
            Some(b"RECENT") => Response::Changed,
            Some(third) if starts_with(third, b"FETCH") => {
                let begin = shown(line);
                fetch(pieces).map_or(Response::Malformed(begin), Response::Fetch)
            }
            _ => Response::Other,
        };
    }
    match &*word {
        b"VANISHED" => Response::Changed,
        b"SEARCH" => search(line),
        b"CAPABILITY" => Response::Capabilities(
            self::words(line)
                .skip(2)
                .map(|word| String::from_utf8_lossy(word).into_owned())
                .collect(),
        ),
        b"LIST" => list(pieces).map_or(Response::Other, Response::List),
        b"NAMESPACE" => namespace(pieces).map_or(Response::Other, Response::Namespace),
        _ => Response::Other,
    }
}

fn number(word: &[u8]) -> Option<u32> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// The status that stands behind the first word of a line.
fn said(line: &[u8]) -> Option<Said> {
    let line = line.trim_ascii_start();
    let (_, rest) = split(line);
    let (word, rest) = split(rest);
    let status = match word.to_ascii_uppercase().as_slice() {
        b"OK" => Status::Ok,
        b"NO" => Status::No,
        b"BAD" => Status::Bad,
        b"PREAUTH" => Status::PreAuth,
        b"BYE" => Status::Bye,
        _ => return None,
    };
    let code = rest
        .strip_prefix(b"[")
        .and_then(|inner| Some((inner, memchr::memchr(b']', inner)?)))
        .and_then(|(inner, end)| Some((inner.get(..end)?, inner.get(end + 1..)?)));
    Some(match code {
        Some((code, text)) => Said {
            status,
            code: Some(String::from_utf8_lossy(code).trim().to_owned()),
            text: shown(text.trim_ascii()),
        },
        None => Said {
            status,
            code: None,
            text: shown(rest.trim_ascii()),
        },
    })
}

/// The first word, and what follows it.
fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(b' ', line).unwrap_or(line.len());
    let (word, rest) = line.split_at_checked(end).unwrap_or((line, b""));
    (word, rest.trim_ascii_start())
}

fn search(line: &[u8]) -> Response {
    // `(MODSEQ 5)` may follow (RFC 7162).
    let found = words(line)
        .skip(2)
        .take_while(|word| !word.starts_with(b"("))
        .map(number)
        .collect();
    match found {
        Some(found) => Response::Search(found),
        None => Response::Malformed(shown(line)),
    }
}

/// The response behind its first words.
fn behind(pieces: Vec<Piece>, words: usize) -> Cursor {
    let mut cursor = Cursor::new(pieces);
    for _ in 0..words {
        cursor.word();
    }
    cursor
}

fn fetch(pieces: Vec<Piece>) -> Option<Fetch> {
    let mut cursor = behind(pieces, 3);
    let mut fetch = Fetch::default();
    if !cursor.open() {
        return None;
    }
    while !cursor.close() {
        let item = cursor.item()?;
        let value = cursor.value()?;
        match (item.as_str(), value) {
            ("UID", Value::Atom(uid)) => fetch.uid = Some(number(&uid).filter(|uid| *uid > 0)?),
            ("RFC822.SIZE", Value::Atom(size)) => {
                fetch.size = Some(std::str::from_utf8(&size).ok()?.parse().ok()?);
            }
            ("BODY[]", Value::String(bytes)) => fetch.body = Some(Body::Bytes(bytes)),
            ("BODY[]", Value::Nil) => fetch.body = Some(Body::Nil),
            ("UID" | "RFC822.SIZE" | "BODY[]", _) => return None,
            _ => {}
        }
    }
    cursor.is_done().then_some(fetch)
}

fn list(pieces: Vec<Piece>) -> Option<Folder> {
    let mut cursor = behind(pieces, 2);
    let (mut is_real, mut is_trash) = (true, false);
    if !cursor.open() {
        return None;
    }
    while !cursor.close() {
        let Value::Atom(attribute) = cursor.value()? else {
            return None;
        };
        match attribute.to_ascii_uppercase().as_slice() {
            b"\\NOSELECT" | b"\\NONEXISTENT" => is_real = false,
            b"\\TRASH" => is_trash = true,
            _ => {}
        }
    }
    let _separator = cursor.value()?;
    let name = match cursor.value()? {
        Value::Atom(name) | Value::String(name) => utf7::decode(&name),
        Value::Nil => "NIL".to_owned(),
        Value::List => return None,
    };
    Some(Folder {
        name,
        is_real,
        is_trash,
    })
}

fn namespace(pieces: Vec<Piece>) -> Option<String> {
    let mut cursor = behind(pieces, 2);
    if cursor.open() && cursor.open() {
        match cursor.value()? {
            Value::Atom(prefix) | Value::String(prefix) => return Some(utf7::decode(&prefix)),
            Value::Nil | Value::List => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(line: &str) -> Response {
        read(vec![Piece::Text(line.into())])
    }

    fn ok(code: Option<&str>, text: &str) -> Said {
        Said {
            status: Status::Ok,
            code: code.map(str::to_owned),
            text: text.to_owned(),
        }
    }

    #[test]
    fn statuses() {
        assert_eq!(
            line("* OK Searched 91% of it"),
            Response::Said(ok(None, "Searched 91% of it"))
        );
        assert_eq!(line("* ok"), Response::Said(ok(None, "")));
        assert_eq!(
            line("*  OK  [UIDVALIDITY 5] UIDs valid "),
            Response::Said(ok(Some("UIDVALIDITY 5"), "UIDs valid"))
        );
        assert_eq!(
            line("a12 OK [READ-ONLY]"),
            Response::Tagged {
                tag: b"a12".to_vec(),
                said: ok(Some("READ-ONLY"), "")
            }
        );
        assert_eq!(line("* OK [no end"), Response::Said(ok(None, "[no end")));
        assert_eq!(
            read(vec![Piece::Text(
                b"* OK [UIDVALIDITY 7] g\xfcltig".to_vec()
            )]),
            Response::Said(ok(Some("UIDVALIDITY 7"), "g\u{fffd}ltig"))
        );
        assert_eq!(line("+ aGk="), Response::Continue(b"aGk=".to_vec()));
        assert_eq!(line("+"), Response::Continue(Vec::new()));
    }

    #[test]
    fn response_codes() {
        let said = ok(Some("uidvalidity 5"), "");
        assert_eq!(said.number("UIDVALIDITY"), Some(5));
        assert_eq!(said.number("UIDNEXT"), None);
        assert!(said.has("UIDVALIDITY") && !said.has("UID"));
        assert_eq!(
            ok(Some("CAPABILITY IMAP4rev1 IDLE"), "").capabilities(),
            Some(vec!["IMAP4rev1".to_owned(), "IDLE".to_owned()])
        );
        assert_eq!(ok(Some("ALERT"), "Full").words(), "[ALERT] Full");
        assert_eq!(ok(None, "").words(), "(no reason given)");
    }

    #[test]
    fn what_is_shown_is_short_and_harmless() {
        assert_eq!(shown(b"a\x1b[31m\tb\x00c\xff"), "a [31m b c\u{fffd}");
        assert_eq!(shown("ü".repeat(5000).as_bytes()), "ü".repeat(200));
    }

    #[test]
    fn news_of_the_folder() {
        for (text, expected) in [
            ("* 5 EXISTS", Response::Exists(5)),
            ("* 5 exists ", Response::Exists(5)),
            ("* 4 EXPUNGE", Response::Expunge),
            ("* 1 RECENT", Response::Changed),
            ("* VANISHED 1:3", Response::Changed),
            ("* SEARCH", Response::Search(vec![])),
            ("* SEARCH 2 84 882 ", Response::Search(vec![2, 84, 882])),
            (
                "* SEARCH 2 84 (MODSEQ 917162500)",
                Response::Search(vec![2, 84]),
            ),
            ("* FLAGS (\\Seen)", Response::Other),
            ("* XYZZY 5", Response::Other),
            ("* 5 XYZZY", Response::Other),
            ("* 99999999999 EXISTS", Response::Other),
            ("*", Response::Other),
            ("* ", Response::Other),
            ("", Response::Other),
            ("junk of some kind", Response::Other),
        ] {
            assert_eq!(line(text), expected, "{text}");
        }
    }

    #[test]
    fn messages() {
        let message = |uid, size, body| Response::Fetch(Fetch { uid, size, body });
        for (text, expected) in [
            (
                "* 1 FETCH (UID 5 RFC822.SIZE 5000000000)",
                message(Some(5), Some(5_000_000_000), None),
            ),
            (
                "* 1 fetch (Flags (\\Seen $x) rfc822.size 7 modseq (12) Uid 5 EMAILID (M1) X-Y NIL )",
                message(Some(5), Some(7), None),
            ),
            ("* 1 FETCH (FLAGS ())", message(None, None, None)),
            ("* 1 FETCH ()", message(None, None, None)),
            (
                "* 1 FETCH (BODY[] \"a \\\"b\\\"\" INTERNALDATE NIL UID 5)",
                message(Some(5), None, Some(Body::Bytes(b"a \"b\"".to_vec()))),
            ),
            (
                "* 1 FETCH (UID 5 BODY[] NIL)",
                message(Some(5), None, Some(Body::Nil)),
            ),
            (
                "* 1 FETCH (UID 5 BODY[HEADER] \"x\" BODY[]<0> \"y\")",
                message(Some(5), None, None),
            ),
        ] {
            assert_eq!(line(text), expected, "{text}");
        }
        assert_eq!(
            read(vec![
                Piece::Text(b"* 1 FETCH (UID 5 BODY[HEADER.FIELDS (To)] ".to_vec()),
                Piece::Literal(b"To: x".to_vec()),
                Piece::Text(b" BODY[] ".to_vec()),
                Piece::Literal(b"all) of it".to_vec()),
                Piece::Text(b")".to_vec()),
            ]),
            message(Some(5), None, Some(Body::Bytes(b"all) of it".to_vec())))
        );
    }

    #[test]
    fn a_message_that_is_not_understood_is_no_silence() {
        for text in [
            "* 1 FETCH (UID 0)",
            "* 1 FETCH (UID x)",
            "* 1 FETCH (RFC822.SIZE -1)",
            "* 1 FETCH (BODY[] abc)",
            "* 1 FETCH (UID 5 BODY[] \"a",
            "* 1 FETCH (UID 5",
            "* 1 FETCH (UID 5) more",
            "* 1 FETCH UID 5",
            "* 1  FETCH",
            "* 1 FETCH(UID",
            "* SEARCH 1 x",
            "* SEARCH 99999999999",
        ] {
            assert!(matches!(line(text), Response::Malformed(_)), "{text}");
        }
    }

    #[test]
    fn folders() {
        let folder = |name: &str, is_real, is_trash| {
            Response::List(Folder {
                name: name.to_owned(),
                is_real,
                is_trash,
            })
        };
        for (text, expected) in [
            (
                "* LIST (\\HasNoChildren \\Trash) \"/\" \"[Gmail]/M&APw-ll\"",
                folder("[Gmail]/Müll", true, true),
            ),
            ("* LIST () NIL INBOX", folder("INBOX", true, false)),
            (
                "* list (\\noselect) \".\" \"a \\\"b\\\"\"",
                folder("a \"b\"", false, false),
            ),
            (
                "* NAMESPACE ((\"INBOX.\" \".\")) NIL NIL",
                Response::Namespace("INBOX.".to_owned()),
            ),
            (
                "* NAMESPACE ((\"\" \"/\")) NIL NIL",
                Response::Namespace(String::new()),
            ),
            ("* NAMESPACE NIL NIL NIL", Response::Other),
            ("* LIST", Response::Other),
            (
                "* CAPABILITY IMAP4rev2 AUTH=PLAIN",
                Response::Capabilities(vec!["IMAP4rev2".to_owned(), "AUTH=PLAIN".to_owned()]),
            ),
        ] {
            assert_eq!(line(text), expected, "{text}");
        }
        assert_eq!(
            read(vec![
                Piece::Text(b"* LIST () \"/\" ".to_vec()),
                Piece::Literal(b"a\"b".to_vec()),
                Piece::Text(Vec::new()),
            ]),
            folder("a\"b", true, false)
        );
    }
}
