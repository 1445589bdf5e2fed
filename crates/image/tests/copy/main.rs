//! Images copied to and from real NBD servers, judged by QEMU's own tools.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation)]

mod ends;
mod exports;
mod hostile;
mod imports;
mod ours;
mod plain;
mod world;
