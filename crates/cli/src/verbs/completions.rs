//! `oarlock completions`: a shell's completions, from the definition of the command line.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::arguments::Program;
use crate::failure::Failure;
use crate::report;

/// What `oarlock completions` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Writes the completions.
///
/// # Errors
/// Where standard output cannot be written.
pub fn run(arguments: Arguments) -> Result<u8, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut Program::command(), "oarlock", &mut text);
    report::print(&String::from_utf8_lossy(&text))?;
    Ok(0)
}
