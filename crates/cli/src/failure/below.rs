//! Failures of the layers below: the engine, its devices, the host; and the values that they refuse.

use oarlock_block::FaultSpecError;
use oarlock_engine::{Ended, JoinError, LockError, OpenError, ReadFault};
use oarlock_format::NameError;
use oarlock_host::api::ErrorBody;
use oarlock_host::{Code as HostCode, HostError};

use super::Failure;
use crate::catalogue::{Code, EXIT_FAILED, EXIT_TRY_AGAIN, EXIT_USAGE};
use crate::values::ValueError;

/// The failure that a value was refused with; `None` where clap itself refused the command line.
pub(super) fn of_value(error: &clap::Error, what: &str) -> Option<Failure> {
    let host = |code: HostCode| {
        let entry = code.entry();
        ErrorBody { code: entry.code.to_owned(), message: what.to_owned(), hint: entry.cure.to_owned() }
    };
    match std::error::Error::source(error)? {
        source if source.is::<NameError>() => Some(host(HostCode::BadName).into()),
        source if source.is::<FaultSpecError>() => Some(host(HostCode::FaultSpec).into()),
        source if source.is::<HostError>() => {
            let body = source.downcast_ref::<HostError>().map(HostError::body);
            body.map(|body| ErrorBody { message: what.to_owned(), ..body }.into())
        }
        source if source.is::<ValueError>() => Some(Failure::new(Code::BadValue, what)),
        _ => None,
    }
}

impl Failure {
    /// The failure as an API tells it.
    #[must_use]
    pub fn body(&self) -> ErrorBody {
        ErrorBody { code: self.code.clone(), message: self.what.clone(), hint: self.cure.clone() }
    }
}

impl From<ValueError> for Failure {
    fn from(error: ValueError) -> Failure {
        Failure::new(Code::BadValue, error.to_string())
    }
}

impl From<oarlock_target::TargetError> for Failure {
    fn from(error: oarlock_target::TargetError) -> Failure {
        Failure::new(Code::TargetNotStarted, error.to_string())
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
const USAGE: [HostCode; 9] = [
    HostCode::BadName,
    HostCode::BadPlace,
    HostCode::DiskSize,
    HostCode::Timing,
    HostCode::Parameters,
    HostCode::FaultSpec,
    HostCode::UnknownRecord,
    HostCode::SizeDiffers,
    HostCode::MustChoose,
];
