//! `oarlock inspect`: decodes a record field by field, sound or not. It opens the device for reading only.

use std::path::PathBuf;

use clap::Args;
use oarlock_block::{BlockSize, Lba, SlotIndex};
use oarlock_device::OpenOptions;
use oarlock_engine::read_superblock;
use oarlock_format::{
    Chosen, DecodeError, FormatId, Kind, LockName, LockRecord, MailboxRecord, Place, Record, SlotRecord,
    Standing, decode, decode_superblock, describe, home, window,
};
use serde::Serialize;

use crate::catalogue::Code;
use crate::failure::Failure;
use crate::ground::Ground;
use crate::terminal::{Look, table};
use crate::{report, values};

/// What `oarlock inspect` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// A plain file or block device
    #[arg(value_parser = values::device)]
    device: PathBuf,
    /// `superblock` (the default), `slot N`, `mailbox N`, `lock NAME`, or the number of a block
    #[arg(num_args = 0..=2, value_name = "RECORD")]
    record: Vec<String>,
    /// Print JSON: `{lba, standing, verdict, fields:[{offset, length, name, value}]}`
    #[arg(long)]
    json: bool,
}

/// Which record is wanted.
enum Wanted {
    Superblock,
    Slot(SlotIndex),
    Mailbox(SlotIndex),
    Lock(LockName),
    Block(Lba),
}

/// What was found, for people and scripts.
#[derive(Serialize)]
struct Inspected {
    lba: u64,
    standing: String,
    /// `sound`, or the first doubt that the block does not stand.
    verdict: String,
    fields: Vec<FieldLine>,
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

impl Wanted {
    fn of(words: &[String]) -> Result<Wanted, Failure> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let unknown = || not_a_record(&words.join(" "));
        let slot = |text: &str| text.parse().map(SlotIndex).map_err(|_| unknown());
        match words.as_slice() {
            [] | ["superblock"] => Ok(Wanted::Superblock),
            ["slot", number] => slot(number).map(Wanted::Slot),
            ["mailbox", number] => slot(number).map(Wanted::Mailbox),
            ["lock", name] => {
                let name = LockName::new(name)
                    .map_err(|reason| oarlock_host::HostError::Name { text: (*name).to_owned(), reason })?;
                Ok(Wanted::Lock(name))
            }
            [number] => number.parse().map(|lba| Wanted::Block(Lba(lba))).map_err(|_| unknown()),
            _ => Err(unknown()),
        }
    }
}

fn not_a_record(text: &str) -> Failure {
    Failure::new(Code::Usage, format!("`{text}` names no record"))
        .with_cure("Records are `superblock`, `slot N`, `mailbox N`, `lock NAME`, or the number of a block.")
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
    };
    if lba.0 >= geometry.blocks.0 {
        let what = format!("block {lba} lies beyond the device's {} blocks", geometry.blocks.0);
        return Err(Failure::new(Code::NoSuchRecord, what));
    }
    let bytes = read(ground, lba)?;
    let chosen = chosen.ok();
    let standing = chosen.as_ref().map(|chosen| chosen.superblock.record.layout.kind_at(lba));
    let verdict = verdict(&bytes, lba, standing, chosen.map(|chosen| chosen.superblock.stamp.format_id));
    let fields = describe(&bytes).into_iter().map(|field| FieldLine {
        offset: field.offset,
        length: field.length,
        name: field.name,
        value: field.value,
    });
    Ok(Inspected { lba: lba.0, standing: standing_name(standing), verdict, fields: fields.collect() })
}

fn read(ground: &mut Ground, lba: Lba) -> Result<Vec<u8>, Failure> {
    let block: BlockSize = ground.world.device.geometry().block_size;
    let mut bytes = vec![0; block.length()];
    let device = ground.work();
    let outcome = ground.executor.block_on(device.read(lba, &mut bytes));
    outcome.map_err(|error| oarlock_engine::ReadFault::Unreadable { lba, error })?;
    Ok(bytes)
}

/// Where the record and the mailbox of a slot stand.
fn known_slot(chosen: &Chosen, slot: SlotIndex) -> Result<(Lba, Lba), Failure> {
    let layout = &chosen.superblock.record.layout;
    if slot.0 >= layout.slot_count() {
        let what = format!("there is no slot {slot}: the datastore has {}", layout.slot_count());
        return Err(Failure::new(Code::NoSuchRecord, what));
    }
    Ok((layout.slot(slot), layout.mailbox(slot)))
}

/// A lock stands in the window that its name hashes to, or nowhere.
fn find_lock(ground: &mut Ground, chosen: &Chosen, name: &LockName) -> Result<Lba, Failure> {
    let layout = chosen.superblock.record.layout;
    let format_id = chosen.superblock.stamp.format_id;
    for position in window(home(&format_id, name, layout.lock_positions())) {
        let lba = layout.lock(position);
        let bytes = read(ground, lba)?;
        let found = decode::<LockRecord>(&bytes, &Place { format_id, lba });
        if found.is_ok_and(|found| found.record.name.as_ref() == Some(name)) {
            return Ok(lba);
        }
    }
    Err(Failure::new(
        Code::NoSuchRecord,
        format!("no lock is called `{name}` in {}", chosen.superblock.record.label),
    ))
}

/// Whether the block holds what should stand there.
fn verdict(bytes: &[u8], lba: Lba, standing: Option<Standing>, format_id: Option<FormatId>) -> String {
    fn check<R: Record>(bytes: &[u8], place: &Place) -> Result<(), DecodeError> {
        decode::<R>(bytes, place).map(|_| ())
    }
    let superblock = || decode_superblock(bytes, lba).map(|_| ());
    let found = match (standing, format_id) {
        (Some(Standing::Superblock | Standing::Shadow), _) => superblock(),
        (None, _) if lba == Lba(0) => superblock(),
        (Some(standing), Some(format_id)) => {
            let place = Place { format_id, lba };
            match standing {
                Standing::Slot(_) => check::<SlotRecord>(bytes, &place),
                Standing::Mailbox(_) => check::<MailboxRecord>(bytes, &place),
                Standing::Lock(_) => check::<LockRecord>(bytes, &place),
                _ => return "no record of this version stands here".to_owned(),
            }
        }
        _ => return "without a superblock nothing is known of this block".to_owned(),
    };
    found.map_or_else(|error| error.to_string(), |()| "sound".to_owned())
}

fn standing_name(standing: Option<Standing>) -> String {
    match standing {
        None => "unknown".to_owned(),
        Some(Standing::Superblock) => Kind::Superblock.name().to_owned(),
        Some(Standing::Shadow) => "shadow of the superblock".to_owned(),
        Some(Standing::Slot(slot)) => format!("slot {slot}"),
        Some(Standing::Mailbox(slot)) => format!("mailbox {slot}"),
        Some(Standing::Scratch(index)) => format!("scratch {index}"),
        Some(Standing::Lock(position)) => format!("lock position {position}"),
        Some(Standing::Directory(index)) => format!("directory bucket {index}"),
        Some(Standing::Descriptor(index)) => format!("descriptor {index}"),
        Some(Standing::Journal(slot)) => format!("journal of slot {slot}"),
        Some(Standing::Group) => "allocation group".to_owned(),
        Some(Standing::Nothing) => "nothing".to_owned(),
    }
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
        format!("block {}: {}; {}\n\n{}", self.lba, self.standing, self.verdict, table(look, &rows))
    }
}
