//! A program that is asked for what it knows: for a bounded time, and up to a bounded length.

use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Where programs of administrators lie, which the paths of other users leave out.
const FOLDERS: [&str; 3] = ["/usr/sbin/", "/sbin/", ""];
/// Bytes of an answer; the rest is not read.
const ANSWER_MAX: u64 = 64 << 20;
/// Between two looks whether a program has ended.
const LOOK: Duration = Duration::from_millis(10);

/// Runs a program and gives what it printed.
///
/// # Errors
/// In words: that it is not there, that it failed and what it said, or that it did not end within `limit`; it is killed
/// then.
pub fn ask(program: &str, arguments: &[&str], limit: Duration) -> Result<String, String> {
    let until = Instant::now() + limit;
    let mut child = start(program, arguments).map_err(|error| format!("{program}: {error}"))?;
    let output = child.stdout.take().map(drain);
    let complaint = child.stderr.take().map(drain);
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < until => thread::sleep(LOOK),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("{program} did not end within {} s", limit.as_secs()));
            }
            Err(error) => return Err(format!("{program}: {error}")),
        }
    };
    // What it started may hold the pipe for longer than it lived itself.
    let text = |pipe: Option<mpsc::Receiver<Vec<u8>>>| {
        let left = until.saturating_duration_since(Instant::now()).max(LOOK);
        let bytes = pipe.and_then(|pipe| pipe.recv_timeout(left).ok()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let (output, complaint) = (text(output), text(complaint));
    if status.success() {
        return Ok(output);
    }
    let said =
        complaint.lines().chain(output.lines()).find(|line| !line.trim().is_empty()).unwrap_or("nothing");
    Err(format!("{program} failed ({status}) and said: {}", said.trim()))
}

fn start(program: &str, arguments: &[&str]) -> io::Result<std::process::Child> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for folder in FOLDERS {
        let mut command = Command::new(format!("{folder}{program}"));
        command
            .args(arguments)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        match command.spawn() {
            Ok(child) => return Ok(child),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Reads a pipe on a thread of its own, so that a program that prints much does not wait for its reader.
fn drain(pipe: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let _ = thread::Builder::new().name("oarlock-pipe".to_owned()).spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.take(ANSWER_MAX).read_to_end(&mut bytes);
        sender.send(bytes)
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    #[test]
    fn a_program_is_heard_to_its_end_or_its_failure_is_told() {
        assert_eq!(ask("sh", &["-c", "printf 'one\ntwo'"], LIMIT).unwrap(), "one\ntwo");
        let failed = ask("sh", &["-c", "echo permission denied >&2; exit 3"], LIMIT).unwrap_err();
        assert!(failed.contains("exit status: 3") && failed.ends_with("permission denied"), "{failed}");
        assert!(ask("no-such-program-here", &[], LIMIT).is_err());
    }

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let began = Instant::now();
        let told = ask("sleep", &["600"], Duration::from_millis(100)).unwrap_err();
        assert!(told.contains("did not end") && began.elapsed() < LIMIT, "{told}");
    }
}
