//! The program `oarlock`: one verb, one file under verbs/; results to standard output, all else to standard error.

mod arguments;
mod bench;
mod catalogue;
mod cures;
mod demo;
mod failure;
mod gate;
mod ground;
mod guarded;
mod host_choice;
mod report;
mod stop;
mod terminal;
mod values;
mod verbs;
mod watchman;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Program;
use crate::failure::Failure;

fn main() -> ExitCode {
    report::install();
    let json = arguments::asks_for_json(std::env::args_os().skip(1));
    let program = match Program::try_parse() {
        Ok(program) => program,
        // Help and version are no errors.
        Err(error) if !error.use_stderr() => {
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        Err(error) => return report::failed(Failure::usage(&error), json),
    };
    match program.verb.run() {
        Ok(exit) => ExitCode::from(exit),
        Err(failure) => report::failed(failure, json),
    }
}
