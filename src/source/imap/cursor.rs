//! The parts of a response's text: atoms, strings and lists (RFC 3501, section 4). Nothing recurses.

use std::vec::IntoIter;

use super::frames::Piece;

/// A value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// `NIL`.
    Nil,
    /// A number, a flag, a word.
    Atom(Vec<u8>),
    /// A string, quoted or literal.
    String(Vec<u8>),
    /// A list, which is passed over.
    List,
}

/// A place in a response.
pub(super) struct Cursor {
    text: Vec<u8>,
    at: usize,
    rest: IntoIter<Piece>,
}

impl Cursor {
    /// The beginning of a response.
    pub(super) fn new(pieces: Vec<Piece>) -> Self {
        let mut cursor = Self {
            text: Vec::new(),
            at: 0,
            rest: pieces.into_iter(),
        };
        cursor.next_text();
        cursor
    }

    fn next_text(&mut self) {
        self.at = 0;
        self.text = match self.rest.next() {
            Some(Piece::Text(text)) => text,
            _ => Vec::new(),
        };
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Takes this byte where it comes next.
    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Passes over spaces.
    pub(super) fn spaces(&mut self) {
        while self.take(b' ') {}
    }

    /// Whether nothing is left but spaces.
    pub(super) fn is_done(&mut self) -> bool {
        self.spaces();
        self.peek().is_none() && self.rest.as_slice().is_empty()
    }

    /// Enters a list where one comes next.
    pub(super) fn open(&mut self) -> bool {
        self.spaces();
        self.take(b'(')
    }

    /// Leaves a list where it ends.
    pub(super) fn close(&mut self) -> bool {
        self.spaces();
        self.take(b')')
    }

    /// A word, up to a space or a parenthesis.
    pub(super) fn word(&mut self) -> &[u8] {
        self.spaces();
        let start = self.at;
        while self
            .peek()
            .is_some_and(|byte| !matches!(byte, b' ' | b'(' | b')'))
        {
            self.at += 1;
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// The name of an item of FETCH, in upper case; what stands in brackets belongs to it.
    pub(super) fn item(&mut self) -> Option<String> {
        self.spaces();
        let mut name = Vec::new();
        let mut inside = false;
        loop {
            match self.peek() {
                Some(b' ' | b'(' | b')') if !inside => break,
                Some(b'"') | None if inside => _ = self.string()?,
                Some(byte) => {
                    inside = byte == b'[' || (inside && byte != b']');
                    name.push(byte.to_ascii_uppercase());
                    self.at += 1;
                }
                None => break,
            }
        }
        String::from_utf8(name).ok().filter(|name| !name.is_empty())
    }

    /// The next value.
    pub(super) fn value(&mut self) -> Option<Value> {
        self.spaces();
        match self.peek() {
            None | Some(b'"') => self.string().map(Value::String),
            Some(b'(') => self.list().then_some(Value::List),
            Some(_) => match self.word() {
                b"" => None,
                word if word.eq_ignore_ascii_case(b"NIL") => Some(Value::Nil),
                word => Some(Value::Atom(word.to_vec())),
            },
        }
    }

    /// A string: quoted, or the literal that follows the text.
    fn string(&mut self) -> Option<Vec<u8>> {
        if !self.take(b'"') {
            if self.peek().is_some() {
                return None;
            }
            let Some(Piece::Literal(bytes)) = self.rest.next() else {
                return None;
            };
            self.next_text();
            return Some(bytes);
        }
        let mut string = Vec::new();
        loop {
            let rest = self.text.get(self.at..)?;
            let end = memchr::memchr2(b'"', b'\\', rest)?;
            string.extend_from_slice(rest.get(..end)?);
            self.at += end;
            if self.take(b'"') {
                return Some(string);
            }
            self.at += 1;
            string.push(self.peek()?);
            self.at += 1;
        }
    }

    /// Passes over a list with those inside it; false where it does not end.
    fn list(&mut self) -> bool {
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                Some(b'(') => depth += 1,
                Some(b')') => depth -= 1,
                None | Some(b'"') => {
                    if self.string().is_none() {
                        return false;
                    }
                    continue;
                }
                Some(_) => {}
            }
            self.at += 1;
            if depth == 0 {
                return true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(text: &str) -> Cursor {
        Cursor::new(vec![Piece::Text(text.into())])
    }

    #[test]
    fn values_of_every_kind() {
        let mut cursor = Cursor::new(vec![
            Piece::Text(br#"nil 12 "a\"\\b" (x (y "(") "#.to_vec()),
            Piece::Literal(b")".to_vec()),
            Piece::Text(b") ".to_vec()),
            Piece::Literal(b"lit".to_vec()),
            Piece::Text(b" \\Seen  ".to_vec()),
        ]);
        for expected in [
            Value::Nil,
            Value::Atom(b"12".to_vec()),
            Value::String(b"a\"\\b".to_vec()),
            Value::List,
            Value::String(b"lit".to_vec()),
            Value::Atom(b"\\Seen".to_vec()),
        ] {
            assert!(!cursor.is_done());
            assert_eq!(cursor.value(), Some(expected));
        }
        assert!(cursor.is_done());
        assert_eq!(cursor.value(), None);
    }

    #[test]
    fn what_does_not_end_is_no_value() {
        for text in ["\"abc", "\"abc\\", "\"abc\\\"", "(a (b)", "(\"", ")", ""] {
            assert_eq!(cursor(text).value(), None, "{text}");
        }
    }

    #[test]
    fn brackets_belong_to_the_name_of_an_item() {
        let mut cursor = Cursor::new(vec![
            Piece::Text(b"body[Header.Fields (\"]\" ".to_vec()),
            Piece::Literal(b"To ]".to_vec()),
            Piece::Text(b")]<0> NIL)".to_vec()),
        ]);
        assert_eq!(cursor.item().as_deref(), Some("BODY[HEADER.FIELDS ( )]<0>"));
        assert_eq!(cursor.value(), Some(Value::Nil));
        assert!(cursor.close() && cursor.is_done());
    }
}
