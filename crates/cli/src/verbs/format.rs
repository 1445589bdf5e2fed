//! `oarlock format`: makes a datastore of a plain file or block device.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use oarlock_block::{BlockSize, ByteCount, Fencing};
use oarlock_device::{OpenOptions, what_is_on};
use oarlock_engine::{CreateError, CreateRequest, create};
use oarlock_format::{Label, NameError, Stamped, Superblock, Timing};
use oarlock_host::HostError;
use serde::Serialize;

use crate::catalogue::Code;
use crate::failure::Failure;
use crate::ground::{self, Ground};
use crate::own_file::OwnFile;
use crate::stop::Stop;
use crate::terminal::progress_bar;
use crate::{report, values};

/// What `oarlock format` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// A plain file, which is made if it is absent, or a block device
    #[arg(value_parser = values::device)]
    device: PathBuf,
    /// The datastore's name: 1 to 64 bytes
    #[arg(long, value_name = "LABEL", value_parser = label)]
    name: Label,
    /// The size of a plain file that is to be made: 256M suffice for 64 hosts
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    size: Option<ByteCount>,
    /// How many hosts the datastore has room for: 1 to 1024
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    slots: u16,
    /// The unit of allocation: a power of two from 4K to 1M
    #[arg(long, value_name = "SIZE", default_value = "64K", value_parser = values::size)]
    cluster_size: ByteCount,
    /// The logical block: 512 or 4096; without it, the smaller that the device can do
    #[arg(long, value_name = "SIZE", value_parser = values::block_size)]
    block_size: Option<BlockSize>,
    /// From one beat of a host to the next
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = values::time)]
    beat: Duration,
    /// For how long a beat lets its host act: at least four beats
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = values::time)]
    lease: Duration,
    /// For how long a slot must stand still before its host may be fenced; without it, 1.1 leases
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    watch: Option<Duration>,
    /// For how long a host that lost its lease holds its guests' I/O back
    #[arg(long, value_name = "TIME", default_value = "140s", value_parser = values::time)]
    hold: Duration,
    /// Where nothing can cut a dead host off: take over automatically after this time. Not safe: a write can wait in a kernel for ever
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    drain: Option<Duration>,
    /// Overwrite what is recognised on the device; never a datastore in which a host lives
    #[arg(long)]
    force: bool,
    /// Print JSON: `{id,name,device,block_size,cluster_size,clusters,slots,fencing}`
    #[arg(long)]
    json: bool,
}

fn label(text: &str) -> Result<Label, NameError> {
    Label::new(text)
}

/// The new datastore.
#[derive(Serialize)]
struct Formatted {
    id: String,
    name: String,
    device: String,
    block_size: u32,
    cluster_size: u64,
    clusters: u64,
    slots: u16,
    fencing: &'static str,
}

/// Makes the datastore.
///
/// # Errors
/// Why not. What was on the device is untouched unless the format itself failed on the way; a file that was made for it
/// is removed.
pub fn run(arguments: Arguments) -> Result<u8, Failure> {
    let path = &arguments.device;
    let request = request(&arguments)?;
    let mut stop = Stop::catch()?;
    let made = OwnFile::if_absent(path);
    if made.is_some() {
        if arguments.size.is_none() {
            let what = format!("{}: nothing is there", path.display());
            return Err(Failure::new(Code::SizeMissing, what));
        }
    } else {
        refuse_what_is_there(path, arguments.force)?;
    }
    let create = arguments.size.filter(|_| made.is_some());
    let options = OpenOptions { create, block_size: arguments.block_size, ..OpenOptions::default() };
    let mut ground = Ground::open(path, options)?;
    if let Some(asked) = arguments.size {
        check_size(path, &ground, asked)?;
    }
    let superblock = format(&mut ground, &mut stop, &request).map_err(|failure| failure.on(path))?;
    if let Some(made) = made {
        made.keep();
    }
    let formatted = Formatted::of(&superblock, path);
    if arguments.json {
        report::print_json(&formatted)?
    } else {
        report::print(&formatted.text())?
    }
    Ok(0)
}

/// What the engine is asked for, with the times checked before anything is opened.
fn request(arguments: &Arguments) -> Result<CreateRequest, Failure> {
    let timing = Timing {
        beat: arguments.beat,
        lease: arguments.lease,
        watch: arguments.watch.unwrap_or_else(|| watch_for(arguments.lease)),
        hold: arguments.hold,
        drain: arguments.drain,
    };
    timing.check().map_err(|error| Failure::from(CreateError::Timing(error)))?;
    Ok(CreateRequest {
        label: arguments.name.clone(),
        slots: arguments.slots,
        cluster_size: arguments.cluster_size,
        timing,
        force: arguments.force,
    })
}

/// 1.1 leases; of a lease that is refused anyway, no watch at all.
fn watch_for(lease: Duration) -> Duration {
    const LEASE_MAX: Duration = Duration::from_secs(366 * 24 * 3600);
    if lease > LEASE_MAX { lease } else { Timing::watch_for(lease) }
}

fn refuse_what_is_there(path: &Path, force: bool) -> Result<(), Failure> {
    if force || path.is_dir() {
        return Ok(());
    }
    // What cannot be read is refused by the device's own opening, in better words.
    match what_is_on(path) {
        Ok(Some(found)) => {
            Err(HostError::Foreign { path: path.to_owned(), what: found.what, at: found.at }.into())
        }
        _ => Ok(()),
    }
}

/// A file that is there is neither cut nor stretched.
fn check_size(path: &Path, ground: &Ground, asked: ByteCount) -> Result<(), Failure> {
    let geometry = ground.world.device.geometry();
    if asked.whole_blocks(geometry.block_size) == geometry.blocks {
        return Ok(());
    }
    Err(HostError::SizeDiffers { path: path.to_owned(), found: geometry.size().0, asked: asked.0 }.into())
}

fn format(
    ground: &mut Ground,
    stop: &mut Stop,
    request: &CreateRequest,
) -> Result<Stamped<Superblock>, Failure> {
    let bar = progress_bar("formatting");
    let world = &ground.world;
    let progress = |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let device = &ground.device;
    let made = ground::run(&mut ground.executor, stop, async {
        // The superblock is to name the file by an identity that a copy does not share.
        device.ensure_identity()?;
        Ok(create(world, request, &progress).await?)
    });
    bar.finish_and_clear();
    made
}

impl Formatted {
    fn of(superblock: &Stamped<Superblock>, path: &Path) -> Formatted {
        let Stamped { stamp, record } = superblock;
        Formatted {
            id: stamp.format_id.to_string(),
            name: record.label.as_str().to_owned(),
            device: path.display().to_string(),
            block_size: record.block_size.bytes(),
            cluster_size: record.cluster_size.0,
            clusters: record.clusters(),
            slots: record.slots,
            fencing: Fencing::name(record.fencing),
        }
    }

    fn text(&self) -> String {
        format!(
            "{}: datastore {} ({}), {} slots, {} clusters of {}, blocks of {}, fencing {}\n",
            self.device,
            self.name,
            self.id,
            self.slots,
            self.clusters,
            ByteCount(self.cluster_size),
            self.block_size,
            self.fencing
        )
    }
}
