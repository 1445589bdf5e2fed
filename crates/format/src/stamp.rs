//! The stamp: the 88 bytes at the head of each record that say what it is, whose, where, and who wrote it when.

use oarlock_block::{Lba, SlotIndex};

use crate::SLOTS_MAX;
use crate::error::DecodeError;
use crate::ids::{FormatId, Generation, HostId, Incarnation, Nonce};
use crate::table::{Draft, FieldSpec, View, field_table};

/// The bytes of the stamp.
pub const STAMP_LENGTH: usize = 88;

/// The version of the format that this program reads and writes.
pub const VERSION: u16 = 1;

/// What each magic starts with.
pub(crate) const MAGIC_PREFIX: [u8; 4] = *b"OARL";

/// A slot field that names none.
pub(crate) const NO_SLOT: u16 = 0xFFFF;

field_table! {
    0, STAMP_LENGTH;
    MAGIC: 0, 8, "magic", Shape::Letters;
    VERSION: 8, 2, "version", Shape::Number;
    RESERVED_VERSION: 10, 2, "reserved", Shape::Reserved;
    CHECKSUM: 12, 4, "checksum", Shape::Checksum;
    FORMAT_ID: 16, 16, "format id", Shape::Hex;
    LBA: 32, 8, "own address", Shape::Number;
    GENERATION: 40, 8, "generation", Shape::Number;
    WRITER_HOST: 48, 8, "writer host", Shape::Hex;
    WRITER_INCARNATION: 56, 8, "writer incarnation", Shape::Number;
    WRITER_SLOT: 64, 2, "writer slot", Shape::Slot;
    RESERVED_WRITER: 66, 6, "reserved", Shape::Reserved;
    NONCE: 72, 16, "nonce", Shape::Hex;
}

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The datastore's own description.
    Superblock,
    /// A host's heartbeat.
    Slot,
    /// Hints for a host.
    Mailbox,
    /// A named lock.
    Lock,
    /// A bucket of the directory.
    DirectoryBucket,
    /// The lock and the state of a disk, a snapshot or a hidden layer.
    Descriptor,
    /// Its name.
    DescriptorName,
    /// An allocation group.
    AllocationGroup,
    /// A journal's header.
    Journal,
    /// A page of a map: no record, it is written by its owner alone.
    MapPage,
    /// The page of a group's bitmap: no record either.
    BitmapPage,
    /// A block of a journal: no record either.
    JournalBlock,
}

impl Kind {
    /// Every kind that has letters.
    pub const ALL: [Kind; 12] = [
        Kind::Superblock,
        Kind::Slot,
        Kind::Mailbox,
        Kind::Lock,
        Kind::DirectoryBucket,
        Kind::Descriptor,
        Kind::DescriptorName,
        Kind::AllocationGroup,
        Kind::Journal,
        Kind::MapPage,
        Kind::BitmapPage,
        Kind::JournalBlock,
    ];

    /// Whether it is a record: one block that several hosts share, with a whole stamp. What is not begins alike, up to its
    /// own address.
    #[must_use]
    pub const fn is_record(self) -> bool {
        !matches!(self, Kind::MapPage | Kind::BitmapPage | Kind::JournalBlock)
    }

    /// The word for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Superblock => "superblock",
            Kind::Slot => "slot",
            Kind::Mailbox => "mailbox",
            Kind::Lock => "lock",
            Kind::DirectoryBucket => "directory bucket",
            Kind::Descriptor => "descriptor",
            Kind::AllocationGroup => "allocation group",
            Kind::DescriptorName => "descriptor name",
            Kind::Journal => "journal header",
            Kind::MapPage => "map page",
            Kind::BitmapPage => "bitmap page",
            Kind::JournalBlock => "journal block",
        }
    }

    /// The last four bytes of the magic.
    #[must_use]
    pub const fn letters(self) -> [u8; 4] {
        match self {
            Kind::Superblock => *b"SUPR",
            Kind::Slot => *b"SLOT",
            Kind::Mailbox => *b"MAIL",
            Kind::Lock => *b"LOCK",
            Kind::DirectoryBucket => *b"DIRB",
            Kind::Descriptor => *b"DESC",
            Kind::AllocationGroup => *b"GRUP",
            Kind::DescriptorName => *b"DNAM",
            Kind::Journal => *b"JRNL",
            Kind::MapPage => *b"MAPP",
            Kind::BitmapPage => *b"BITM",
            Kind::JournalBlock => *b"JBLK",
        }
    }

    /// The kind with these letters.
    pub(crate) fn of_letters(letters: [u8; 4]) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.letters() == letters)
    }
}

