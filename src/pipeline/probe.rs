//! Reading a message in a process of its own, to see whether it survives.
//!
//! A pass that ended in the middle of a message proves nothing about it: the machine may have lost its
//! power. A process that does nothing but read this one message, and dies, proves it.

use std::io::Write as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::net::Stop;
use crate::store::CRASHED;

/// Attempts that never came back after which a message is read in a process of its own.
pub(super) const SUSPECT: u32 = 2;
/// Most memory of the process, in bytes: a message is at most `limits.message`, and documents stream.
const MEMORY: u64 = 4 << 30;
/// Most processor time of the process, in seconds. The largest documents that the limits allow take
/// a few.
const SECONDS: u64 = 300;
/// How long the process may take on a machine that has no time for it.
const PATIENCE: Duration = Duration::from_mins(15);

/// How messages are tried.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The configuration, so that the same limits hold.
    pub config: Option<PathBuf>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The message can be read.
    Survived,
    /// Reading it ended the process; the reason, for the quarantine.
    Died(String),
    /// It could not be tried; nothing is known.
    Unknown(String),
}

impl Probe {
    /// Tries a message.
    pub(super) fn read(&self, message: &[u8], stop: &Stop) -> Verdict {
        let mut child = match self.command().spawn() {
            Ok(child) => child,
            Err(error) => return Verdict::Unknown(error.to_string()),
        };
        // Before it is given anything to read.
        limit(&child);
        std::thread::scope(|scope| {
            if let Some(mut pipe) = child.stdin.take() {
                // Where it dies first, nobody reads the rest.
                scope.spawn(move || pipe.write_all(message));
            }
            match wait(&mut child, stop) {
                Some(status) => judge(status),
                None => Verdict::Unknown("it was ended before it was done".to_owned()),
            }
        })
    }

    fn command(&self) -> Command {
        // The very program that is running, even where its file was replaced meanwhile.
        let running = Path::new("/proc/self/exe");
        let program = match std::env::current_exe() {
            Ok(path) if !running.exists() => path,
            _ => running.to_owned(),
        };
        let mut command = Command::new(program);
        if let Some(config) = &self.config {
            command.arg("--config").arg(config);
        }
        command.args(["parse", "--format", "none", "-"]);
        command.stdin(Stdio::piped());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        // A signal from the terminal is for us: it must not look like the message's doing.
        command.process_group(0);
        command
    }
}

#[cfg(target_os = "linux")]
fn limit(child: &Child) {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
        return;
    };
    for (resource, limit) in [(Resource::As, MEMORY), (Resource::Cpu, SECONDS)] {
        let limit = Rlimit {
            current: Some(limit),
            maximum: Some(limit.saturating_add(5)),
        };
        // Without a limit the process is only less bounded.
        let _ = prlimit(Some(pid), resource, limit);
    }
}

#[cfg(not(target_os = "linux"))]
fn limit(_: &Child) {}

/// Waits for the end; `None` where it did not come in time and was made.
fn wait(child: &mut Child, stop: &Stop) -> Option<ExitStatus> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if Instant::now() >= deadline || stop.wait(Duration::from_millis(5)) {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
    }
}

fn judge(status: ExitStatus) -> Verdict {
    // SIGHUP, SIGINT, SIGQUIT, SIGTERM: somebody ended it.
    const ENDED: [i32; 4] = [1, 2, 3, 15];
    // What Rust exits with after a panic that nobody caught.
    const PANIC: i32 = 101;
    match (status.code(), status.signal()) {
        (Some(0), _) => Verdict::Survived,
        (_, Some(signal)) if !ENDED.contains(&signal) => {
            Verdict::Died(format!("{CRASHED} (signal {signal})"))
        }
        (Some(PANIC), _) => Verdict::Died(format!("{CRASHED} (a panic)")),
        _ => Verdict::Unknown(format!("it ended with {status}")),
    }
}
