//! The layers between a program and the medium, in the order in which every report walks them.

use crate::named::named_enum;

named_enum! {
    /// Where a cause sits. `ALL` goes from the program down to the medium.
    Layer {
        /// The shared file system or datastore itself: its records, its locks, its caches, its other hosts.
        FileSystem = "file-system",
        /// The host's queues and error handling between the file system and the adapter.
        HostQueue = "host-queue",
        /// The host bus adapter, its firmware and its driver.
        Hba = "hba",
        /// Cables, optics, switches and the paths through them.
        Fabric = "fabric",
        /// The storage array, the iSCSI target or the gateway that executes commands.
        Array = "array",
        /// The disk or flash that keeps the bits.
        Medium = "medium",
    }
}
