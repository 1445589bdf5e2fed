//! The one write of a repair: a swap from the exact bad bytes, with each of its three answers (R1, R39).
//!
//! ```text
//!   expected bytes --- ATS ---+-- swapped ------------------------------------------> Done
//!                             +-- false, or no answer --> read --+-- an image of mine -> Done
//!                             |                                  +-- other bytes ------> Changed
//!                             |                                  +-- the expected ones: again, a new image
//!                             +-- refused ------------------------------------------> Refused
//! ```

use oarlock_block::{Answer, Lba, Refusal};
use oarlock_format::{Generation, Image, Nonce, Record, Stamp};

use crate::check::CheckError;
use crate::check::right::Right;
use crate::check::scan::read_bytes;
use crate::store::Store;

/// One block is tried this often while the device gives no clear answer.
const ATTEMPTS_MAX: u64 = 8;

/// What became of it.
#[derive(Debug)]
pub(crate) enum Exchange {
    /// The block holds the new record.
    Done,
    /// The block holds something else by now: another was faster.
    Changed,
    /// Not done, and why. An attempt whose answer is missing may still land; the bad bytes that it expects are then
    /// still there, and nothing was built on them.
    Refused(String),
}

/// Swaps `expected` for `record`, in an image of this generation or, for each further attempt, the next.
pub(crate) async fn exchange<R: Record>(
    store: &Store,
    right: Right<'_>,
    lba: Lba,
    expected: &Image,
    generation: Generation,
    record: &R,
) -> Result<Exchange, CheckError> {
    let mut sent: Vec<Image> = Vec::new();
    for attempt in 0..ATTEMPTS_MAX {
        if let Some(reason) = right.refusal(store) {
            return Ok(Exchange::Refused(reason));
        }
        let stamp = Stamp {
            format_id: store.format_id,
            lba,
            generation: Generation(generation.0 + attempt),
            writer: right.writer(),
            nonce: Nonce(store.world.random.nonce()),
        };
        let new = oarlock_format::encode(&stamp, record, store.block_size);
        sent.push(new.clone());
        let command = store.world.device.compare_and_write(lba, expected.bytes(), new.bytes());
        match store.world.within(store.timing.beat, command).await.map(|attempted| attempted.outcome) {
            Some(Ok(Answer::Swapped)) => return Ok(Exchange::Done),
            Some(Err(Refusal::Busy)) => {}
            Some(Err(refusal)) => return Ok(Exchange::Refused(refusal.to_string())),
            Some(Ok(Answer::Miscompared { .. } | Answer::Unknown { .. })) | None => {
                if let Some(ended) = read_back(store, lba, expected, &sent).await? {
                    return Ok(ended);
                }
            }
        }
        store.world.pause(store.timing.beat / 8).await;
    }
    Ok(Exchange::Refused(format!("the device gave no clear answer to {ATTEMPTS_MAX} attempts")))
}

/// What the block shows after a false or a missing answer; `None` while it shows what was expected, which resolves
/// nothing (R1): the next attempt closes this one.
async fn read_back(
    store: &Store,
    lba: Lba,
    expected: &Image,
    sent: &[Image],
) -> Result<Option<Exchange>, CheckError> {
    let Some(found) = read_image(store, lba).await? else { return Ok(None) };
    if sent.contains(&found) {
        return Ok(Some(Exchange::Done));
    }
    Ok((found != *expected).then_some(Exchange::Changed))
}

/// The bytes of a block; none where the device does not give them.
pub(crate) async fn read_image(store: &Store, lba: Lba) -> Result<Option<Image>, CheckError> {
    let mut buffer = [0; oarlock_block::BlockSize::LARGEST];
    let buffer = &mut buffer[..store.block_size.length()];
    Ok(read_bytes(store, lba, buffer).await?.ok().map(|()| Image::new(buffer)))
}
