//! `oarlock inspect`: decodes a record field by field, sound or not. It opens the device for reading only.

mod stands;
mod summary;
mod wanted;

use std::path::PathBuf;

use clap::Args;
use oarlock_block::{BlockCount, BlockSize, Lba};
use oarlock_device::OpenOptions;
use oarlock_engine::read_superblock;
use oarlock_format::{PAGE_LENGTH, Place, Stamped, Superblock, decode_superblock, describe};
use serde::Serialize;

use crate::catalogue::Code;
use crate::failure::Failure;
use crate::ground::Ground;
use crate::terminal::{Look, table};
use crate::{report, values};

use stands::Stands;
use summary::Looked;
use wanted::{Wanted, find_lock, known_slot, of_disks};

/// What `oarlock inspect` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// A plain file or block device
    #[arg(value_parser = values::device)]
    device: PathBuf,
    /// `superblock` (the default), `slot N`, `mailbox N`, `lock NAME`, `disk NAME[@SNAP]`, `journal N`, `descriptor N`,
    /// `bucket N`, `group N`, or the number of a block
    #[arg(num_args = 0..=2, value_name = "RECORD")]
    record: Vec<String>,
    /// Print JSON: `{lba, standing, verdict, fields:[{offset, length, name, value}], summary:[{name, value}],
    /// related:[{lba, standing, verdict}]}`
    #[arg(long)]
    json: bool,
}

/// What was found, for people and scripts.
#[derive(Serialize)]
struct Inspected {
    lba: u64,
    standing: String,
    /// `sound`, or the first doubt that the block does not stand.
    verdict: String,
    fields: Vec<FieldLine>,
    /// What a record of disks comes to.
    summary: Vec<summary::Line>,
    /// Blocks that tell of the same thing.
    related: Vec<Related>,
}

#[derive(Serialize)]
struct Related {
    lba: u64,
    standing: String,
    verdict: String,
}

#[derive(Serialize)]
struct FieldLine {
    offset: usize,
    length: usize,
    name: &'static str,
    value: String,
}

/// Prints the record.
///
/// # Errors
/// Where the device cannot be read, or there is no such record.
pub fn run(arguments: Arguments) -> Result<u8, Failure> {
    let wanted = Wanted::of(&arguments.record)?;
    let options = OpenOptions { read_only: true, ..OpenOptions::default() };
    let mut ground = Ground::open_datastore(&arguments.device, options)?;
    let inspected = inspect(&mut ground, &wanted).map_err(|failure| failure.on(&arguments.device))?;
    if arguments.json {
        report::print_json(&inspected)?;
    } else {
        report::print(&inspected.text(Look::of_output()))?;
    }
    Ok(0)
}

fn inspect(ground: &mut Ground, wanted: &Wanted) -> Result<Inspected, Failure> {
    // A device whose superblock is lost can still be looked at, block by block.
    let chosen = ground.executor.block_on(read_superblock(&ground.world));
    let geometry = ground.world.device.geometry();
    let lba = match (wanted, &chosen) {
        (Wanted::Superblock, _) => Lba(0),
        (Wanted::Block(lba), _) => *lba,
        (_, Err(error)) => return Err(error.clone().into()),
        (Wanted::Slot(slot), Ok(chosen)) => known_slot(chosen, *slot)?.0,
        (Wanted::Mailbox(slot), Ok(chosen)) => known_slot(chosen, *slot)?.1,
        (Wanted::Lock(name), Ok(chosen)) => find_lock(ground, chosen, name)?,
        (_, Ok(chosen)) => of_disks(ground, chosen, wanted)?,
    };
    if lba.0 >= geometry.blocks.0 {
        let what = format!("block {lba} lies beyond the device's {} blocks", geometry.blocks.0);
        return Err(Failure::new(Code::NoSuchRecord, what));
    }
    let superblock = chosen.ok().map(|chosen| chosen.superblock);
    let stands = superblock.as_ref().map(|superblock| Stands::at(&superblock.record, lba));
    let (standing, verdict, bytes) = judge(ground, superblock.as_ref(), stands, lba)?;
    let fields = describe(&bytes).into_iter().map(|field| FieldLine {
        offset: field.offset,
        length: field.length,
        name: field.name,
        value: field.value,
    });
    let fields = fields.collect();
    let mut inspected =
        Inspected { lba: lba.0, standing, verdict, fields, summary: Vec::new(), related: Vec::new() };
    if let Some(superblock) = &superblock {
        let summary = Looked { ground, superblock }.summary(lba)?;
        inspected.summary = summary.lines;
        for lba in summary.related.into_iter().filter(|lba| lba.0 < geometry.blocks.0) {
            let stands = Some(Stands::at(&superblock.record, lba));
            let (standing, verdict, _) = judge(ground, Some(superblock), stands, lba)?;
            inspected.related.push(Related { lba: lba.0, standing, verdict });
        }
    }
    Ok(inspected)
}

