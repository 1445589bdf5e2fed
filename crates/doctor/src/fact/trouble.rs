//! What else goes wrong, from the path to the gateway.

/// An abort or a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskKind {
    /// One command is given up.
    Abort,
    /// All commands of one virtual disk or one world are given up.
    VirtualReset,
    /// The logical unit is reset: every command to it is lost, whoever sent it.
    DeviceReset,
    /// The target, the bus or the adapter is reset.
    WiderReset,
}

/// What became of an abort or a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskOutcome {
    /// It was asked for.
    Issued,
    /// A person or a script ordered it.
    Ordered,
    /// It was done.
    Done,
    /// It was refused or failed.
    Failed,
    /// It does not come to an end.
    Pending,
    /// The command to be aborted was complete: its effect stands.
    AlreadyComplete,
}

/// A path, a port or a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathEvent {
    /// A link went down.
    LinkDown,
    /// A link came up.
    LinkUp,
    /// The fabric says that something changed (RSCN).
    FabricChange,
    /// A path failed.
    Failed,
    /// A path came back.
    Restored,
    /// The state of a path is in doubt.
    InDoubt,
    /// A session or a login was lost.
    SessionLost,
    /// All paths are down.
    AllDown,
    /// The device said that it is gone for good.
    PermanentLoss,
    /// I/O moved to another path.
    Failover,
    /// The host uses the device no more: it says what the host did, not why.
    Offline,
    /// The driver of a bus within this host gave a disk up.
    GivenUp,
    /// A device was taken off a bus of this host, as when it is unplugged.
    Unplugged,
    /// A network card's link went down or up: whether storage goes over it is not said.
    NetworkLink,
}

impl PathEvent {
    /// Whether something on the way to a device was lost.
    #[must_use]
    pub fn is_loss(self) -> bool {
        let good = matches!(self, PathEvent::LinkUp | PathEvent::Restored | PathEvent::FabricChange);
        let elsewhere = matches!(self, PathEvent::Unplugged | PathEvent::NetworkLink);
        !(good || elsewhere || self.is_of_the_device())
    }

    /// Whether it is the device itself that is gone, as its array or its host says: no path is in question.
    #[must_use]
    pub fn is_of_the_device(self) -> bool {
        matches!(self, PathEvent::PermanentLoss | PathEvent::Offline | PathEvent::GivenUp)
    }
}

/// What the fabric says by FPIN, or a driver about its credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FabricEvent {
    /// More is sent over a link than it carries, or a device takes too little.
    Congestion,
    /// Frames wait for credits.
    CreditStall,
    /// A link makes errors.
    LinkIntegrity,
    /// Frames were thrown away.
    Dropped,
    /// The congestion is over.
    Clear,
}

/// Space below a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpaceEvent {
    /// A threshold is crossed.
    Warning,
    /// No space is left.
    Full,
}

/// Whether ATS works on a device or volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Support {
    /// The device does not support it.
    No,
    /// The device supports it, by its own pages.
    Yes,
    /// A volume that locks by ATS only cannot be used without it.
    NeededByVolume,
    /// Hosts lock one volume in different modes.
    MixedModes,
}

/// What a target says about a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetStep {
    /// It answered an ATS with miscompare.
    Miscompare,
    /// It split a fused pair of NVMe commands.
    FusedSplit,
    /// Its backend is slow, by its own account.
    SlowBackend,
    /// Its backend fails.
    BackendError,
    /// It lost what was in its write cache.
    CacheLost,
    /// A session ended or was reinstated.
    SessionLost,
    /// An initiator did not send the data that it had announced.
    InitiatorSilent,
    /// An initiator asks for what is not there, or must not have: usual noise.
    Noise,
}

/// What a gateway says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GatewayStep {
    /// It took the image's exclusive lock.
    LockAcquired,
    /// It lost it.
    LockLost,
    /// It was shut out by another.
    Blocklisted,
    /// It is shutting down, or its backend is.
    Shutdown,
}

/// A lock manager or a cluster stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClusterStep {
    /// Usual work.
    Healthy,
    /// A lease could not be renewed in time.
    RenewalLate,
    /// A lease could not be renewed because its read or write ended in an error.
    RenewalFailed,
    /// A lease ran out, or the host gave up.
    LeaseLost,
    /// The watchdog is about to reset the host, or did.
    Watchdog,
    /// Another holds the lease: the usual race.
    Busy,
    /// A lock was refused because another host holds it, as whoever asked was told.
    HeldElsewhere,
    /// A host was fenced.
    Fenced,
    /// A host is to be fenced: decided or asked for, not done.
    FencePlanned,
    /// A fence was tried and did not succeed: the host that it was to hit may still write.
    FenceFailed,
    /// Another host's record stands where this host's own lease was.
    OtherOwner,
    /// A member left the cluster's membership.
    MemberLost,
    /// A record on the disk is damaged.
    BadRecord,
    /// What stands where a record should be begins with a number that the lock manager gives to none of its records.
    StrangeRecord,
    /// A record is not the one that was asked for: of another name or geometry, of another kind, or never initialised.
    OtherRecord,
    /// The stack's own process did not run for a while: a matter of processor or memory, not of storage.
    Paused,
}

/// What is done to a volume on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VolumeEvent {
    /// It was made, under a label that another may have had.
    Made,
    /// A copy was given an identity of its own.
    Resignatured,
    /// A copy was found that was then given an identity of its own.
    WantedCopy,
    /// It lies on the device, as a list of its host says.
    LiesOn,
}
