//! `oarlock resignature`: gives a copied datastore the identity of the device that it stands on.

use std::path::PathBuf;

use clap::Args;
use oarlock_device::OpenOptions;
use oarlock_engine::{ResignatureError, Resigned, resignature};
use serde::Serialize;

use crate::catalogue::Code;
use crate::failure::Failure;
use crate::ground::{self, Ground};
use crate::stop::Stop;
use crate::{report, values};

/// What `oarlock resignature` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "A datastore remembers the device that it was formatted on, so that a copy or an array's snapshot \
    is never taken for the original. A copy that is to be used beside the original, or in its place, gets a new identity \
    in both copies of its superblock. Nothing else changes: locks of hosts that the original had are taken over as those \
    of dead hosts are."
)]
pub struct Arguments {
    /// The copy: a plain file or block device
    #[arg(value_parser = values::device)]
    device: PathBuf,
    /// Print JSON: `{device,changed,was,identity}`
    #[arg(long)]
    json: bool,
}

/// The result.
#[derive(Serialize)]
struct Outcome {
    device: String,
    changed: bool,
    was: String,
    identity: String,
}

/// Writes the new identity, unless it stands there or a host lives in the datastore.
///
/// # Errors
/// Why not.
pub fn run(arguments: Arguments) -> Result<u8, Failure> {
    let path = &arguments.device;
    let mut stop = Stop::catch()?;
    let mut ground = Ground::open(path, OpenOptions::default())?;
    let resigned = ground::run(&mut ground.executor, &mut stop, async {
        // The superblock is read before the file gets an attribute: what is no datastore stays untouched.
        oarlock_engine::read_superblock(&ground.world).await?;
        ground.device.ensure_identity()?;
        resignature(&ground.world).await.map_err(Failure::from)
    })
    .map_err(|failure| failure.on(path))?;
    let (changed, was, identity) = match resigned {
        Resigned::AlreadyItsOwn { identity } => (false, identity.clone(), identity),
        Resigned::Renewed { was, identity } => (true, was, identity),
    };
    let outcome = Outcome {
        device: path.display().to_string(),
        changed,
        was: was.to_string(),
        identity: identity.to_string(),
    };
    if arguments.json {
        report::print_json(&outcome)?;
    } else {
        report::print(&outcome.text())?;
    }
    Ok(0)
}

impl Outcome {
    fn text(&self) -> String {
        if self.changed {
            format!("{}: the datastore is {} now; it was {}\n", self.device, self.identity, self.was)
        } else {
            format!("{}: the datastore names this very device already; nothing was written\n", self.device)
        }
    }
}

impl From<ResignatureError> for Failure {
    fn from(error: ResignatureError) -> Failure {
        match error {
            ResignatureError::Open(error) => error.into(),
            ResignatureError::Record(error) => error.into(),
            ResignatureError::Living { .. }
            | ResignatureError::Unrepaired { .. }
            | ResignatureError::Raced { .. }
            | ResignatureError::NoAnswer { .. }
            | ResignatureError::Device { .. } => Failure::new(Code::NotResignable, error.to_string()),
        }
    }
}
