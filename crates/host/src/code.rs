//! The catalogue of errors: every code that any part of Oarlock gives, with its cause and its cure, in one table.
//!
//! docs/ERRORS.md is held to it. A code never changes its meaning; one that is retired is not given out again.

/// One row of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorEntry {
    /// `OAR-0xxx`: 01 the device, 02 the engine, 03 the host, 04 the client.
    pub code: &'static str,
    /// The error in a few words.
    pub title: &'static str,
    /// What it means.
    pub cause: &'static str,
    /// What helps.
    pub cure: &'static str,
}

/// Every error, in the order of the codes.
#[must_use]
pub fn error_catalogue() -> &'static [ErrorEntry] {
    CATALOGUE
}

impl Code {
    /// Its row of the catalogue.
    #[must_use]
    pub fn entry(self) -> &'static ErrorEntry {
        &CATALOGUE[self as usize]
    }

    /// `OAR-0xxx`.
    #[must_use]
    pub fn text(self) -> &'static str {
        self.entry().code
    }
}

/// Defines the codes from rows of name, code, title, cause and cure: so that no code lacks its row.
macro_rules! codes {
    ($( $name:ident = $code:literal, $title:literal, $cause:literal, $cure:literal; )+) => {
        /// The name of each code within the program.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(
                #[doc = concat!("`", $code, "`: ", $title, ".")]
                $name,
            )+
        }

        impl Code {
            /// Every code, in the order of the catalogue.
            pub const ALL: &'static [Code] = &[$( Code::$name, )+];
        }

        const CATALOGUE: &[ErrorEntry] = &[
            $( ErrorEntry { code: $code, title: $title, cause: $cause, cure: $cure }, )+
        ];
    };
}

