//! `oarlock format`: makes a datastore of a plain file or block device.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use futures::channel::oneshot;
use futures::future::{Either, select};
use oarlock_block::{BlockSize, ByteCount, Fencing};
use oarlock_device::what_is_on;
use oarlock_format::{Label, NameError, SLOTS_MAX};
use oarlock_host::{FormatOptions, Formatted, HostError, MadeFile};

use crate::catalogue::Code;
use crate::failure::Failure;
use crate::stop::{Stop, interrupted};
use crate::terminal::progress_bar;
use crate::values::ValueError;
use crate::{report, values};

/// What helps after a format that was cut short.
const AGAIN: &str = "Run it again; it says where it needs `--force`.";

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
    #[arg(long, value_name = "SIZE", value_parser = values::device_size)]
    size: Option<ByteCount>,
    /// How many hosts the datastore has room for: 1 to 1024
    #[arg(long, default_value_t = 64, value_parser = slots)]
    slots: u16,
    /// The unit of allocation: a power of two from 4K to 1M
    #[arg(long, value_name = "SIZE", default_value = "64K", value_parser = values::cluster_size)]
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
    /// Where nothing can cut a dead host off: take over automatically after this time. Not safe: a write can wait in a
    /// kernel for ever. A plain file or local disk cuts off by its own locks: there it is kept, and changes nothing
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    drain: Option<Duration>,
    /// Overwrite what is recognised on the device, or any data in a plain file; never a datastore in which a host lives
    #[arg(long)]
    force: bool,
    /// Print JSON: `{id, name, device, block_size, cluster_size, clusters, slots, fencing}`
    #[arg(long)]
    json: bool,
}

fn slots(text: &str) -> Result<u16, ValueError> {
    values::count(text, 1, SLOTS_MAX)
}

fn label(text: &str) -> Result<Label, NameError> {
    Label::new(text)
}

/// Makes the datastore.
///
/// # Errors
/// Why not. What was on the device is untouched unless the format itself failed on the way; a file that was made for it
/// is removed.
pub fn run(arguments: Arguments) -> Result<u8, Failure> {
    let path = arguments.device.clone();
    let mut stop = Stop::catch()?;
    let absent = std::fs::symlink_metadata(&path).is_err_and(|error| error.kind() == ErrorKind::NotFound);
    if absent && arguments.size.is_none() {
        return Err(Failure::new(Code::SizeMissing, format!("{}: nothing is there", path.display())));
    }
    let made = arguments.size.and_then(|size| MadeFile::make(&path, size.0));
    if made.is_none() {
        refuse_what_is_there(&path, arguments.force)?;
    }
    let (json, drain) = (arguments.json, arguments.drain);
    let mut options = options(arguments);
    // The file is there; made once more after a signal has had it removed, it would stay.
    options.size = options.size.filter(|_| made.is_none());
    let formatted =
        until_a_signal(&mut stop, path.clone(), options, made).map_err(|failure| failure.on(&path))?;
    if drain.is_some() && formatted.fencing != Fencing::DrainOnly.name() {
        report::say(&format!(
            "note: --drain changes nothing here: dead hosts are cut off by {}, not by waiting",
            formatted.fencing
        ));
    }
    if json {
        report::print_json(&formatted)?
    } else {
        report::print(&text(&formatted))?
    }
    Ok(0)
}

fn options(arguments: Arguments) -> FormatOptions {
    FormatOptions {
        size: arguments.size.map(|size| size.0),
        slots: arguments.slots,
        cluster_size: arguments.cluster_size.0,
        block_size: arguments.block_size.map(BlockSize::bytes),
        beat: arguments.beat,
        lease: arguments.lease,
        watch: arguments.watch,
        hold: arguments.hold,
        drain: arguments.drain,
        force: arguments.force,
        ..FormatOptions::new(arguments.name.as_str())
    }
}

/// Whatever is recognised, sound or not: a datastore that this version cannot read is somebody's too.
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

/// Formats on a thread of its own, so that a signal is heard meanwhile. The thread ends with the program.
fn until_a_signal(
    stop: &mut Stop,
    path: PathBuf,
    options: FormatOptions,
    made: Option<MadeFile>,
) -> Result<Formatted, Failure> {
    let bar = progress_bar("formatting");
    let shown = bar.clone();
    let (sender, done) = oneshot::channel();
    let work = move || {
        let progress = |done, total| {
            shown.set_length(total);
            shown.set_position(done);
        };
        // Where nobody waits any more, a signal came.
        let _ = sender.send(oarlock_host::format(&path, &options, &progress));
    };
    let started = std::thread::Builder::new().name("oarlock-format".to_owned()).spawn(work);
    started.map_err(|error| Failure::system("a thread cannot be had", &error))?;
    let outcome = futures::executor::block_on(select(done, stop.signal()));
    bar.finish_and_clear();
    match outcome {
        Either::Left((Ok(outcome), _)) => {
            if let Some(made) = made {
                made.settle(&outcome);
            }
            Ok(outcome?)
        }
        Either::Left((Err(oneshot::Canceled), _)) => {
            Err(Failure::new(Code::System, "the format's thread died"))
        }
        Either::Right((name, _)) => Err(interrupted(name).with_cure(AGAIN)),
    }
}

fn text(made: &Formatted) -> String {
    format!(
        "{}: datastore {} ({}), {} slots, {} clusters of {}, blocks of {}, fencing {}\n",
        made.device,
        made.name,
        made.id,
        made.slots,
        made.clusters,
        ByteCount(made.cluster_size),
        made.block_size,
        made.fencing
    )
}
