//! Which record is wanted, and where it stands.

use oarlock_block::{Lba, SlotIndex};
use oarlock_format::{
    BucketNumber, BucketRecord, Chosen, DescriptorName, DescriptorNumber, DiskTarget, GroupNumber, LayerId,
    LayerName, LockName, LockRecord, NameHash, Place, decode, home, window,
};

use super::read;
use crate::catalogue::Code;
use crate::failure::Failure;
use crate::ground::Ground;

/// Which record is wanted.
pub enum Wanted {
    Superblock,
    Slot(SlotIndex),
    Mailbox(SlotIndex),
    Lock(LockName),
    Disk(DiskTarget),
    Journal(SlotIndex),
    Descriptor(DescriptorNumber),
    Bucket(BucketNumber),
    Group(GroupNumber),
    Block(Lba),
}

impl Wanted {
    pub fn of(words: &[String]) -> Result<Wanted, Failure> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let unknown = || not_a_record(&words.join(" "));
        let slot = |text: &str| text.parse().map(SlotIndex).map_err(|_| unknown());
        let counted = |text: &str| text.parse::<u32>().map_err(|_| unknown());
        match words.as_slice() {
            [] | ["superblock"] => Ok(Wanted::Superblock),
            ["slot", number] => slot(number).map(Wanted::Slot),
            ["mailbox", number] => slot(number).map(Wanted::Mailbox),
            ["journal", number] => slot(number).map(Wanted::Journal),
            ["descriptor", number] => {
                counted(number).map(|number| Wanted::Descriptor(DescriptorNumber(number)))
            }
            ["bucket", number] => counted(number).map(|number| Wanted::Bucket(BucketNumber(number))),
            ["group", number] => counted(number).map(|number| Wanted::Group(GroupNumber(number))),
            ["disk", name] => {
                let target = DiskTarget::new(name)
                    .map_err(|reason| oarlock_host::HostError::Name { text: (*name).to_owned(), reason })?;
                Ok(Wanted::Disk(target))
            }
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
        .with_cure(
            "Records are `superblock`, `slot N`, `mailbox N`, `lock NAME`, `disk NAME[@SNAP]`, `journal N`, `descriptor N`, \
             `bucket N`, `group N`, or the number of a block.",
        )
}

/// Where the record and the mailbox of a slot stand.
pub fn known_slot(chosen: &Chosen, slot: SlotIndex) -> Result<(Lba, Lba), Failure> {
    let layout = &chosen.superblock.record.layout;
    if slot.0 >= layout.slot_count() {
        let what = format!("there is no slot {slot}: the datastore has {}", layout.slot_count());
        return Err(Failure::new(Code::NoSuchRecord, what));
    }
    Ok((layout.slot(slot), layout.mailbox(slot)))
}

/// A lock stands in the window that its name hashes to, or nowhere.
pub fn find_lock(ground: &mut Ground, chosen: &Chosen, name: &LockName) -> Result<Lba, Failure> {
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

/// Where a record of disks stands.
pub fn of_disks(ground: &mut Ground, chosen: &Chosen, wanted: &Wanted) -> Result<Lba, Failure> {
    let superblock = &chosen.superblock.record;
    let layout = &superblock.layout;
    if !superblock.has_disks() {
        let what = format!("{} was formatted without disks", superblock.label);
        return Err(Failure::new(Code::NoSuchRecord, what));
    }
    let within = |what: &str, number: u32, count: u32| {
        let message = || format!("there is no {what} {number}: the datastore has {count}");
        if number < count { Ok(()) } else { Err(Failure::new(Code::NoSuchRecord, message())) }
    };
    match wanted {
        Wanted::Journal(slot) => {
            known_slot(chosen, *slot)?;
            Ok(layout.journal(*slot, superblock.block_size).header)
        }
        Wanted::Descriptor(number) => {
            within("descriptor", number.0, layout.descriptor_count()).map(|()| layout.descriptor(*number))
        }
        Wanted::Bucket(number) => {
            within("bucket", number.0, layout.bucket_count()).map(|()| layout.bucket(*number))
        }
        Wanted::Group(number) => within("group", number.0, superblock.space().groups())
            .map(|()| superblock.space().record(*number)),
        Wanted::Disk(target) => find_disk(ground, chosen, target),
        Wanted::Superblock | Wanted::Slot(_) | Wanted::Mailbox(_) | Wanted::Lock(_) | Wanted::Block(_) => {
            Ok(Lba(0))
        }
    }
}

/// A disk is found by the bucket of its name, and a snapshot by that of its disk's descriptor and its own.
fn find_disk(ground: &mut Ground, chosen: &Chosen, target: &DiskTarget) -> Result<Lba, Failure> {
    let format_id = chosen.superblock.stamp.format_id;
    let unknown = || {
        let what = format!("no bucket of {} leads to `{target}`", chosen.superblock.record.label);
        Failure::new(Code::NoSuchRecord, what)
            .with_cure("`oarlock check DEVICE` names the descriptors of disks that no bucket leads to; `inspect DEVICE descriptor N` shows one.")
    };
    let disk = NameHash::of_disk(&format_id, &target.disk);
    let disk = find_named(ground, chosen, disk, &target.disk)?.ok_or_else(unknown)?;
    let Some(snapshot) = &target.snapshot else {
        return Ok(chosen.superblock.record.layout.descriptor(disk.descriptor));
    };
    let hash = NameHash::of_snapshot(&format_id, disk, snapshot);
    let found = find_named(ground, chosen, hash, snapshot)?.ok_or_else(unknown)?;
    Ok(chosen.superblock.record.layout.descriptor(found.descriptor))
}

fn find_named(
    ground: &mut Ground,
    chosen: &Chosen,
    hash: NameHash,
    name: &LayerName,
) -> Result<Option<LayerId>, Failure> {
    let layout = chosen.superblock.record.layout;
    let format_id = chosen.superblock.stamp.format_id;
    let lba = layout.bucket(layout.bucket_of(hash));
    let bytes = read(ground, lba)?;
    let Ok(bucket) = decode::<BucketRecord>(&bytes, &Place { format_id, lba }) else { return Ok(None) };
    for entry in bucket.record.of_hash(hash) {
        if entry.layer.descriptor.0 >= layout.descriptor_count() {
            continue;
        }
        let lba = layout.descriptor_name(entry.layer.descriptor);
        let bytes = read(ground, lba)?;
        let named = decode::<DescriptorName>(&bytes, &Place { format_id, lba });
        if named.is_ok_and(|named| {
            named.record.name.as_ref() == Some(name) && named.record.uid == entry.layer.uid
        }) {
            return Ok(Some(entry.layer));
        }
    }
    Ok(None)
}
