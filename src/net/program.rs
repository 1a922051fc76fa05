//! Another program: input on its standard input, a bounded output, and an end in time.

use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// Runs a program, and gives what it wrote to its standard output: at most so many bytes and a line
/// end. Without
/// `input` it gets none. What it says on standard error is not looked at, since it may hold a secret.
///
/// # Errors
/// In words: it cannot be started, fails, writes too much, or does not end in time. In that case it is
/// ended, with all that it started.
pub fn run(
    mut command: Command,
    input: Option<Vec<u8>>,
    most: u64,
    patience: Duration,
) -> Result<Vec<u8>, String> {
    let deadline = Instant::now() + patience;
    // A group of its own, so that what it starts ends with it.
    command.process_group(0);
    command.stderr(Stdio::null()).stdin(match input {
        Some(_) => Stdio::piped(),
        None => Stdio::null(),
    });
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
        // Who does not read what it is given may still end well.
        thread::spawn(move || pipe.write_all(&input));
    }
    let output = output(&mut child, most, patience);
    let status = match &output {
        Ok(_) => wait(&mut child, deadline),
        Err(_) => None,
    };
    let Some(status) = status else {
        stop(&mut child);
        let late = format!("it gave no answer within {} s", patience.as_secs_f32());
        return Err(output.err().flatten().unwrap_or(late));
    };
    if !status.success() {
        return Err(format!("it ended with {status}"));
    }
    output.map_err(Option::unwrap_or_default)
}

/// What a program writes. The error is `None` where it does not end in time.
fn output(child: &mut Child, most: u64, patience: Duration) -> Result<Vec<u8>, Option<String>> {
    let Some(pipe) = child.stdout.take() else {
        return Ok(Vec::new());
    };
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = pipe.take(most + 3).read_to_end(&mut bytes);
        // Nobody listens any more where it came too late.
        let _ = send.send(read.map(|_| bytes));
    });
    match receive.recv_timeout(patience) {
        Ok(Ok(bytes)) if bytes.len() as u64 > most + 2 => {
            Err(Some(format!("it wrote more than {most} bytes")))
        }
        Ok(read) => read.map_err(|error| Some(error.to_string())),
        Err(_) => Err(None),
    }
}

/// Waits for the end of a process; `None` where it does not come in time.
fn wait(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Ends a process and all that it started.
fn stop(child: &mut Child) {
    if let Some(group) = Pid::from_raw(i32::try_from(child.id()).unwrap_or(0)) {
        // It may have ended by itself.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_that_takes_too_long_is_ended_with_all_that_it_started() {
        let started = Instant::now();
        for script in ["sleep 60", "sleep 60 & echo s3cret", "exec >&-; sleep 60"] {
            let error = run(shell(script), None, 100, Duration::from_millis(200)).unwrap_err();
            assert_eq!(error, "it gave no answer within 0.2 s", "{script}");
        }
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn input_is_given_and_need_not_be_read() {
        let minute = Duration::from_mins(1);
        let large = vec![b'x'; 1 << 20];
        let run = |script: &str| run(shell(script), Some(large.clone()), 100, minute);
        assert_eq!(run("wc -c").unwrap().trim_ascii(), b"1048576");
        assert_eq!(run("echo well").unwrap(), b"well\n");
        assert_eq!(run("cat").unwrap_err(), "it wrote more than 100 bytes");
        assert_eq!(run("exit 3").unwrap_err(), "it ended with exit status: 3");
    }
}
