//! QEMU's copy-on-write format, version 2 and 3, as its document has it (QEMU's `docs/interop/qcow2.rst`, cited by field and section).
//!
//! Read: clusters of every size, compressed ones (zlib and zstd), extended entries of the second level, images that were not closed. Their
//! internal snapshots are passed over: what is read is the active disk. Refused in words: [`Qcow2Fault`]. Written: version 3, clusters of 64
//! KiB, one after the other, nothing for zeros.

mod compressed;
mod entry;
mod fault;
mod header;
mod reader;
mod survey;
mod window;
mod writer;

pub use fault::Qcow2Fault;
pub use header::{Compression, Header, is_qcow2};
pub use reader::Qcow2Reader;
pub(crate) use survey::Census;
pub use writer::Qcow2Writer;
