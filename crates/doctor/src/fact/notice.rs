//! What lines say plainly although it is no cause of the catalogue: it is told in its own words, never passed over.

/// Something that went wrong near the storage, and is none of the catalogue's causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Notice {
    /// The memory that ESXi sets aside for VMFS is used up.
    HeapExhausted,
    /// A VMFS volume has no free space of its own.
    VolumeFull,
    /// A device of a VMFS volume is locked for work on the volume itself, and nobody is named who does any.
    DeviceLocked,
    /// A file server was not reached for so long that the host fails all I/O to it at once.
    ServerLost,
    /// A host's service waited for minutes for a file of a datastore.
    FileSlow,
    /// A target's worker for aborts or logins stands still.
    TargetHung,
    /// The kernel gave writes up that nobody can send again: of its cache, or of a journal.
    WritesLost,
    /// VMFS lost a lock that it held on the disk.
    LockLost,
    /// VMFS could not write a change of its metadata into its journal.
    JournalUnwritten,
    /// VMFS gave a write to a file up for good, after all that it had tried.
    WriteGivenUp,
    /// A RAID that the host's kernel makes lost more disks than it can do without.
    RaidLost,
    /// Both copies of a replicated disk have writes that the other lacks.
    Diverged,
    /// A file system could not read or replay its own journal.
    JournalUnread,
    /// A file system found its own records damaged, or data of which no copy is good.
    DamagedData,
    /// A file system read data that do not fit their checksum.
    FileChecksum,
    /// The host holds the writes to a partition back.
    WritesHeld,
    /// A gateway could not take an image's lock from the one that had it.
    GatewayLock,
    /// The array did not answer the question for the states of its paths.
    PathStates,
    /// A filter that copies a machine's writes could not write.
    CopyFilter,
    /// The connection that mirrors a machine's writes was gone.
    MirrorLost,
    /// vSAN read data that do not fit their checksum.
    Checksum,
    /// A replicated disk has no good copy left.
    NoGoodCopy,
    /// A replicated disk holds all I/O back, for it lost its quorum.
    QuorumLost,
    /// A RAID that the host's kernel makes goes on without one of its disks.
    MemberLost,
    /// A replicated disk goes on without its other node.
    PeerLost,
    /// A volume's header, its partition table or its locks could not be read.
    HeaderUnread,
    /// A lock manager has no such lock space.
    NoLockspace,
    /// A host's own number in a lock space is used by another that lives.
    HostIdTaken,
    /// An adapter's driver had no room for a further command.
    RingFull,
    /// A processor of the host answered nothing any more.
    ProcessorStuck,
    /// A task waited for minutes without being able to be interrupted.
    Hung,
    /// The kernel's own client of Ceph lost its watch on an image, or broke another client's lock of it.
    ImageWatch,
    /// The block layer told of an error on a disk of Ceph, of a network or of a hypervisor, and nobody told why.
    BlockError,
    /// The block layer told of an error on a disk of this host, and no line says what the disk or its way answered.
    DiskError,
    /// The firmware of a SAS controller says something about a disk or its link.
    SasLog,
}

impl Notice {
    /// Whether it is worth a report by itself. What a controller logs, a disk that is taken away, a node that is restarted and a device that cannot be read when volumes
    /// are looked for are everyday by themselves, and explained where somebody pasted them.
    #[must_use]
    pub fn is_grave(self) -> bool {
        !matches!(
            self,
            Notice::SasLog | Notice::BlockError | Notice::DiskError | Notice::PeerLost | Notice::HeaderUnread
        )
    }
}
