//! `oarlock disk import`: makes a disk of an image file, whole or not at all.

use std::path::PathBuf;

use clap::Args;
use indicatif::BinaryBytes;
use oarlock::{Api, Purpose};
use oarlock_format::LayerName;
use oarlock_host::Code as HostCode;
use oarlock_image::{ImageError, Imported, Onlooker, Source, disk_size, import};
use serde::Serialize;

use super::copy::{FormatName, Watcher, attach};
use super::{disk_name, thick};
use crate::catalogue::EXIT_FAILED;
use crate::failure::Failure;
use crate::host_choice::HostChoice;
use crate::report;
use crate::stop::Stop;

/// Blocks that a datastore may have: its disks end at one. Which of them it has is found by asking for a disk.
const BLOCK_SIZES: [u64; 2] = [512, 4096];

/// What `oarlock disk import` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "The whole image is looked through before a disk is made for it. The disk is the host's until the image is on it, \
    flushed; then any host may attach it. A copy that fails, or is ended by SIGINT, SIGTERM or the end of its terminal, takes the disk away again. \
    What stood empty, or was zeros, takes no space, but on a thick disk. Nothing but FILE is opened: an image that names another one is refused. \
    Whose guest wrote a raw image also wrote its beginning, and may have made it look like qcow2: say what a stranger's image is."
)]
pub struct Arguments {
    /// The image: a file or a block device, which nobody writes
    file: PathBuf,
    /// The new disk: 1 to 255 bytes, `/` between folders, no `@`
    #[arg(value_parser = disk_name)]
    name: LayerName,
    /// What the image is; without it, its beginning tells
    #[arg(long, value_enum)]
    format: Option<FormatName>,
    /// Allocate and zero all of the disk first; what several hosts are to write at once must be thick
    #[arg(long)]
    thick: bool,
    #[command(flatten)]
    choice: HostChoice,
    /// Print JSON: `{name, size, format, written, snapshots_left_out}`
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    name: &'a str,
    size: u64,
    format: String,
    /// Bytes of it that were written; the rest is zeros.
    written: u64,
    /// The image's own snapshots, which stay behind.
    snapshots_left_out: u32,
}

/// Makes it.
///
/// # Errors
/// Why there is none.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut watcher = Watcher::new(Stop::catch()?, "importing");
    let name = arguments.name.as_str();
    let api = arguments.choice.find(Purpose::OneHost)?;
    let mut source = Source::open(&arguments.file, arguments.format.map(Into::into))?;
    source.survey(&watcher).map_err(|error| watcher.failure(error))?;
    let size = create(source.size_bytes(), |size| {
        if arguments.thick {
            let interrupted = || watcher.wants_out().then(|| watcher.failure(ImageError::Interrupted));
            thick::create(&api, name, size, interrupted)
        } else {
            Ok(api.create_disk(name, size)?)
        }
    })
    .map_err(|failure| doubtful(name, failure))?;
    let copied = copy(&api, name, &mut source, &mut watcher);
    watcher.finish();
    let Imported { written_bytes, .. } = copied?;
    let done = Report {
        name,
        size,
        format: source.format().to_string(),
        written: written_bytes,
        snapshots_left_out: source.snapshots(),
    };
    if arguments.json { report::print_json(&done) } else { report::print(&text(&done)) }
}

/// Makes the empty disk; gives its size.
fn create(image_bytes: u64, make: impl Fn(u64) -> Result<(), Failure>) -> Result<u64, Failure> {
    let [size, larger] = BLOCK_SIZES.map(|block| disk_size(image_bytes, block));
    match make(size) {
        Err(failure) if failure.is(HostCode::DiskSize) && larger != size => make(larger).map(|()| larger),
        made => made.map(|()| size),
    }
}

/// Where the disk was asked for, and the answer was lost. Whoever deletes it now might delete another's.
fn doubtful(name: &str, failure: Failure) -> Failure {
    if failure.is(HostCode::NoReply) || failure.is(HostCode::ConnectionLost) {
        failure.and(&format!("an empty disk {name} may have been made"))
    } else {
        failure
    }
}

/// Attaches the empty disk, fills it and detaches it. The disk goes where it is not whole.
fn copy(api: &Api, name: &str, source: &mut Source, watcher: &mut Watcher) -> Result<Imported, Failure> {
    let address = attach(api, name, false).map_err(|failure| undone(api, name, failure))?;
    match import(source, &address, watcher) {
        Ok(imported) => {
            let still = |error| {
                Failure::from(error).and(&format!("{name} has the whole image, and is attached still"))
            };
            api.detach_disk(name).map_err(still)?;
            Ok(imported)
        }
        Err(error) => {
            let failure = watcher.failure(error);
            // Where it fails the disk cannot be deleted, which tells why.
            let _ = api.detach_disk(name);
            Err(undone(api, name, failure))
        }
    }
}

/// Takes the half-made disk away; the failure says so where that cannot be done, and trying again would then find the name taken.
fn undone(api: &Api, name: &str, failure: Failure) -> Failure {
    match api.delete_disk(name) {
        Ok(()) => failure,
        Err(error) => {
            let cure = format!(
                "`oarlock disk detach {name}`, then `oarlock disk delete {name}`; then run it again."
            );
            failure
                .and(&format!("the half-made disk {name} is there still: {error}"))
                .with_cure(cure)
                .with_exit(EXIT_FAILED)
        }
    }
}

fn text(done: &Report<'_>) -> String {
    let (size, written) = (BinaryBytes(done.size), BinaryBytes(done.written));
    let mut text = format!("{} has the image: {size}, of which {written} are data\n", done.name);
    if done.snapshots_left_out > 0 {
        text +=
            &format!("what the image keeps as its own snapshots stays behind: {}\n", done.snapshots_left_out);
    }
    text
}
