//! A shell in a virtual machine, by a serial line: one line is a command, and what comes back ends with `=== STATUS` (init.sh).

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::ground::eventually;

/// Far more than any command here takes under TCG on a busy machine.
const LIMIT: Duration = Duration::from_secs(180);
/// How long one look at the line takes.
const LOOK: Duration = Duration::from_millis(200);

/// The line.
pub struct Shell {
    line: BufReader<UnixStream>,
}

impl Shell {
    /// Connects, and waits until the machine listens.
    ///
    /// # Errors
    /// Where it does not.
    pub fn connect(socket: &Path) -> Result<Shell, String> {
        let mut stream = None;
        eventually("the machine has its serial line", LIMIT, || {
            stream = UnixStream::connect(socket).ok();
            stream.is_some()
        })?;
        let stream = stream.ok_or("there is no serial line")?;
        stream.set_read_timeout(Some(LOOK)).map_err(|error| format!("the serial line: {error}"))?;
        let mut shell = Shell { line: BufReader::new(stream) };
        shell.answer().map_err(|trouble| format!("the machine comes up: {trouble}"))?;
        Ok(shell)
    }

    /// Runs a command: how it ended, and what it said.
    ///
    /// # Errors
    /// Where no answer comes.
    pub fn run(&mut self, command: &str) -> Result<(i32, String), String> {
        let sent = writeln!(self.line.get_mut(), "{}", command);
        sent.map_err(|error| format!("the serial line: {error}"))?;
        self.answer().map_err(|trouble| format!("{command}: {trouble}"))
    }

    /// The same, of a command that must end well.
    ///
    /// # Errors
    /// What it said where it ended otherwise.
    pub fn must(&mut self, command: &str) -> Result<String, String> {
        self.must_end(command, 0)
    }

    /// The same, of a command that must end in that way.
    ///
    /// # Errors
    /// What it said where it ended otherwise.
    pub fn must_end(&mut self, command: &str, wanted: i32) -> Result<String, String> {
        match self.run(command)? {
            (status, said) if status == wanted => Ok(said),
            (status, said) => Err(format!("{command}: it ended with {status}, not {wanted}:\n{said}")),
        }
    }

    /// Runs a command again and again, until it says that.
    ///
    /// # Errors
    /// Where it does not within the time; what it said last.
    pub fn until(&mut self, command: &str, wanted: &str) -> Result<String, String> {
        let until = Instant::now() + LIMIT;
        loop {
            let (_, said) = self.run(command)?;
            if said.contains(wanted) {
                return Ok(said);
            }
            if Instant::now() > until {
                return Err(format!("{command}: it never said \"{wanted}\", at last:\n{said}"));
            }
        }
    }

    fn answer(&mut self) -> Result<(i32, String), String> {
        let (until, mut said, mut line) = (Instant::now() + LIMIT, String::new(), Vec::new());
        while Instant::now() < until {
            match self.line.read_until(b'\n', &mut line) {
                Ok(0) => return Err("the machine is gone".to_owned()),
                Ok(_) if line.ends_with(b"\n") => {
                    let whole = String::from_utf8_lossy(&std::mem::take(&mut line)).replace('\r', "");
                    match whole.strip_prefix("=== ").and_then(|status| status.trim().parse().ok()) {
                        Some(status) => return Ok((status, said)),
                        None => said += &whole,
                    }
                }
                // A part of a line, and then silence.
                Ok(_) => {}
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock) => {}
                Err(error) => return Err(format!("the serial line: {error}")),
            }
        }
        Err(format!("no answer within {} s, but:\n{said}", LIMIT.as_secs()))
    }
}
