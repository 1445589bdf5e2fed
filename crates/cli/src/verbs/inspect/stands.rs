//! What stands at an address: its name for people, and how it is checked.

use oarlock_block::Lba;
use oarlock_format::{
    BitmapPage, BucketRecord, DecodeError, DescriptorName, DescriptorNumber, DescriptorRecord, GroupRecord,
    InSpace, JournalBlock, JournalHeader, Kind, LockRecord, MailboxRecord, MapPage, Place, Record,
    SlotRecord, Standing, Superblock, decode, decode_superblock,
};

/// Whether bytes that were read at a place of a datastore are sound.
pub type Check = fn(&[u8], &Place, &Superblock) -> Result<(), DecodeError>;

/// What stands at an address: its name for people, and how it is checked.
pub struct Stands {
    pub name: String,
    kind: Option<Kind>,
    pub check: Option<Check>,
}

impl Stands {
    pub fn at(superblock: &Superblock, lba: Lba) -> Stands {
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

    pub fn is_page(&self) -> bool {
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
