//! The codes of findings: stable names, how grave each is, and what it means.

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Something is left over or under way; the protocol takes care of it by itself.
    Note,
    /// The datastore works; a person should know.
    Warning,
    /// An invariant of the format does not hold.
    Damage,
}

impl Severity {
    /// The word in JSON and in the documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Damage => "damage",
        }
    }
}

/// Declares every code once: its value, its stable text, its severity and its meaning.
macro_rules! codes {
    ($($value:ident = $text:literal, $severity:ident, $meaning:literal;)+) => {
        /// What a finding is about. The text is stable: scripts and people rely on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $value,)+
        }

        impl Code {
            /// Every code, in the order of the texts.
            pub const ALL: &'static [Code] = &[$(Code::$value),+];

            /// The stable text.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Code::$value => $text,)+ }
            }

            /// How grave it is.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Code::$value => Severity::$severity,)+ }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Code::$value => $meaning,)+ }
            }
        }
    };
}

codes! {
    Unreadable = "CHK-0001", Damage, "The device did not give a block that holds a record.";
    InFlux = "CHK-0002", Warning, "A block never read as a sound record, and changed from read to read: somebody writes there.";
    Gap = "CHK-0003", Note, "A block between two records is not zero; nobody reads it.";
    FirstSpoiled = "CHK-0101", Damage, "The first superblock is damaged; its shadow stands in for it.";
    ShadowSpoiled = "CHK-0102", Damage, "The superblock's shadow is damaged, missing, or another datastore's.";
    ShadowDiffers = "CHK-0103", Damage, "Both superblocks have one generation and say different things.";
    ShadowBehind = "CHK-0104", Warning, "The superblock's shadow is older than the first copy.";
    ShadowAhead = "CHK-0105", Warning, "The superblock's shadow is newer than the first copy: a growth was broken off.";
    ShadowNewer = "CHK-0106", Warning, "A newer program wrote the superblock's shadow.";
    Overwritten = "CHK-0107", Damage, "Something else was written over the first superblock; its shadow still stands.";
    BothSpoiled = "CHK-0108", Damage, "Neither copy of the superblock can be read.";
    HalfFormatted = "CHK-0109", Damage, "A format of this device was begun and not finished.";
    OtherDevice = "CHK-0110", Warning, "The datastore was formatted on another device: this is a copy, or an array's snapshot.";
    Truncated = "CHK-0111", Damage, "The device is shorter than the datastore.";
    Longer = "CHK-0112", Note, "The device is longer than the datastore: it can grow.";
    SlotSpoiled = "CHK-0201", Damage, "A slot does not hold a sound record.";
    SlotNewer = "CHK-0202", Warning, "A newer program wrote a slot.";
    SlotContradicts = "CHK-0203", Damage, "A slot holds a host in a life that no host has.";
    SlotOlder = "CHK-0204", Damage, "A slot is in an earlier life than other records have seen there.";
    SlotNamesake = "CHK-0205", Warning, "Two slots hold a live host of one name.";
    SlotBurial = "CHK-0206", Note, "A host was fenced and is not taken over to the end; whoever waits for its locks goes on.";
    SlotForeignHand = "CHK-0207", Warning, "Somebody else than its own host wrote the image in a live slot.";
    SlotFencer = "CHK-0208", Damage, "A burial names a fencer that the datastore cannot have had: no host believes it.";
    SlotAsked = "CHK-0209", Note, "A host was asked to look at all locks, and has not answered yet.";
    MailboxSpoiled = "CHK-0301", Damage, "A mailbox does not hold a sound record.";
    MailboxNewer = "CHK-0302", Warning, "A newer program wrote a mailbox.";
    MailboxHint = "CHK-0303", Warning, "A mailbox holds a hint about an address where no lock stands.";
    LockSpoiled = "CHK-0401", Damage, "A lock's position does not hold a sound record.";
    LockNewer = "CHK-0402", Warning, "A newer program wrote a lock's position.";
    LockAstray = "CHK-0403", Damage, "A name stands outside of its window, where nobody looks for it.";
    LockTwice = "CHK-0404", Damage, "One name stands at two positions: it would be two locks.";
    LockUnlisted = "CHK-0405", Damage, "A name stands where its home's mask of children says that none does.";
    LockHomeUnlisted = "CHK-0406", Note, "A name stands at its home, whose mask does not say so; the home is always looked at.";
    LockNoSuchSlot = "CHK-0407", Damage, "A lock names a slot that the datastore does not have.";
    LockLeftover = "CHK-0408", Note, "A lock is held by a host that is gone; the next who takes it breaks it.";
    LockUnknown = "CHK-0409", Note, "After a repair, a lock waits until its possible holders have said whether they hold it.";
    BucketSpoiled = "CHK-0501", Damage, "A bucket of the directory does not hold a sound record.";
    BucketAstray = "CHK-0502", Damage, "A bucket holds an entry that is looked for in another one.";
    BucketStray = "CHK-0503", Warning, "A bucket holds an entry of a name that its disk or snapshot does not have.";
    DescriptorSpoiled = "CHK-0601", Damage, "A descriptor does not hold a sound record.";
    DescriptorNameSpoiled = "CHK-0602", Damage, "The name of a descriptor does not stand in a sound record.";
    DescriptorUnlisted = "CHK-0603", Damage, "A disk or a snapshot has no entry in the directory: nobody finds it by its name.";
    DescriptorMisnamed = "CHK-0604", Damage, "The name beside a descriptor is not that of its disk or snapshot.";
    DescriptorNamesake = "CHK-0605", Damage, "Two disks, or two snapshots of one disk, have one name.";
    DescriptorHalfDone = "CHK-0606", Note, "Something was begun with a disk and not finished; whoever comes by finishes or undoes it.";
    LayerLeftover = "CHK-0607", Note, "A layer that nobody needs any more is not taken down yet; whoever comes by takes it down.";
    SnapshotOrphan = "CHK-0608", Damage, "A snapshot's disk is gone.";
    ParentMissing = "CHK-0609", Damage, "The layer below a disk or a snapshot is gone, or its descriptor is in another use.";
    ParentRing = "CHK-0610", Damage, "A layer stands on itself, by way of the layers below it.";
    JournalSpoiled = "CHK-0701", Damage, "A journal's header is no sound record.";
    JournalOtherRing = "CHK-0702", Damage, "A journal's header is about a ring of another length.";
    JournalRefused = "CHK-0703", Damage, "The journal of a dead host cannot be replayed: its takeover is refused, and its disks stand still.";
    GroupSpoiled = "CHK-0801", Damage, "An allocation group does not hold a sound record.";
    GroupContradicts = "CHK-0802", Damage, "The record of an allocation group is about another one, or about more clusters than there are.";
    GroupUnopened = "CHK-0803", Warning, "A growth was not finished: an allocation group has fewer clusters than there are.";
    BitmapSpoiled = "CHK-0804", Damage, "The bitmap of an allocation group is not sound.";
    BitmapContradicts = "CHK-0805", Damage, "The bitmap of an allocation group is another one's, or marks clusters that no bitmap can.";
    BitmapLeaks = "CHK-0806", Warning, "Clusters are marked as taken, and nobody owns them: their space is lost.";
    BitmapMisses = "CHK-0807", Damage, "Clusters are in use, and marked as free: they could be given to another disk.";
    DisksNewer = "CHK-0901", Warning, "A newer program wrote a record of disks.";
    MapSpoiled = "CHK-1001", Damage, "A page of a disk's map is not sound: what it maps cannot be read.";
    MapContradicts = "CHK-1002", Damage, "A page of a disk's map is another one's: of another level, or written under a lock that there was not.";
    MapBeyond = "CHK-1003", Damage, "A map leads to a cluster that the datastore does not have.";
    ClusterTwice = "CHK-1004", Damage, "A cluster is owned more than once: what is written in one place shows in another.";
    ClusterForeign = "CHK-1005", Damage, "A layer reads a cluster as that of a layer below it, and it is none's of them.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_are_unique_and_ascend() {
        let texts: Vec<&str> = Code::ALL.iter().map(|code| code.text()).collect();
        assert!(texts.windows(2).all(|pair| pair[0] < pair[1]), "{texts:?}");
    }
}
