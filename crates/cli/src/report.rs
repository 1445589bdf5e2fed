//! The reporter: how results and failures reach a person or a script.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use serde::Serialize;

use crate::catalogue::Code;
use crate::failure::Failure;
use crate::terminal::colours_wanted;

/// Makes miette the reporter: on a terminal with colours and wrapped lines, elsewhere plain, with whole lines that a
/// script can search.
pub fn install() {
    let terminal = io::stderr().is_terminal();
    let hook: miette::ErrorHook = Box::new(move |_| {
        let handler = miette::MietteHandlerOpts::new()
            .color(terminal && colours_wanted())
            .unicode(terminal)
            .wrap_lines(terminal)
            .break_words(false);
        Box::new(handler.build())
    });
    // It fails only where a hook stands already, and this is the first.
    let _ = miette::set_hook(hook);
}

/// Reports a failure, for people or as one JSON document; the program ends with its exit code.
#[must_use]
pub fn failed(failure: Failure, json: bool) -> ExitCode {
    let exit = failure.exit;
    let text =
        if json { failure.document().to_string() } else { format!("{:?}", miette::Report::new(failure)) };
    // Where standard error is closed, the exit code has to do.
    let _ = writeln!(io::stderr(), "{text}");
    ExitCode::from(exit)
}

/// Says something on standard error, for people.
#[cfg(feature = "datastore")]
pub fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Writes a result to standard output.
///
/// # Errors
/// Where it cannot be written. A reader that went away (`| head`) had all that it wanted.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::system("standard output cannot be written", &error))
        }
        _ => Ok(()),
    }
}

/// Writes one JSON document to standard output, on one line.
///
/// # Errors
/// As [`print`].
pub fn print_json(document: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(document).map_err(|error| {
        Failure::new(Code::System, format!("the result cannot be put into JSON: {error}"))
    })?;
    print(&(text + "\n"))
}