/// Who holds something: a slot, the host in it, and which of the host's lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    /// Its slot.
    pub slot: SlotIndex,
    /// The host.
    pub host: HostId,
    /// The life.
    pub incarnation: Incarnation,
}

/// Where an owner stands in a record: three fields that belong together.
#[derive(Clone, Copy)]
pub(crate) struct OwnerFields {
    pub(crate) slot: FieldSpec,
    pub(crate) host: FieldSpec,
    pub(crate) incarnation: FieldSpec,
}

impl OwnerFields {
    pub(crate) fn put(self, draft: &mut Draft, owner: Option<Owner>) {
        match owner {
            Some(owner) => {
                assert!(owner.slot.0 < SLOTS_MAX, "an owner's slot lies beyond the last slot");
                draft.put_u16(self.slot, owner.slot.0);
                draft.put_u64(self.host, owner.host.0);
                draft.put_u64(self.incarnation, owner.incarnation.0);
            }
            None => draft.put_u16(self.slot, NO_SLOT),
        }
    }

    pub(crate) fn get(self, view: &View<'_>) -> Result<Option<Owner>, DecodeError> {
        let slot = view.u16(self.slot);
        let host = HostId(view.u64(self.host));
        let incarnation = Incarnation(view.growing(self.incarnation, Incarnation::LARGEST.0)?);
        if slot == NO_SLOT {
            return if host.0 == 0 && incarnation.0 == 0 {
                Ok(None)
            } else {
                Err(self.slot.error("no slot, beside a host or an incarnation"))
            };
        }
        if slot >= SLOTS_MAX {
            return Err(self.slot.error("a slot beyond the last one"));
        }
        Ok(Some(Owner { slot: SlotIndex(slot), host, incarnation }))
    }
}

/// Who wrote an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Writer {
    /// A program that had no slot: format, or an offline repair.
    Tool,
    /// A host.
    Host(Owner),
}

impl Writer {
    /// The host that wrote it, if one did.
    #[must_use]
    pub const fn owner(self) -> Option<Owner> {
        match self {
            Writer::Tool => None,
            Writer::Host(owner) => Some(owner),
        }
    }
}

/// What each image carries besides its content, so that no image is written twice (I1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// The datastore.
    pub format_id: FormatId,
    /// The record's own address.
    pub lba: Lba,
    /// Which image of the record this is.
    pub generation: Generation,
    /// Who wrote it.
    pub writer: Writer,
    /// In which attempt.
    pub nonce: Nonce,
}

const WRITER: OwnerFields =
    OwnerFields { slot: at::WRITER_SLOT, host: at::WRITER_HOST, incarnation: at::WRITER_INCARNATION };

impl Stamp {
    pub(crate) fn put(&self, kind: Kind, draft: &mut Draft) {
        draft.put(at::MAGIC, &[MAGIC_PREFIX, kind.letters()].concat());
        draft.put_u16(at::VERSION, VERSION);
        draft.put_u128(at::FORMAT_ID, self.format_id.0);
        draft.put_u64(at::LBA, self.lba.0);
        draft.put_u64(at::GENERATION, self.generation.0);
        WRITER.put(draft, self.writer.owner());
        draft.put_u128(at::NONCE, self.nonce.0);
    }

    /// The stamp in a block whose checksum and version were checked.
    pub(crate) fn get(view: &View<'_>) -> Result<Stamp, DecodeError> {
        Ok(Stamp {
            format_id: FormatId(view.u128(at::FORMAT_ID)),
            lba: Lba(view.u64(at::LBA)),
            generation: Generation(view.growing(at::GENERATION, Generation::LARGEST.0)?),
            writer: WRITER.get(view)?.map_or(Writer::Tool, Writer::Host),
            nonce: Nonce(view.u128(at::NONCE)),
        })
    }
}
