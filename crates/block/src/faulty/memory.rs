//! What earlier reads gave: the images that a stale or torn read shows again.

use std::collections::BTreeMap;

use crate::Lba;

/// So many blocks are remembered; reads of further ones are always true.
const BLOCKS_MAX: usize = 4096;

/// For each block that was read: the newest image, and the one before it that differed.
#[derive(Default)]
pub struct Memory {
    blocks: BTreeMap<Lba, Images>,
}

struct Images {
    newest: Box<[u8]>,
    earlier: Option<Box<[u8]>>,
}

impl Memory {
    /// Remembers what the block holds in truth.
    pub fn remember(&mut self, lba: Lba, image: &[u8]) {
        if let Some(images) = self.blocks.get_mut(&lba) {
            if *images.newest != *image {
                images.earlier = Some(std::mem::replace(&mut images.newest, image.into()));
            }
        } else if self.blocks.len() < BLOCKS_MAX {
            self.blocks.insert(lba, Images { newest: image.into(), earlier: None });
        }
    }

    /// The newest image that an earlier read gave and that differs from the one remembered last.
    #[must_use]
    pub fn earlier(&self, lba: Lba) -> Option<&[u8]> {
        self.blocks.get(&lba)?.earlier.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_image_is_the_last_that_differed() {
        let mut memory = Memory::default();
        for image in [[1], [2], [2]] {
            memory.remember(Lba(0), &image);
        }
        assert_eq!(memory.earlier(Lba(0)), Some(&[1][..]));
        assert_eq!(memory.earlier(Lba(1)), None);
    }

    #[test]
    fn a_full_memory_forgets_nothing_and_takes_nothing_new() {
        let mut memory = Memory::default();
        for round in 0..2 {
            for block in 0..=BLOCKS_MAX as u64 {
                memory.remember(Lba(block), &[round]);
            }
        }
        assert!(memory.earlier(Lba(0)).is_some());
        assert_eq!(memory.earlier(Lba(BLOCKS_MAX as u64)), None);
    }
}
