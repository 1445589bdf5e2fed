//! `oarlock grow`: the datastore uses what its device gained.

use std::path::PathBuf;

use clap::Args;
use oarlock_block::ByteCount;
use oarlock_device::OpenOptions;
use oarlock_engine::{GrowError, Grown, grow};
use oarlock_format::Superblock;
use oarlock_host::HostError;
use serde::Serialize;

use crate::catalogue::Code;
use crate::failure::Failure;
use crate::ground::{self, Ground};
use crate::stop::Stop;
use crate::{report, values};

/// What `oarlock grow` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "Enlarge the LUN or the file first (`truncate --size`), then run this once, on any machine that has it. \
    The hosts go on meanwhile, and each is told; those that did not answer are named. Broken off, it is run again. \
    A datastore never shrinks."
)]
pub struct Arguments {
    /// A plain file or block device that became longer
    #[arg(value_parser = values::device)]
    device: PathBuf,
    /// Print JSON: `{device,changed,was,size,clusters,unseen_by}`, sizes in bytes
    #[arg(long)]
    json: bool,
}

/// The result.
#[derive(Serialize)]
struct Outcome {
    device: String,
    changed: bool,
    was: u64,
    size: u64,
    clusters: u64,
    unseen_by: Vec<String>,
}

/// Grows the datastore, where its device gained anything.
///
/// # Errors
/// Why not.
pub fn run(arguments: Arguments) -> Result<u8, Failure> {
    let path = &arguments.device;
    let mut stop = Stop::catch()?;
    let mut ground = Ground::open_datastore(path, OpenOptions::default())?;
    let grown = ground::run(&mut ground.executor, &mut stop, async {
        grow(&ground.world).await.map_err(Failure::from)
    })
    .map_err(|failure| failure.on(path))?;
    let outcome = Outcome::new(path.display().to_string(), grown);
    if arguments.json {
        report::print_json(&outcome)?;
    } else {
        report::print(&outcome.text())?;
    }
    Ok(0)
}

impl Outcome {
    fn new(device: String, grown: Grown) -> Outcome {
        let bytes = |superblock: &Superblock| superblock.device_blocks.bytes(superblock.block_size).0;
        Outcome {
            device,
            changed: grown.was != grown.now,
            was: bytes(&grown.was),
            size: bytes(&grown.now),
            clusters: grown.now.clusters(),
            unseen_by: grown.unseen_by,
        }
    }

    fn text(&self) -> String {
        let (was, size) = (ByteCount(self.was), ByteCount(self.size));
        let mut text = if self.changed {
            format!("{}: the datastore has {size} now, it had {was}\n", self.device)
        } else {
            format!("{}: the device gained nothing that the datastore could use: {size}\n", self.device)
        };
        if !self.unseen_by.is_empty() {
            let hosts = self.unseen_by.join(", ");
            text.push_str(&format!(
                "not seen yet by {hosts}: run it again once they beat or were taken over\n"
            ));
        }
        text
    }
}

impl From<GrowError> for Failure {
    fn from(error: GrowError) -> Failure {
        match error {
            GrowError::Open(error) => error.into(),
            GrowError::Record(error) => error.into(),
            GrowError::Layout(error) => HostError::Create(error.into()).into(),
            GrowError::Unrepaired { .. }
            | GrowError::Signing(_)
            | GrowError::Unasked { .. }
            | GrowError::UnderWay
            | GrowError::Enter(_)
            | GrowError::Group { .. } => Failure::new(Code::NotGrown, error.to_string()),
        }
    }
}
