//! What the sign-ins share: what the user is told to do, and what the user pastes.

use std::io::{self, BufRead as _, Read as _, Write};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::{ExitCode, failure};
use crate::output::inert;
use crate::pipeline::net;
use crate::pipeline::net::oauth::{Error, ErrorKind, Prompt};

/// Longest line that is read of standard input, in bytes: an address with a code.
const LINE: u64 = 64 << 10;
/// Most lines of it.
const LINES: usize = 100;

/// What signs in: it is given the ways to tell the user something, and to hear what was pasted.
type Ways<'a> = &'a mut dyn FnMut() -> Option<String>;

/// Has a user sign in, who is called this.
pub(super) fn with_user(
    user: &str,
    out: &mut dyn Write,
    sign_in: impl FnOnce(&mut dyn FnMut(Prompt<'_>), Ways<'_>) -> Result<(), Error>,
) -> io::Result<Result<(), Error>> {
    let mut told = Ok(());
    let mut lines: Option<Receiver<String>> = None;
    let signed_in = sign_in(
        &mut |prompt| {
            if told.is_ok() {
                told = tell(user, prompt, out);
            }
        },
        &mut || lines.get_or_insert_with(typed).try_recv().ok(),
    );
    told?;
    Ok(signed_in)
}

/// The lines of standard input, as they come. Whoever reads them is not waited for at the end.
fn typed() -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        let mut input = io::stdin().lock();
        for _ in 0..LINES {
            let mut line = Vec::new();
            match (&mut input).take(LINE).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let line = String::from_utf8_lossy(&line).trim().to_owned();
            if !line.is_empty() && sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// Says what the user is to do, at once: the program waits for it.
fn tell(user: &str, prompt: Prompt<'_>, out: &mut dyn Write) -> io::Result<()> {
    match prompt {
        Prompt::Code { url, code } => writeln!(
            out,
            "Open this page in a browser on any machine, enter the code, and sign in as {user}:\n\n  \
             {}\n  {}\n\nWaiting for that ...",
            inert(url),
            inert(code)
        )?,
        Prompt::Browser { url, port } => writeln!(
            out,
            "Open this page in a browser, and sign in as {user}:\n\n  {}\n\n\
             With a browser on this machine, that is all. One on another machine ends at a page that it\n\
             cannot open, at port {port} of itself: copy the whole address of that page, paste it here and\n\
             press Enter.\n\nWaiting for that ...",
            inert(url)
        )?,
        Prompt::NotThat(why) => writeln!(out, "This does not help: {why}")?,
    }
    out.flush()
}

/// Says why there was no sign-in, and gives the code for it.
pub(super) fn failed(name: &str, error: &Error, colours: bool) -> ExitCode {
    let what = format!("{name}: {error}");
    failure::error(&what, hint(error.kind), &mut io::stderr(), colours);
    code(error.kind)
}

/// The exit code for a sign-in that failed.
fn code(kind: ErrorKind) -> ExitCode {
    match kind {
        ErrorKind::Configuration | ErrorKind::Network(net::ErrorKind::CaFile) => {
            ExitCode::Configuration
        }
        ErrorKind::Denied | ErrorKind::Busy | ErrorKind::Network(_) => ExitCode::Network,
    }
}

fn hint(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::Denied => Some("the same command begins a new sign-in"),
        ErrorKind::Busy => Some("try again in a while"),
        ErrorKind::Configuration | ErrorKind::Network(_) => None,
    }
}
