//! `oarlock inspect`: decodes a record field by field, sound or not. It opens the device for reading only.

use std::path::PathBuf;

use clap::Args;
use oarlock_block::{BlockCount, BlockSize, Lba, SlotIndex};
use oarlock_device::OpenOptions;
use oarlock_engine::read_superblock;
use oarlock_format::{
    BitmapPage, BucketRecord, Chosen, DecodeError, DescriptorName, DescriptorNumber, DescriptorRecord,
    GroupRecord, InSpace, JournalBlock, JournalHeader, Kind, LockName, LockRecord, MailboxRecord, MapPage,
    PAGE_LENGTH, Place, Record, SlotRecord, Stamped, Standing, Superblock, decode, decode_superblock,
    describe, home, window,
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
    let superblock = chosen.ok().map(|chosen| chosen.superblock);
    let stands = superblock.as_ref().map(|superblock| Stands::at(&superblock.record, lba));
    // A page may reach beyond a device's end that is no multiple of it.
    let left = BlockCount(geometry.blocks.0 - lba.0).bytes(geometry.block_size);
    let is_page = stands.as_ref().is_some_and(Stands::is_page) && left.0 >= PAGE_LENGTH as u64;
    let length = if is_page { PAGE_LENGTH } else { 0 };
    let bytes = read_length(ground, lba, length)?;
    let verdict = verdict(&bytes, lba, stands.as_ref(), superblock.as_ref());
    let fields = describe(&bytes).into_iter().map(|field| FieldLine {
        offset: field.offset,
        length: field.length,
        name: field.name,
        value: field.value,
    });
    let standing = stands.map_or_else(|| "unknown".to_owned(), |stands| stands.name);
    Ok(Inspected { lba: lba.0, standing, verdict, fields: fields.collect() })
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

/// Whether bytes that were read at a place of a datastore are sound.
type Check = fn(&[u8], &Place, &Superblock) -> Result<(), DecodeError>;

/// What stands at an address: its name for people, and how it is checked.
struct Stands {
    name: String,
    kind: Option<Kind>,
    check: Option<Check>,
}

impl Stands {
    fn at(superblock: &Superblock, lba: Lba) -> Stands {
        let layout = &superblock.layout;
        let standing = layout.kind_at(lba);
        match standing {
            Standing::Superblock => {
                Stands::checked(Kind::Superblock.name().to_owned(), Kind::Superblock, superblock_copy)
            }
            Standing::Shadow => {
                Stands::checked("shadow of the superblock".to_owned(), Kind::Superblock, superblock_copy)
            }
            Standing::Slot(slot) => Stands::record::<SlotRecord>(format!("slot {slot}")),
            Standing::Mailbox(slot) => Stands::record::<MailboxRecord>(format!("mailbox {slot}")),
            Standing::Scratch(index) => Stands::nothing(format!("scratch {index}")),
            Standing::Lock(position) => Stands::record::<LockRecord>(format!("lock position {position}")),
            Standing::Nothing => Stands::nothing("nothing".to_owned()),
            _ if superblock.has_disks() => Stands::of_disks(superblock, standing, lba),
            Standing::Directory(index) => Stands::nothing(format!("directory bucket {index}")),
            Standing::Descriptor(index) => Stands::nothing(format!("descriptor {index}")),
            Standing::Journal(slot) => Stands::nothing(format!("journal of slot {slot}")),
            Standing::Group => Stands::nothing("allocation group".to_owned()),
        }
    }

    fn of_disks(superblock: &Superblock, standing: Standing, lba: Lba) -> Stands {
        let layout = &superblock.layout;
        match standing {
            Standing::Directory(index) => Stands::record::<BucketRecord>(format!("directory bucket {index}")),
            Standing::Descriptor(index) => {
                let number = DescriptorNumber(u32::try_from(index).unwrap_or_default());
                if lba == layout.descriptor(number) {
                    Stands::record::<DescriptorRecord>(format!("descriptor {index}"))
                } else {
                    Stands::record::<DescriptorName>(format!("name of descriptor {index}"))
                }
            }
            Standing::Journal(slot) => {
                let ring = layout.journal(slot, superblock.block_size);
                match ring.index_of(lba) {
                    _ if lba == ring.header => {
                        Stands::record::<JournalHeader>(format!("journal of slot {slot}, header"))
                    }
                    Some(index) => {
                        let name = format!("journal of slot {slot}, block {index}");
                        Stands::checked(name, Kind::JournalBlock, journal_block)
                    }
                    None => Stands::nothing(format!("journal of slot {slot}")),
                }
            }
            _ => match superblock.space().at(lba) {
                Some(InSpace::Record(group)) => Stands::record::<GroupRecord>(format!("group {group}")),
                Some(InSpace::Bitmap(group)) => {
                    Stands::checked(format!("bitmap of group {group}"), Kind::BitmapPage, bitmap_page)
                }
                // Whether it holds a map's page or a guest's data only a map knows.
                Some(InSpace::Cluster(cluster)) => {
                    Stands::checked(format!("cluster {cluster}"), Kind::MapPage, map_page)
                }
                _ => Stands::nothing("allocation group".to_owned()),
            },
        }
    }

    fn record<R: Record>(name: String) -> Stands {
        Stands::checked(name, R::KIND, |bytes, place, _| decode::<R>(bytes, place).map(|_| ()))
    }

    fn checked(name: String, kind: Kind, check: Check) -> Stands {
        Stands { name, kind: Some(kind), check: Some(check) }
    }

    fn nothing(name: String) -> Stands {
        Stands { name, kind: None, check: None }
    }

    fn is_page(&self) -> bool {
        self.kind.is_some_and(|kind| !kind.is_record())
    }
}

fn superblock_copy(bytes: &[u8], place: &Place, _: &Superblock) -> Result<(), DecodeError> {
    decode_superblock(bytes, place.lba).map(|_| ())
}

fn journal_block(bytes: &[u8], place: &Place, _: &Superblock) -> Result<(), DecodeError> {
    JournalBlock::decode(bytes, place).map(|_| ())
}

fn bitmap_page(bytes: &[u8], place: &Place, _: &Superblock) -> Result<(), DecodeError> {
    BitmapPage::decode(bytes, place).map(|_| ())
}

fn map_page(bytes: &[u8], place: &Place, superblock: &Superblock) -> Result<(), DecodeError> {
    MapPage::decode(bytes, place, &superblock.map_shape()).map(|_| ())
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