/// What stands at an address, whether it is sound, and its bytes.
fn judge(
    ground: &mut Ground,
    superblock: Option<&Stamped<Superblock>>,
    stands: Option<Stands>,
    lba: Lba,
) -> Result<(String, String, Vec<u8>), Failure> {
    let geometry = ground.world.device.geometry();
    // A page may reach beyond a device's end that is no multiple of it.
    let left = BlockCount(geometry.blocks.0 - lba.0).bytes(geometry.block_size);
    let is_page = stands.as_ref().is_some_and(Stands::is_page) && left.0 >= PAGE_LENGTH as u64;
    let length = if is_page { PAGE_LENGTH } else { 0 };
    let bytes = read_length(ground, lba, length)?;
    let verdict = verdict(&bytes, lba, stands.as_ref(), superblock);
    Ok((stands.map_or_else(|| "unknown".to_owned(), |stands| stands.name), verdict, bytes))
}

fn read(ground: &mut Ground, lba: Lba) -> Result<Vec<u8>, Failure> {
    read_length(ground, lba, 0)
}

/// Reads so many bytes; one block at least.
fn read_length(ground: &mut Ground, lba: Lba, length: usize) -> Result<Vec<u8>, Failure> {
    let block: BlockSize = ground.world.device.geometry().block_size;
    let mut bytes = vec![0; block.length().max(length)];
    let device = ground.work();
    let outcome = ground.executor.block_on(device.read(lba, &mut bytes));
    outcome.map_err(|error| oarlock_engine::ReadFault::Unreadable { lba, error })?;
    Ok(bytes)
}

/// Whether the block holds what should stand there.
fn verdict(
    bytes: &[u8],
    lba: Lba,
    stands: Option<&Stands>,
    superblock: Option<&Stamped<Superblock>>,
) -> String {
    let found = match (stands, superblock) {
        (Some(stands), Some(superblock)) => match stands.check {
            Some(check) => {
                let format_id = superblock.stamp.format_id;
                check(bytes, &Place { format_id, lba }, &superblock.record)
            }
            None => return "no record of this version stands here".to_owned(),
        },
        _ if lba == Lba(0) => decode_superblock(bytes, lba).map(|_| ()),
        _ => return "without a superblock nothing is known of this block".to_owned(),
    };
    found.map_or_else(|error| error.to_string(), |()| "sound".to_owned())
}

impl Inspected {
    fn text(&self, look: Look) -> String {
        let heading = ["BYTE", "LENGTH", "FIELD", "VALUE"].map(str::to_owned).to_vec();
        let rows = self.fields.iter().map(|field| {
            vec![
                field.offset.to_string(),
                field.length.to_string(),
                field.name.to_owned(),
                field.value.clone(),
            ]
        });
        let rows: Vec<_> = std::iter::once(heading).chain(rows).collect();
        let mut text = format!("block {}: {}; {}\n\n", self.lba, self.standing, self.verdict);
        for line in &self.summary {
            text += &format!("{}: {}\n", line.name, line.value);
        }
        for related in &self.related {
            text += &format!("see block {}: {}; {}\n", related.lba, related.standing, related.verdict);
        }
        if !self.summary.is_empty() || !self.related.is_empty() {
            text.push('\n');
        }
        text + &table(look, &rows)
    }
}
