//! Fresh images, written in large runs: what `format` leaves everywhere, and a growth in its new groups.
//!
//! These are plain writes, and the only ones that records ever see: nobody knows yet that anything stands there.

use std::time::Duration;

use oarlock_block::{BlockCount, IoError, Lba};
use oarlock_format::Image;

use crate::world::World;

/// One write carries this many bytes at most.
pub(crate) const WRITE_BYTES: usize = 1 << 20;
/// Between two images of one write there are at most so many bytes, which are written as zeros.
const GAP_BYTES_MAX: usize = 64 << 10;
/// Each command is given this long.
pub(crate) const COMMAND_LIMIT: Duration = Duration::from_secs(60);

/// A write that failed; without an error, one that had no answer.
pub(crate) struct Unwritten {
    pub(crate) lba: Lba,
    pub(crate) error: Option<IoError>,
}

/// Images that are written at once.
struct Run {
    start: Lba,
    bytes: Vec<u8>,
    images: u64,
}

/// Writes images that ascend by address, zeros between those that stand close, and behind each to the end of its stride.
/// `progress` hears how many are written.
pub(crate) async fn write_images(
    world: &World,
    stride: BlockCount,
    images: impl Iterator<Item = (Lba, Image)>,
    progress: &dyn Fn(u64),
) -> Result<(), Unwritten> {
    let block_size = world.device.geometry().block_size;
    let length = |blocks: BlockCount| usize::try_from(blocks.bytes(block_size).0).unwrap_or(usize::MAX);
    let mut written = 0;
    let mut run: Option<Run> = None;
    for (lba, image) in images {
        // A page takes what it takes, a record its stride.
        let taken = image.bytes().len().max(if image.bytes().len() == block_size.length() {
            length(stride)
        } else {
            0
        });
        let joins = run.as_ref().is_some_and(|run| {
            let offset = length(BlockCount(lba.0 - run.start.0));
            offset - run.bytes.len() <= GAP_BYTES_MAX && offset + taken <= WRITE_BYTES
        });
        if !joins && let Some(full) = run.take() {
            write(world, full.start, &full.bytes).await?;
            written += full.images;
            progress(written);
        }
        let run = run.get_or_insert_with(|| Run { start: lba, bytes: Vec::new(), images: 0 });
        run.bytes.resize(length(BlockCount(lba.0 - run.start.0)), 0);
        run.bytes.extend_from_slice(image.bytes());
        run.bytes.resize(run.bytes.len() + taken - image.bytes().len(), 0);
        run.images += 1;
    }
    if let Some(last) = run {
        write(world, last.start, &last.bytes).await?;
        progress(written + last.images);
    }
    Ok(())
}

/// One plain write.
pub(crate) async fn write(world: &World, lba: Lba, bytes: &[u8]) -> Result<(), Unwritten> {
    let unwritten = |error| Unwritten { lba, error };
    let answer = world.within(COMMAND_LIMIT, world.device.write(lba, bytes)).await;
    answer.ok_or(unwritten(None))?.map_err(|error| unwritten(Some(error)))
}
