//! A failure: what the one reporter shows, and the exit code that the program ends with.

use std::fmt;
use std::path::Path;

use miette::Diagnostic;
use oarlock_block::FaultSpecError;
use oarlock_engine::{Ended, JoinError, LockError, OpenError, ReadFault};
use oarlock_format::NameError;
use oarlock_host::api::ErrorBody;
use oarlock_host::{Code as HostCode, HostError};

use crate::catalogue::{Code, EXIT_FAILED, EXIT_TRY_AGAIN, EXIT_USAGE, Row};
use crate::values::ValueError;

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
    #[must_use]
    pub fn with_exit(self, exit: u8) -> Failure {
        Failure { exit, ..self }
    }

    /// The operating system refused `what`.
    #[must_use]
    pub fn system(what: &str, error: &std::io::Error) -> Failure {
        Failure::new(Code::System, format!("{what}: {error}"))
    }

    /// The same failure, said of a device.
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
        let host = |code: HostCode| {
            let entry = code.entry();
            ErrorBody { code: entry.code.to_owned(), message: what.to_owned(), hint: entry.cure.to_owned() }
        };
        match std::error::Error::source(error) {
            Some(source) if source.is::<NameError>() => host(HostCode::BadName).into(),
            Some(source) if source.is::<FaultSpecError>() => host(HostCode::FaultSpec).into(),
            Some(source) if source.is::<ValueError>() => Failure::new(Code::BadValue, what),
            _ => {
                let failure = Failure::new(Code::Usage, what);
                if rest.trim().is_empty() { failure } else { failure.with_cure(rest.trim_end()) }
            }
        }
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

impl From<ValueError> for Failure {
    fn from(error: ValueError) -> Failure {
        Failure::new(Code::BadValue, error.to_string())
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Failure {
        error.body().into()
    }
}

impl From<ErrorBody> for Failure {
    fn from(body: ErrorBody) -> Failure {
        let exit = exit_of(&body.code);
        Failure { code: body.code, what: body.message, cure: body.hint, exit }
    }
}

/// Errors of the layers below, which have their codes in the host's catalogue.
macro_rules! through_the_host {
    ($( $error:ty => |$name:ident| $host:expr; )+) => {
        $( impl From<$error> for Failure {
            fn from($name: $error) -> Failure {
                Failure::from($host)
            }
        } )+
    };
}

through_the_host! {
    oarlock_device::OpenError => |error| HostError::Device(error);
    oarlock_device::IdentityError => |error| HostError::Identity(error);
    OpenError => |error| HostError::Join(JoinError::Open(error));
    ReadFault => |error| HostError::Read(error);
    JoinError => |error| HostError::Join(error);
    LockError => |error| HostError::Lock(error);
    Ended => |error| HostError::Ended(error);
}

impl From<oarlock::Error> for Failure {
    fn from(error: oarlock::Error) -> Failure {
        let exit = if error.is_temporary() { EXIT_TRY_AGAIN } else { exit_of(error.code()) };
        let (code, cure) = (error.code().to_owned(), error.hint().to_owned());
        Failure { code, what: error.to_string(), cure, exit }
    }
}

/// The exit code of an error of the host's catalogue: most have failed, some are wrong usage.
fn exit_of(code: &str) -> u8 {
    if USAGE.iter().any(|known| known.text() == code) { EXIT_USAGE } else { EXIT_FAILED }
}

/// Errors of the command line that the host's catalogue has.
const USAGE: [HostCode; 6] = [
    HostCode::BadName,
    HostCode::Timing,
    HostCode::FaultSpec,
    HostCode::UnknownRecord,
    HostCode::SizeDiffers,
    HostCode::MustChoose,
];
