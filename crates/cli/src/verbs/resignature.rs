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
    /// Print JSON: `{device, changed, was, identity}`
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
    let mut ground = Ground::open_datastore(path, OpenOptions::default())?;
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
            | ResignatureError::Signing(_) => Failure::new(Code::NotResignable, error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oarlock_block::{CommandKind, Device, FaultSpec, Faulty, Metered, Surroundings};
    use oarlock_engine::SigningError;
    use oarlock_host::FormatOptions;
    use std::path::Path;
    use std::rc::Rc;

    /// A copy of a datastore, with `fault` on its device; and the swaps that a resignature of it sent.
    fn resign(fault: &str) -> (Result<Resigned, ResignatureError>, u64) {
        let folder = local();
        let (pool, copy) = (folder.path().join("pool"), folder.path().join("copy"));
        let options = FormatOptions { size: Some(64 << 20), slots: 8, ..FormatOptions::new("store") };
        oarlock_host::format(&pool, &options, &|_, _| {}).unwrap();
        std::fs::copy(&pool, &copy).unwrap();
        let mut ground = Ground::open(&copy, OpenOptions::default()).unwrap();
        let metered = Rc::new(Metered::new(ground.work(), Rc::clone(&ground.world.clock)));
        let spawner = ground.executor.spawner();
        let surroundings = Surroundings {
            clock: Rc::clone(&ground.world.clock),
            spawn: Rc::new(move |future| spawner.spawn(future).detach()),
            record_at: Rc::new(|_| None),
        };
        let specs: Vec<FaultSpec> = vec![fault.parse().unwrap()];
        let device = Rc::clone(&metered) as Rc<dyn Device>;
        let faulty = Faulty::new(device, specs, surroundings);
        let world = oarlock_engine::World { device: Rc::new(faulty), ..ground.world.clone() };
        let resigned = ground.executor.block_on(resignature(&world));
        assert!(resigned.is_err() || ground.executor.block_on(oarlock_engine::open(&ground.world)).is_ok());
        (resigned, metered.meter(CommandKind::Ats).issued)
    }

    fn local() -> tempfile::TempDir {
        let folders = ["/tmp", "/dev/shm", env!("CARGO_MANIFEST_DIR")].map(Path::new);
        let mut local = folders.into_iter().filter(|path| oarlock_device::is_local(path));
        local.find_map(|path| tempfile::tempdir_in(path).ok()).unwrap()
    }

    #[test]
    fn a_sound_device_gets_one_swap_for_each_copy() {
        let (resigned, swaps) = resign("unknown:op=ats,lba=99");
        assert!(matches!(resigned, Ok(Resigned::Renewed { .. })));
        assert_eq!(swaps, 2);
    }

    #[test]
    fn a_swap_that_landed_without_an_answer_is_known_by_its_own_nonce() {
        let (resigned, swaps) = resign("unknown:op=ats,lba=0,count=1");
        assert!(matches!(resigned, Ok(Resigned::Renewed { .. })), "{resigned:?}");
        assert_eq!(swaps, 2, "it is adopted, not sent again");
        let (resigned, _) = resign("repeat:op=ats,lba=0,count=1");
        assert!(matches!(resigned, Ok(Resigned::Renewed { .. })), "its own image was taken for another's");
    }

    #[test]
    fn a_false_answer_to_an_equal_block_is_tried_again_with_a_new_image() {
        let (resigned, _) = resign("false-although-equal:lba=0,count=2");
        assert!(matches!(resigned, Ok(Resigned::Renewed { .. })), "{resigned:?}");
    }

    #[test]
    fn a_device_that_never_answers_clearly_is_given_up() {
        let (resigned, _) = resign("false-although-equal:lba=0");
        assert!(
            matches!(resigned, Err(ResignatureError::Signing(SigningError::NoAnswer { .. }))),
            "{resigned:?}"
        );
    }

    #[test]
    fn a_refusal_is_reported_and_nothing_was_swapped() {
        let (resigned, swaps) = resign("refuse:op=ats");
        assert!(resigned.is_err());
        assert_eq!(swaps, 0);
    }
}