codes! {
    DeviceAbsent = "OAR-0101", "no such device",
        "Nothing is at the path of the device.",
        "Check the path and its folder. `oarlock format PATH --name LABEL --size SIZE` makes a plain file in a folder that is there.";
    DeviceOpen = "OAR-0102", "the device cannot be opened",
        "The operating system refused to open, make or look at the device; its words are in the message.",
        "Check the permissions of the path, the space of its file system, and the kernel's log.";
    NotADevice = "OAR-0103", "not a plain file or block device",
        "The path names a folder, a socket or the like.",
        "Give the path of a plain file or of a block device.";
    FileSystem = "OAR-0104", "a file system where file locks prove nothing",
        "The plain file lies on a network, FUSE or overlay file system. There a file lock does not prove that the writes of a dead host have ended.",
        "Put the file on a local ext4, xfs, btrfs, tmpfs or zfs.";
    NeedsScsi = "OAR-0105", "a SCSI disk",
        "Other machines may see a SCSI disk, and a file lock does not stop them. The file backend never drives one.",
        "Use a plain file or a disk that is local to this machine; the SCSI backend comes in a later version.";
    NotLocal = "OAR-0106", "a disk that may not be local",
        "The disk's driver is not known to serve this machine alone, so a file lock may not stop other writers.",
        "Use a plain file or a disk that is local to this machine.";
    LoopOfAPart = "OAR-0107", "a loop device on a part of its file",
        "The loop device has an offset or a size limit: hosts that open the file itself would mean other bytes.",
        "Open the file itself, or set the loop device up without offset and limit.";
    Sysfs = "OAR-0108", "the kernel does not say what the disk is",
        "A file in /sys that describes the block device is missing or is not understood.",
        "Check that /sys is mounted and is the machine's own.";
    ForeignNode = "OAR-0109", "a device node outside of /dev",
        "The node is not the one in the machine's devtmpfs, so that locks on it are not seen by other processes.",
        "Give the process (the container) the machine's own /dev.";
    DeviceBlockSize = "OAR-0110", "a block size that does not work there",
        "Direct I/O on the device needs another block size than the one that was asked for, or than 512 and 4,096 bytes.",
        "Format with `--block-size 4096`, or choose another device.";
    NoRing = "OAR-0111", "no io_uring",
        "The kernel gives this process no io_uring.",
        "Allow it: the sysctl kernel.io_uring_disabled, or the container's seccomp profile.";
    IdentityWrite = "OAR-0112", "the file's identity cannot be written",
        "The attribute that tells a file from its copies could not be written, though the file system has attributes.",
        "Check that you may write to the file, and that its file system has room.";
    IdentityForeign = "OAR-0113", "the file's identity is not Oarlock's",
        "The file's attribute user.oarlock.identity holds something that Oarlock did not write.",
        "Remove it with `setfattr -x user.oarlock.identity FILE`, and format again.";

    SuperblockUnreadable = "OAR-0201", "the superblock cannot be read",
        "The device gave an error for the superblock or its shadow.",
        "Look at the kernel's log and at the device; `oarlock inspect DEVICE superblock` shows what can be read.";
    OpenNoAnswer = "OAR-0202", "the device does not answer",
        "The device did not answer a read of the superblock in time.",
        "Look at the kernel's log and at the load of the device, and try again.";
    NoDatastore = "OAR-0203", "no datastore",
        "Nothing on the device is Oarlock's.",
        "Check the path; `oarlock format` makes a datastore.";
    SuperblockOverwritten = "OAR-0204", "the superblock was overwritten",
        "Something else was written over the first block; the shadow of the superblock still stands.",
        "Find out who wrote it. If the device is the datastore's still, `oarlock check DEVICE --repair` restores the superblock.";
    SuperblockDamaged = "OAR-0205", "both superblocks are damaged",
        "Neither the superblock nor its shadow checks out.",
        "`oarlock check DEVICE` says what is damaged; restore the device from a backup.";
    NewerVersion = "OAR-0206", "a newer program is needed",
        "A newer version of Oarlock made the datastore, or added a feature that this one does not know.",
        "Use the newer version.";
    HalfFormatted = "OAR-0207", "a format was cut short",
        "A format of the device was begun and not finished. It holds no data.",
        "Format it again, with `--force`.";
    SnapshotSignature = "OAR-0208", "a copy of another datastore",
        "The datastore was formatted on another device: this one is a copy, or a snapshot of the array.",
        "Use the original; `oarlock resignature DEVICE` gives the copy a life of its own.";
    Truncated = "OAR-0209", "the device is shorter than its datastore",
        "The device lost blocks since the datastore was made.",
        "Give the device its length back: a plain file with `truncate -s SIZE`, a volume by its administrator.";
    BlockSizeChanged = "OAR-0210", "the device has other blocks than its datastore",
        "The datastore was made with another logical block size than the device has now.",
        "Present the device with the block size that it was formatted with.";
    ReadOnlyFeatures = "OAR-0211", "this version may only read the datastore",
        "The datastore uses features that only a newer program may write.",
        "Use the newer version.";

    BlockUnreadable = "OAR-0221", "a block cannot be read",
        "The device gave an error for a block of the datastore.",
        "Look at the kernel's log and at the device; `oarlock events` says what else went wrong.";
    ReadTimedOut = "OAR-0222", "a block was not read in time",
        "The device did not answer a read within one beat.",
        "Look at the load of the device; try again.";
    Unsound = "OAR-0223", "a block does not hold a sound record",
        "A block was read again and again and never checked out: it is torn, rotten, or another's.",
        "`oarlock check DEVICE` says what is damaged, and `--repair` restores it where a copy stands.";
    Older = "OAR-0224", "a block shows an older state",
        "A block shows an older state than this host has seen there: a stale read, a restored device, or two devices behind one name.",
        "Find out what rolled the device back. The host joins afresh once it is told `--accept-rollback`.";

    NameTaken = "OAR-0231", "another live host has this name",
        "A host of this name lives in the datastore.",
        "Choose another name with `--host`, or stop the other host.";
    NoFreeSlot = "OAR-0232", "no free slot",
        "Every slot of the datastore is taken.",
        "`oarlock hosts` on a running host shows which of them still beat. Stop one that does, or take over one that does not with `oarlock evict HOST`; the number of slots is set at format.";
    SlotHeld = "OAR-0233", "the slot's lock cannot be taken",
        "The lock of a slot could not be asked, or another process holds it.",
        "See who holds it (`lslocks`), and try again.";
    ClaimUnclear = "OAR-0234", "the claim had no clear answer",
        "The device gave no clear answer to the claim of a slot.",
        "Look at the load of the device and at the kernel's log, and try again.";
    NotDurable = "OAR-0235", "the claim is not durable",
        "The device could not flush the claim of a slot.",
        "Look at the device and at the kernel's log: a device that cannot flush keeps nothing.";

    LockTimedOut = "OAR-0241", "the lock was not got in time",
        "Somebody else held the lock until the wait was over, or the host that was asked for it was held; the message says which.",
        "Try again, or wait longer with `--wait`; `oarlock locks` says who holds it, and `oarlock status` whether its host is held and why.";
    LockTableFull = "OAR-0242", "no room for the lock",
        "All positions that the lock's name may stand at are taken by locks in use.",
        "Release locks that are not needed, or use another name.";
    EvictUnknown = "OAR-0243", "no such host",
        "No slot holds a host of that name.",
        "`oarlock hosts` lists them.";
    EvictMyself = "OAR-0244", "the host that was asked",
        "A host does not take itself over.",
        "Stop it with SIGTERM, or ask another host.";
    EvictLives = "OAR-0245", "the host lives",
        "The host beat while it was watched.",
        "Stop it with SIGTERM. A person who knows that it must go says `--certain`.";
    EvictTimedOut = "OAR-0246", "the host was not taken over in time",
        "The takeover did not get through; what stood in the way is in the message.",
        "Remove what stands in the way, and try again.";

    GroupUnopened = "OAR-0247", "the group is not opened yet",
        "A growth was not finished: a live host does not know the present superblock yet, and what lies behind the former end is not given out before it does.",
        "Run `oarlock grow DEVICE` once more, when every live host beats.";

    Left = "OAR-0251", "the host has left",
        "The host left the datastore, or is leaving it.",
        "Start it again with `oarlock up`.";
    Fenced = "OAR-0252", "the host was fenced",
        "Another host wrote its death into its slot: because it was silent for a whole watch, because its death was proved, or because a person said so (`evict --certain`).",
        "`oarlock events` on the other host says which. Where it was silent, find out why (a pause, an overloaded machine, a slow device); then start it again.";
    Superseded = "OAR-0253", "the slot is another's by now",
        "The host's slot belongs to a later life.",
        "Find out whether two machines use one host name, then start it again.";
    Rollback = "OAR-0254", "the device went back in time",
        "A block showed an older state than this host had seen: a restored device, a stale read, two devices behind one name.",
        "Find out what rolled the device back; then start the host once with `--accept-rollback`.";
    SlotDamaged = "OAR-0255", "the host's own slot is damaged",
        "The host's own slot did not hold a sound record, and was not mended within the hold time.",
        "Find out what wrote there (`oarlock inspect DEVICE slot N` shows the slot); `oarlock check DEVICE --repair`, then start the host again.";
    HoldOver = "OAR-0256", "no beat for the whole hold time",
        "The device confirmed no beat for the whole hold time; what it answered to the last one is in the message.",
        "Look at the device and the way to it; then start the host again.";
    SecondOfItsName = "OAR-0257", "the second host of its name",
        "Two hosts of one name joined at once, and this one is in the higher slot.",
        "Choose another name with `--host`.";
    JournalFailed = "OAR-0258", "the host's journal failed",
        "A command of the host's journal failed for good, or has no answer and may still land. What was not committed never will be; what was is brought home by whoever takes the host over.",
        "Look at the device and the way to it; then start the host again.";
    LeftBehind = "OAR-0259", "the host ended without having left",
        "It was told to leave, and could not free its slot in time: a user did not let go of a lock, or the device did not confirm it. What it held is taken over by the others, as a dead host's is; how soon is in the message.",
        "Nothing, where the others may take it over. Else end the work under the locks first (`oarlock locks` names them), or look at the device and the kernel's log.";

    Timing = "OAR-0261", "the times contradict one another",
        "Beat, lease, watch and hold of the datastore do not fit together; which and why is in the message.",
        "A beat takes 50ms to 60s, and at least four fit into a lease; a watch has 1.1 leases where `--watch` is left out; a hold is no shorter than the watch; none is longer than a year.";
    Layout = "OAR-0262", "the device does not fit",
        "The device is too small or too large for a datastore of these parameters.",
        "The message says what is needed; 256 MiB suffice with 64 slots and blocks of 512 bytes, and 64 TiB are the most.";
    DatastoreExists = "OAR-0263", "there is a datastore already",
        "The device holds a datastore, which may be one that this version cannot read.",
        "Use it; or give `--force`, and everything in it is lost.";
    DatastoreLives = "OAR-0264", "the datastore is in use",
        "A host lives in the datastore on the device. Nothing makes a new one of it.",
        "Stop every host first; `oarlock hosts` lists them.";
    FormatDevice = "OAR-0265", "a block cannot be written",
        "The device refused or failed a command of the format.",
        "Look at the device, at the space of its file system and at the kernel's log, and format again.";
    FormatRaced = "OAR-0266", "the superblock changed under the format",
        "Another format runs on the device, or its COMPARE AND WRITE does not work.",
        "Wait for the other one; if there is none, the device is not fit for a datastore.";
    FormatNoAnswer = "OAR-0267", "the device did not answer the format",
        "A command of the format had no answer in time.",
        "Look at the device and at the kernel's log, and format again.";
    Parameters = "OAR-0268", "slots or clusters out of range",
        "A datastore has 1 to 1,024 slots, and clusters of a power of two from 4 KiB to 1 MiB.",
        "Choose others with `--slots` and `--cluster-size`, or leave them out: 64 and 64K.";
    BadName = "OAR-0271", "not a name",
        "Names are UTF-8, with no control character, no `@`, and no empty, `.` or `..` part; locks have 1 to 255 bytes, hosts and datastores 1 to 64 and no `/`.",
        "Choose another name; the message says what is wrong with this one.";

    NoHandoff = "OAR-0275", "nobody hands the disk over",
        "A disk comes by a handoff only from a living host that has it attached to write it alone. No host has it so, or the one that had it detached it, died, or turned to another host.",
        "`oarlock disk show NAME` tells who has it. One that nobody has is attached without `--incoming`, and so is one that others have to read it or share it, each host in the same way; of one whose host died, detach what waits and attach it.";
    DiskReceived = "OAR-0276", "another host is to get the disk",
        "A disk is handed over to one host at a time, and a host stands by for this one already; which one is in the message.",
        "Hand it over to that host, or detach it there first (`oarlock disk detach NAME --host HOST`).";
    NoReceiver = "OAR-0277", "the host does not take the disk over",
        "The host that was to get the disk does not stand by for it, does not answer, or stood by and is gone. The disk is where it was, and its guests go on.",
        "Attach it there first: `oarlock disk attach NAME --incoming --host HOST`. `oarlock hosts` tells whether that host beats.";
    NotAtRest = "OAR-0278", "what guests had begun did not end in time",
        "A disk changes hands when nothing is under way, and requests of guests took too long: the device is slow, or has no room for their writes. The disk is where it was, and its guests go on.",
        "Try again; look at the device and at the kernel's log.";
    NoDisks = "OAR-0281", "a datastore without disks",
        "The datastore was formatted without disks: it has locks alone.",
        "Make a datastore with this version, which has both.";
    DiskExists = "OAR-0282", "the name is taken",
        "Another disk, or another snapshot of the disk, has the name.",
        "Choose another name; `oarlock disk list` shows the disks, `oarlock disk show NAME` the snapshots of one.";
    DiskUnknown = "OAR-0283", "no such disk",
        "No disk has the name, or the disk has no snapshot of that name.",
        "`oarlock disk list` shows the disks, `oarlock disk show NAME` the snapshots of one.";
    DiskSize = "OAR-0284", "a size that no disk can have",
        "A disk has one block at least and 64 TiB at most, in whole multiples of 512 bytes, or of the datastore's block where that is larger.",
        "Give another size; K, M, G and T are powers of 1,024.";
    DiskHasSnapshots = "OAR-0285", "the disk has snapshots",
        "The snapshots of a disk would lose their name with it.",
        "Delete the snapshots first (`oarlock disk delete NAME@SNAP`), or flatten clones and keep those.";
    DiskShrink = "OAR-0286", "a disk does not shrink",
        "The new size is below the disk's own: what lies beyond would be lost.",
        "Make a smaller disk, and copy what is needed.";
    DiskInUse = "OAR-0287", "another host uses the disk",
        "The disk or snapshot is attached elsewhere, or another host is at work on it; which host and whether it lives is in the message.",
        "Ask that host (`--host HOST`), which resizes, snapshots, clones and flattens a disk that it serves, or detach it there (`oarlock disk detach NAME --host HOST`). Where that host is dead, try again: it is taken over in a watch, or at once by `oarlock evict HOST --certain`.";
    DiskAttachedHere = "OAR-0288", "the disk is attached to this host",
        "What was asked for takes a disk that is not attached; or it was to be attached and is already.",
        "`oarlock disk show NAME` tells where it is served; `oarlock disk detach NAME` ends that.";
    DiskBusy = "OAR-0289", "the disk changes all the time",
        "Other hosts, or other verbs on this one, work on the same disk or name.",
        "Try again.";
    DiskUnanswered = "OAR-0290", "commands of the disk have no answer",
        "The device does not answer commands of the disk, and they may still land: no other host may have it before they have, and no snapshot may freeze what they write. The message says how many requests of guests are under way, and how many failed after the hold time without an answer.",
        "Look at the device and at the kernel's log, and ask again once it answers. Where it never does, end the host (SIGTERM, then SIGKILL): what it sent is waited for by whoever takes the disk over.";
    DiskMap = "OAR-0291", "the map of the disk",
        "A block of the disk's map could not be read, written or trusted; which and why is in the message.",
        "Look at the device and at the kernel's log; `oarlock check DEVICE` says what is damaged.";
    NoSpace = "OAR-0292", "the datastore has no space left",
        "Every allocation group is empty, or its owner needs what it has.",
        "Delete disks and snapshots that are not needed, trim within guests, or give the device more space and run `oarlock grow`.";
    NoRoomForDisk = "OAR-0293", "no room for one more disk",
        "All descriptors of the datastore are in use, or all entries of the bucket that the name falls into.",
        "Delete disks or snapshots that are not needed; for a bucket that is full another name helps, too.";
    DiskDamaged = "OAR-0294", "records of a disk contradict one another",
        "The descriptor of a disk and the record of its name do not belong together, or a number leads beyond the tables.",
        "`oarlock check DEVICE` says what is damaged.";
    DiskTakenAway = "OAR-0295", "the disk was taken away",
        "A descriptor that this host had taken is another's by now.",
        "See by `oarlock events` whether this host was fenced, and try again.";
    DiskNotForMany = "OAR-0296", "a disk that several hosts cannot write",
        "Only a disk that is allocated and zeroed whole, and stands on no snapshot, can be written by several hosts at once: nobody could tell the others of a change of its map.",
        "Make it with `--thick`. A thick disk that has had snapshots, and that nobody has attached, is made whole again by `oarlock disk flatten NAME`; a thin one, too, once it is copied into a thick one.";
    DiskShared = "OAR-0297", "the disk is written by several hosts",
        "What was asked for would change the map, the size or the name of a disk that is attached to be written by several hosts.",
        "Detach it on every host that has it (`oarlock disk show NAME` tells which), and ask again.";

    SocketTaken = "OAR-0301", "the socket is in use",
        "Another live process listens there: a host of another datastore of this label, another host's exports, an array of this name, or some other program.",
        "Stop it, or choose another path: with `--api` for a host or an array, with `--nbd` for a disk.";
    SocketPath = "OAR-0302", "not a place for a socket",
        "The path is too long for a socket (106 bytes are the most), or something that is no socket stands there.",
        "Choose another path: with `--api` for a host or an array, with `--nbd` for a disk.";
    NoRuntimeFolder = "OAR-0303", "no folder for sockets",
        "XDG_RUNTIME_DIR is not set, so that the place of the socket is not known.",
        "Set XDG_RUNTIME_DIR, or give the path with `--api`.";
    SocketIo = "OAR-0304", "the socket cannot be made",
        "The operating system refused to make the socket or its folder; its words are in the message.",
        "Check the permissions of the folder, or choose another path: with `--api` for a host or an array, with `--nbd` for a disk.";
    UnsafeClock = "OAR-0305", "a clock that stops with its virtual machine",
        "This machine is virtual: its clock stops when it is paused. The device has neither file locks, reservations nor a blocklist that would protect the others from it.",
        "Use a device that can cut a host off; or say `--unsafe-clock`, and never pause this machine.";
    UnknownRecord = "OAR-0306", "no record of that name",
        "A fault specification names a record that no datastore has.",
        "The names are superblock, slot, mailbox, scratch, lock, directory, descriptor, journal, group.";
    RollbackNotAccepted = "OAR-0307", "the rollback was not accepted",
        "This host stopped because the device went back in time, and nobody has said since that this is known.",
        "Find out what rolled the device back; then start the host once with `--accept-rollback`.";
    ReadOnlyHost = "OAR-0308", "a read-only host",
        "The host was started with `--read-only` and changes nothing but its own slot.",
        "Ask another host, or start this one without `--read-only`.";
    TooMany = "OAR-0309", "too many at once",
        "The host serves as many requests as it may.",
        "Try again; close connections that are not needed.";
    BadRequest = "OAR-0310", "a request that is not understood",
        "The request's path, method, parameters or body are not the API's.",
        "docs/openapi.json describes the API.";
    NotThere = "OAR-0311", "no such page",
        "The API has no such path.",
        "docs/openapi.json describes the API.";
    Interrupted = "OAR-0312", "stopped before it was ready",
        "The host was told to stop while it was joining.",
        "Start it again.";
    EngineGone = "OAR-0313", "the engine has ended",
        "The thread of the engine has ended, and the host with it.",
        "Start the host again; its standard error says why it ended.";
    Resources = "OAR-0314", "the operating system gave too little",
        "A thread, a timer or a file of /proc could not be had; the message says which.",
        "Check the limits of the process (`ulimit -u`, `ulimit -n`), and that /proc is mounted.";
    Foreign = "OAR-0315", "something is on the device",
        "The device holds a file system, a partition table, a raid member, leases of another cluster, an image, an archive; the message says which. Or it is a plain file with data of no known kind.",
        "Check that it is the right device. With `--force` what is there is lost.";
    SizeDiffers = "OAR-0316", "the device has another size",
        "The file or device is there already, and its size is not the one that was asked for.",
        "Leave `--size` out, or make the file of that size first.";
    FaultSpec = "OAR-0317", "not a fault specification",
        "A fault specification could not be understood; the message says where.",
        "KIND:KEY=VALUE,...: see `oarlock up --help` for a host, docs/FAULTS.md for an array.";
    BadPlace = "OAR-0318", "not a place for exports",
        "Exports are served at `unix:PATH` or `tcp:ADDRESS:PORT`, and what was given is neither.",
        "Give one of them, as `--nbd unix:/run/vm.nbd` or `--nbd tcp:127.0.0.1:10809`.";
    Address = "OAR-0319", "nobody can listen at the address",
        "The operating system refused to listen at the address; its words are in the message. Most often another process listens there.",
        "Choose another port, or 0 for any that is free; check that the address is this machine's.";
    Tls = "OAR-0320", "a certificate or key that cannot be used",
        "The folder for TLS lacks a file, or what is in it is not what its name says; the message names the file.",
        "`server-cert.pem` and `server-key.pem` must be there, in PEM; `ca-cert.pem` is the authority of clients, `ca-crl.pem` says which of them are revoked.";
    ExportTaken = "OAR-0321", "an export of that name is there already",
        "Another export has the name at this socket or port.",
        "Give it another place, or detach the other one.";
    NotExported = "OAR-0322", "a disk that NBD cannot carry",
        "NBD cannot carry the disk's name or size; which and why is in the message.",
        "Names have 4,096 bytes at most, and a size is a whole number of blocks.";
    NotAttached = "OAR-0323", "not attached to this host",
        "The host that was asked does not serve the disk or snapshot.",
        "`oarlock disk show NAME` tells which host does; ask that one with `--host`.";
    DoorDiffers = "OAR-0324", "a place that is served in another way",
        "This host serves exports at the place already, with another folder for TLS, or without TLS where it was asked for, or the other way round.",
        "Give another place with `--nbd`, or the same folder with `--tls`.";
    ExportList = "OAR-0325", "the list of exports cannot be kept",
        "The file that tells the host's next life what to export could not be read or written; the system's words are in the message.",
        "Check the permissions of the folder and the space of its file system; then attach the disk again. One that was to be detached is, and comes back with the host's next life: attach and detach it once more.";

    NoHost = "OAR-0401", "no host runs here",
        "No socket of a running host was found.",
        "Start a host with `oarlock up DEVICE --host NAME`, or give its socket with `--api`.";
    MustChoose = "OAR-0402", "several hosts run here",
        "What is asked for concerns one host, and several run on this machine.",
        "Say which with `--host`, `--store` or `--api`.";
    Unreachable = "OAR-0403", "the host cannot be reached",
        "Nobody listens on the socket, or it may not be opened.",
        "Start the host; the group `oarlock` may use the socket of one that root runs.";
    NoReply = "OAR-0404", "the host does not reply",
        "The host's socket is there, and no reply came in time, or its process was seen to be stopped (state T in /proc).",
        "The message says the process and its state, where they are known. `kill -CONT PID` lets a stopped one go on; SIGKILL ends it, and the others take it over without a watch. Else see what starves it: the machine, or its device (state D). `oarlock hosts` on another host says whether it beats.";
    BadReply = "OAR-0405", "a reply that is not understood",
        "What answered on the socket does not speak the API of this version.",
        "Check that the socket is a host's, and that host and client are of one version.";
    ConnectionLost = "OAR-0406", "the connection was lost",
        "The host closed the connection in the middle of an answer.",
        "See whether its process still runs, and try again.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        let codes: Vec<&str> = error_catalogue().iter().map(|entry| entry.code).collect();
        assert!(codes.windows(2).all(|pair| pair[0] < pair[1]), "{codes:?}");
        assert!(codes.iter().all(|code| code.len() == 8 && code.starts_with("OAR-0")));
    }

    #[test]
    fn every_code_finds_its_own_row() {
        assert_eq!(Code::ALL.len(), error_catalogue().len());
        assert_eq!(Code::DeviceAbsent.text(), "OAR-0101");
        assert_eq!(Code::ConnectionLost.text(), "OAR-0406");
    }
}
