//! `oarlock man`: the man page, from the definition of the command line.

use clap::{Args, CommandFactory};

use crate::arguments::Program;
use crate::failure::Failure;
use crate::report;

/// `oarlock man` takes nothing, or a verb.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The verb whose page is wanted, as in `lock run`; without it the program's own
    verb: Vec<String>,
}

/// Writes the page.
///
/// # Errors
/// Where there is no such verb, or standard output cannot be written.
pub fn run(arguments: Arguments) -> Result<u8, Failure> {
    let mut command = Program::command();
    command.build();
    for name in &arguments.verb {
        command = match command.find_subcommand(name) {
            Some(found) => found.clone(),
            None => {
                let error = command
                    .error(clap::error::ErrorKind::InvalidSubcommand, format!("there is no verb `{name}`"));
                return Err(Failure::usage(&error));
            }
        };
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .map_err(|error| Failure::system("the man page cannot be made", &error))?;
    report::print(&String::from_utf8_lossy(&page))?;
    Ok(0)
}
