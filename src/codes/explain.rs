//! Explains a text: which replies are in it, and what each of them means.

use std::net::IpAddr;

use super::replies::replies;
use super::reply::{Reply, Status, addresses, host, words};
use super::{Entry, all};

/// A reply and what is known of it.
#[derive(Debug, Clone)]
pub struct Explained {
    /// The reply, on one line, as a stranger wrote it.
    pub text: String,
    /// The remote host that said it, where the text says so.
    pub host: Option<String>,
    /// The addresses that it names, without that of the host.
    pub about: Vec<IpAddr>,
    /// What it means: an element for each thing known, and for each code that is not.
    pub meanings: Vec<Meaning>,
}

/// What a code in a reply means.
#[derive(Debug, Clone)]
pub struct Meaning {
    /// The codes that are meant; empty where neither a code nor a status is there.
    pub codes: Vec<String>,
    /// Whether the catalogue knows them. Where it does not, `entry` is what the standards say of the
    /// status, at most.
    pub known: bool,
    /// What is known.
    pub entry: Option<&'static Entry>,
}

impl Explained {
    /// Whether the catalogue knows anything of it.
    pub fn is_known(&self) -> bool {
        self.meanings.iter().any(|meaning| meaning.known)
    }
}

/// Explains every reply of a text: a reply, lines of a log, a bounce message, or codes alone. Lines in
/// which there is neither a code nor anything known are left out, unless there is no other.
///
/// ```
/// let explained = postwatch::codes::explain("550 5.7.1 on our block list (S3140) [192.0.2.7]");
/// assert_eq!(explained[0].meanings[0].codes, ["S3140"]);
/// assert_eq!(explained[0].about[0].to_string(), "192.0.2.7");
/// ```
pub fn explain(text: &str) -> Vec<Explained> {
    let mut explained: Vec<Explained> = replies(text)
        .into_iter()
        .map(|found| one(found.text, found.host))
        .collect();
    if explained.iter().any(|one| !one.meanings.is_empty()) {
        explained.retain(|one| !one.meanings.is_empty());
    } else {
        explained.truncate(1);
        for one in &mut explained {
            one.meanings.push(Meaning {
                codes: Vec::new(),
                known: false,
                entry: None,
            });
        }
    }
    explained
}

fn one(text: String, beside: Option<String>) -> Explained {
    let host = beside.or_else(|| host(&text).map(str::to_owned));
    let reply = Reply::of(&text);
    let known = all(&text, host.as_deref());
    let said: Vec<String> = known
        .iter()
        .filter(|known| known.is_exact())
        .flat_map(|known| known.codes.iter().map(ToString::to_string))
        .collect();
    let mut meanings: Vec<Meaning> = known
        .iter()
        .map(|known| Meaning {
            codes: known.codes.iter().map(ToString::to_string).collect(),
            known: known.is_exact(),
            entry: Some(known.entry),
        })
        .collect();
    // A code that the catalogue does not know, beside what it knows or not.
    let unknown = |code: &str| !said.iter().any(|said| said.eq_ignore_ascii_case(code));
    if let Some(code) = reply.code.filter(|code| unknown(code)) {
        let code = Meaning {
            codes: vec![code.to_owned()],
            known: false,
            entry: None,
        };
        meanings.insert(0, code);
    }
    if meanings.is_empty() && is_only_codes(&text) {
        meanings.push(Meaning {
            codes: words(&text).map(str::to_owned).collect(),
            known: false,
            entry: None,
        });
    }
    Explained {
        about: addresses(&text),
        text,
        host,
        meanings,
    }
}

/// Whether a text is nothing but a code or two, that is, words with digits in them.
fn is_only_codes(text: &str) -> bool {
    let is_code = |word: &str| {
        let digits = word.bytes().any(|b| b.is_ascii_digit());
        digits && Status::of(word).is_none() && word.len() <= 24
    };
    let mut words = words(text).take(9).peekable();
    words.peek().is_some() && words.all(is_code)
}
