//! What ESXi says of its volumes, its datastores and its services that is no cause of the catalogue.

use oarlock_causes::{Layer, Risk};

use super::Told;
use crate::rule::Words;
use crate::rule::words::remedy;

/// The lock of a device, for work on a volume.
pub static DEVICE_LOCKED: Told = Told {
    because: "The device's own lock is taken, by which one host at a time makes, extends or resignatures a volume on it. These lines name no host that does so now: a host that stopped \
              amid such work leaves the lock behind, and it does not go by itself. It is no record of the volume's, and no test and set is in question.",
    next: "On every host that sees the device: whether a volume is being made, extended, resignatured or rescanned there (tasks in vCenter, `vmkernel.log` and `hostd.log` of that minute), \
           and which host stopped or was reset amid that.",
    words: Words {
        title: "A device is locked for work on its volume, and nobody is seen at work",
        layer: Layer::FileSystem,
        what: "To make, extend or resignature a volume, a host locks the whole device with a record that names nobody and that no heartbeat keeps alive. Others are refused meanwhile; when \
               that host dies or fails on the way, they are refused until somebody breaks the lock.",
        consequence: "The volume cannot be mounted, extended or made on that device. What is open on it elsewhere goes on, and nothing is damaged by the lock itself. Waiting helps only where \
                      a host is at work.",
        remedy: &[
            remedy(
                Risk::Looks,
                "Prove first that no host that sees the device makes, extends or resignatures a volume on it: ask each of them, also those that answer no more.",
            ),
            remedy(
                Risk::Final,
                "Only then break the lock, on one host: `vmkfstools -B /vmfs/devices/disks/DEVICE:PARTITION`; then rescan on all. Broken under a host that is at work, two write the volume's layout.",
            ),
        ],
    },
};
