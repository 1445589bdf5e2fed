//! The program `oarlock`: one verb, one file under verbs/; results to standard output, all else to standard error.

mod arguments;
#[cfg(feature = "datastore")]
mod array;
#[cfg(feature = "datastore")]
mod bench;
#[cfg_attr(not(feature = "datastore"), allow(dead_code, reason = "one catalogue, whichever verbs are built"))]
mod catalogue;
#[cfg(feature = "datastore")]
mod cures;
#[cfg(feature = "datastore")]
mod demo;
mod failure;
#[cfg(feature = "datastore")]
mod gate;
#[cfg(feature = "datastore")]
mod ground;
#[cfg(feature = "datastore")]
mod guarded;
#[cfg(feature = "datastore")]
mod host_choice;
#[cfg(feature = "doctor")]
mod live;
#[cfg(feature = "doctor")]
mod logs;
#[cfg(feature = "datastore")]
mod lun_values;
mod report;
#[cfg(feature = "doctor")]
mod report_file;
#[cfg(feature = "datastore")]
mod stop;
mod terminal;
#[cfg(feature = "datastore")]
mod values;
mod verbs;
#[cfg(feature = "datastore")]
mod watchman;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Program;
use crate::failure::Failure;

fn main() -> ExitCode {
    #[cfg(feature = "datastore")]
    {
        stop::outlive_file_limits();
        stop::catch_early(std::env::args_os().skip(1));
    }
    report::install();
    let json = arguments::asks_for_json(std::env::args_os().skip(1));
    let program = match Program::try_parse() {
        Ok(program) => program,
        // Help and version are no errors.
        Err(error) if !error.use_stderr() => {
            let written = report::written(error.print().and_then(|()| std::io::stdout().flush()));
            return written.map_or_else(|failure| report::failed(failure, json), |()| ExitCode::SUCCESS);
        }
        Err(error) => return report::failed(Failure::usage(&error), json),
    };
    match program.verb.run() {
        Ok(exit) => ExitCode::from(exit),
        Err(failure) => report::failed(failure, json),
    }
}
