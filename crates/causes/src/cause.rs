//! The causes: why an atomic test and set was false, unknown or impossible.

use crate::named::named_enum;

named_enum! {
    /// Why. The order is that of the command line's documentation; [`Cause::entry`] tells all about each.
    Cause {
        /// Another host won the race for the record.
        Contention = "contention",
        /// This host's own earlier attempt, thought lost, had landed: the famous false miscompare.
        DelayedOwnWrite = "delayed-own-write",
        /// The device took so long that another host got in between.
        SlowStorage = "slow-storage",
        /// The expected image came out of a cache.
        StaleCache = "stale-cache",
        /// A path failed with commands in flight.
        PathFault = "path-fault",
        /// One block reads differently through two paths.
        PathsDisagree = "paths-disagree",
        /// The array answered false although the block was equal, or broke the atomicity in another way.
        ArrayFault = "array-fault",
        /// The block went back to an image older than one that was acknowledged.
        Rollback = "rollback",
        /// The record is torn or rotten.
        CorruptBlock = "corrupt-block",
        /// The block was never ours, or somebody else wrote over it.
        ForeignBlock = "foreign-block",
        /// Another host marked this one dead.
        Fenced = "fenced",
        /// The command waited in the host's own queue.
        QueueDepth = "queue-depth",
        /// One late command made the host reset the device, which killed everything else in flight.
        ResetCascade = "reset-cascade",
        /// The fabric is congested: frames wait for credits.
        FabricCongestion = "fabric-congestion",
        /// The adapter, its firmware or its driver misbehaves.
        HbaFault = "hba-fault",
        /// A disk that one host uses alone is failing.
        DeviceFault = "device-fault",
        /// The device does not execute COMPARE AND WRITE, or not for this volume.
        AtsUnsupported = "ats-unsupported",
        /// A reservation of another host stands in the way.
        Reservation = "reservation",
        /// There is no space left below the device.
        ArrayFull = "array-full",
        /// The array is busy with work of its own.
        ArrayLoad = "array-load",
        /// The device is a copy: its identity is not the one in the metadata.
        SnapshotSignature = "snapshot-signature",
        /// Hosts lock one volume in different ways.
        LockModeMixed = "lock-mode-mixed",
        /// A gateway in front of the storage passes its own lock back and forth, or is shutting down.
        GatewayFault = "gateway-fault",
        /// A published fault of this hardware, firmware or driver matches.
        KnownAdvisory = "known-advisory",
        /// The evidence does not decide.
        CannotTell = "cannot-tell",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Action, EventKind, Layer};

    /// The names promised to scripts, tests and people. A name may join this list; none may leave it or change.
    const PROMISED: [&str; 25] = [
        "contention",
        "delayed-own-write",
        "slow-storage",
        "stale-cache",
        "path-fault",
        "paths-disagree",
        "array-fault",
        "rollback",
        "corrupt-block",
        "foreign-block",
        "fenced",
        "queue-depth",
        "reset-cascade",
        "fabric-congestion",
        "hba-fault",
        "device-fault",
        "ats-unsupported",
        "reservation",
        "array-full",
        "array-load",
        "snapshot-signature",
        "lock-mode-mixed",
        "gateway-fault",
        "known-advisory",
        "cannot-tell",
    ];

    #[test]
    fn the_names_of_causes_are_those_promised() {
        let names: Vec<_> = Cause::ALL.iter().map(|cause| cause.name()).collect();
        assert_eq!(names, PROMISED);
    }

    #[test]
    fn the_names_of_layers_actions_and_event_kinds_are_those_promised() {
        let layers: Vec<_> = Layer::ALL.iter().map(|layer| layer.name()).collect();
        assert_eq!(layers, ["file-system", "host-queue", "hba", "fabric", "array", "medium"]);
        let actions: Vec<_> = Action::ALL.iter().map(|action| action.name()).collect();
        assert_eq!(actions, ["adopted", "lost", "retried", "held", "stopped", "refused"]);
        let kinds: Vec<_> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(
            kinds,
            ["miscompare", "unknown", "fence", "takeover", "path", "lapse", "handoff", "repair"]
        );
    }

    #[test]
    fn a_name_leads_back_to_its_cause_and_nothing_else_does() {
        for &cause in Cause::ALL {
            assert_eq!(Cause::from_name(cause.name()), Some(cause));
        }
        for stranger in ["", "Contention", "contention ", "delayed_own_write", "none"] {
            assert_eq!(Cause::from_name(stranger), None, "{stranger:?} names no cause");
        }
    }

    #[test]
    fn a_name_is_padded_like_any_text() {
        assert_eq!(format!("{:<10}|", Cause::Fenced), "fenced    |");
    }
}
