//! A failure: what the one reporter shows, and the exit code that the program ends with.

use std::fmt;
#[cfg(feature = "datastore")]
use std::path::Path;

use clap::error::ErrorKind;
use miette::Diagnostic;

use crate::catalogue::{Code, Row};

#[cfg(feature = "datastore")]
mod below;
#[cfg(feature = "datastore")]
mod image;

/// What went wrong: a code, what happened and where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    code: String,
    what: String,
    cure: String,
    /// What the program ends with.
    pub exit: u8,
}

impl Failure {
    /// An error of the program's own; `what` says what happened, and to what.
    #[must_use]
    pub fn new(code: Code, what: impl Into<String>) -> Failure {
        let Row { code, cure, exit, .. } = code.row();
        Failure { code: code.to_owned(), what: what.into(), cure: cure.to_owned(), exit }
    }

    /// The same, with a cure for this very case instead of the catalogue's.
    #[must_use]
    pub fn with_cure(self, cure: impl Into<String>) -> Failure {
        Failure { cure: cure.into(), ..self }
    }

    /// The same, with another exit code.
    #[cfg(feature = "datastore")]
    #[must_use]
    pub fn with_exit(self, exit: u8) -> Failure {
        Failure { exit, ..self }
    }

    /// The same, with more of what happened.
    #[cfg(feature = "datastore")]
    #[must_use]
    pub fn and(self, more: &str) -> Failure {
        Failure { what: format!("{}; {more}", self.what), ..self }
    }

    /// Whether it is this error of a host.
    #[cfg(feature = "datastore")]
    #[must_use]
    pub fn is(&self, code: oarlock_host::Code) -> bool {
        self.code == code.text()
    }

    /// The operating system refused `what`.
    #[must_use]
    pub fn system(what: &str, error: &std::io::Error) -> Failure {
        Failure::new(Code::System, format!("{what}: {error}"))
    }

    /// The same failure, said of a device.
    #[cfg(feature = "datastore")]
    #[must_use]
    pub fn on(self, device: &Path) -> Failure {
        let place = device.display().to_string();
        // Some errors name their device themselves.
        if self.what.contains(&place) {
            return self;
        }
        Failure { what: format!("{place}: {}", self.what), ..self }
    }

    /// What `--json` writes to standard error: a script finds there what a person reads without it.
    #[must_use]
    pub fn document(&self) -> serde_json::Value {
        serde_json::json!({
            "error": { "code": self.code, "message": self.what, "hint": self.cure },
            "exit": self.exit,
        })
    }

    /// What clap found wrong: its sentence, and its usage as the cure.
    #[must_use]
    pub fn usage(error: &clap::Error) -> Failure {
        let text = error.render().to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let (what, rest) = text.split_once("\n\n").unwrap_or((text, ""));
        let what = what.trim_end();
        #[cfg(feature = "datastore")]
        if let Some(failure) = below::of_value(error, what) {
            return failure;
        }
        // Clap takes its help for the error where a verb is missing: what follows names them.
        let missing = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
        let failure = Failure::new(Code::Usage, if missing { "a verb is missing" } else { what });
        let rest = rest.trim_end();
        let rest = rest.strip_suffix("For more information, try '--help'.").unwrap_or(rest).trim_end();
        if rest.is_empty() { failure } else { failure.with_cure(rest) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.what)
    }
}

impl std::error::Error for Failure {}

impl Diagnostic for Failure {
    fn code(&self) -> Option<Box<dyn fmt::Display + '_>> {
        Some(Box::new(&self.code))
    }

    fn help(&self) -> Option<Box<dyn fmt::Display + '_>> {
        Some(Box::new(&self.cure))
    }
}
