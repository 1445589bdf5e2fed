//! The command line: the one list of verbs. Help, man page and completions come from here.

use std::ffi::OsString;

use clap::{Parser, Subcommand};

use crate::failure::Failure;
use crate::verbs;

/// One LUN, many hosts: a datastore of locks on a shared device, where the disk is the referee.
#[derive(Debug, Parser)]
#[command(
    name = "oarlock",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = "Exit codes: 0 done; 1 it failed and said why; 2 wrong usage; 75 try again; those of `lock run` are in its help."
)]
pub struct Program {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Defines the verbs: the variant, the module whose `Arguments` and `run` it has, and the feature that it is a part of.
macro_rules! verbs {
    ($( $(#[$attribute:meta])* $verb:ident => $module:ident $(in $feature:literal)?; )+) => {
        /// What the program can do; one file of verbs/ each.
        #[derive(Debug, Subcommand)]
        pub enum Verb {
            $( $(#[$attribute])* $(#[cfg(feature = $feature)])? $verb(verbs::$module::Arguments), )+
        }

        impl Verb {
            /// Does it; the answer is the program's exit code.
            ///
            /// # Errors
            /// Why it failed.
            pub fn run(self) -> Result<u8, Failure> {
                match self {
                    $( $(#[cfg(feature = $feature)])? Verb::$verb(arguments) => verbs::$module::run(arguments), )+
                }
            }
        }
    };
}

verbs! {
    /// Make a datastore of a plain file or block device
    Format => format in "datastore";
    /// Be a host of a datastore, in the foreground, until SIGTERM
    Up => up in "datastore";
    /// The datastore, and the host that answers
    Status => status in "datastore";
    /// Every host that has a slot
    Hosts => hosts in "datastore";
    /// Every lock that is held
    Locks => locks in "datastore";
    /// Every false and every unknown answer with its cause, every fence and takeover
    Events => events in "datastore";
    /// Run a command under a lock of the datastore
    Lock => lock in "datastore";
    /// Virtual disks: make, serve, snapshot, clone and delete them
    Disk => disk in "datastore";
    /// Take over a host that is dead
    Evict => evict in "datastore";
    /// Check every invariant of a datastore, offline or beside its hosts; and repair it
    Check => check in "datastore";
    /// Decode a record of a device field by field; never writes
    Inspect => inspect in "datastore";
    /// Use what a datastore's device gained
    Grow => grow in "datastore";
    /// Give a copied datastore a life of its own
    Resignature => resignature in "datastore";
    /// Be an array: serve files and block devices over iSCSI
    Target => target in "datastore";
    /// Find out from logs why an atomic test and set was false, and what to do
    Doctor => doctor in "doctor";
    /// The catalogue: why an atomic test and set can be false, what proves it, what helps
    Causes => causes;
    /// Measure what a device can do
    Bench => bench in "datastore";
    /// Run the protocol in the seeded world, under every fault, and judge it
    Sim => sim in "datastore";
    /// See the main job in a minute: locks, deaths, a disk and late answers, on real processes and a real file
    Demo => demo in "datastore";
    /// Started by `lock run` beside the command; of no use by itself
    #[command(hide = true)]
    Guard => guard in "datastore";
    /// Write the man page to standard output
    #[command(hide = true)]
    Man => man in "datastore";
    /// Write a shell's completions to standard output
    #[command(hide = true)]
    Completions => completions in "datastore";
}

/// Whether failures are to be told in JSON too: asked of the words themselves, since a command line that is not understood
/// must be answered in the same form. What follows `--` belongs to another program.
#[must_use]
pub fn asks_for_json(words: impl Iterator<Item = OsString>) -> bool {
    words.take_while(|word| word != "--").any(|word| word == "--json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn json_is_asked_for_by_the_program_s_own_words_alone() {
        let asks = |line: &str| asks_for_json(line.split(' ').map(OsString::from));
        assert!(asks("status --json"));
        assert!(asks("status --nonsense --json"));
        assert!(!asks("status"));
        assert!(!asks("lock run nightly -- jq --json"));
    }

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Program::command().debug_assert();
    }

    #[test]
    fn every_verb_and_flag_that_is_shown_has_its_help() {
        fn check(command: &clap::Command) {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name} has no help");
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                assert!(argument.get_help().is_some(), "{name}: {} has no help", argument.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Program::command());
    }
}
