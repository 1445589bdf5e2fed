//! Values on the command line: sizes, times, names, devices; each refused with a sentence that says what is wanted.

use std::path::PathBuf;
use std::time::Duration;

use oarlock_block::{BlockSize, ByteCount};
use oarlock_format::is_cluster_size;

/// Units of a size, by letter.
const SIZE_UNITS: [(char, u32); 4] = [('K', 10), ('M', 20), ('G', 30), ('T', 40)];

/// Units of a time in milliseconds; `ms` before `m` and `s`, of which it ends in one.
const TIME_UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// Why a value is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not a size.
    #[error("`{text}` is no size: a whole number, and K, M, G or T for powers of 1,024, as in 8G")]
    Size {
        /// What was given.
        text: String,
    },
    /// Not a time.
    #[error("`{text}` is no time: a whole number and ms, s, m or h, as in 200ms")]
    Time {
        /// What was given.
        text: String,
    },
    /// Not a block size.
    #[error("`{text}` is no block size: 512 or 4096")]
    BlockSize {
        /// What was given.
        text: String,
    },
    /// Not a cluster size.
    #[error("`{text}` is no cluster size: a power of two from 4K to 1M, as in 64K")]
    ClusterSize {
        /// What was given.
        text: String,
    },
    /// Not a range of seeds.
    #[error("`{text}` is no range of seeds: A..B, with A below B, as in 0..1000")]
    Seeds {
        /// What was given.
        text: String,
    },
    /// A device that no backend of this program reaches.
    #[error(
        "`{text}` is reached by {backend}, which this version does not have: it takes plain files and local block devices"
    )]
    Backend {
        /// What was given.
        text: String,
        /// The kind of device.
        backend: &'static str,
    },
    /// No device.
    #[error("a device has a name: the path of a plain file or block device, as in pool.img")]
    NoDevice,
}

/// A size: `512`, `64K`, `8G`.
///
/// # Errors
/// [`ValueError::Size`].
pub fn size(text: &str) -> Result<ByteCount, ValueError> {
    let error = || ValueError::Size { text: text.to_owned() };
    let letter = text.chars().next_back().map(|letter| letter.to_ascii_uppercase());
    let unit = SIZE_UNITS.into_iter().find(|(name, _)| Some(*name) == letter);
    let (digits, shift) = match unit {
        Some((_, shift)) => (&text[..text.len() - 1], shift),
        None => (text, 0),
    };
    let number = whole(digits).ok_or_else(error)?;
    number.checked_mul(1 << shift).map(ByteCount).ok_or_else(error)
}

/// A time: `200ms`, `2s`, `5m`, `24h`.
///
/// # Errors
/// [`ValueError::Time`].
pub fn time(text: &str) -> Result<Duration, ValueError> {
    let error = || ValueError::Time { text: text.to_owned() };
    let unit = TIME_UNITS.into_iter().find_map(|(name, size)| Some((text.strip_suffix(name)?, size)));
    let (digits, milliseconds) = unit.ok_or_else(error)?;
    let number = whole(digits).ok_or_else(error)?;
    number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(error)
}

/// A block size: `512` or `4096`, which may be written `4K`.
///
/// # Errors
/// [`ValueError::BlockSize`].
pub fn block_size(text: &str) -> Result<BlockSize, ValueError> {
    let bytes = size(text).ok().and_then(|size| u32::try_from(size.0).ok());
    bytes.and_then(BlockSize::from_bytes).ok_or_else(|| ValueError::BlockSize { text: text.to_owned() })
}

/// A cluster size: a power of two from `4K` to `1M`.
///
/// # Errors
/// [`ValueError::ClusterSize`].
pub fn cluster_size(text: &str) -> Result<ByteCount, ValueError> {
    let found = size(text).ok().filter(|size| is_cluster_size(*size));
    found.ok_or_else(|| ValueError::ClusterSize { text: text.to_owned() })
}

/// A device: the path of a plain file or block device.
///
/// # Errors
/// [`ValueError::Backend`] for the devices of later versions.
pub fn device(text: &str) -> Result<PathBuf, ValueError> {
    let later = [("iscsi:", "the iSCSI initiator"), ("rbd:", "librbd")];
    match later.into_iter().find(|(scheme, _)| text.starts_with(scheme)) {
        Some((_, backend)) => Err(ValueError::Backend { text: text.to_owned(), backend }),
        None if text.is_empty() => Err(ValueError::NoDevice),
        None => Ok(PathBuf::from(text)),
    }
}

/// Digits alone: no sign, no space, no fraction.
fn whole(digits: &str) -> Option<u64> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_whole_number_and_a_power_of_1024() {
        for (text, bytes) in
            [("0", 0), ("512", 512), ("64K", 65_536), ("256M", 1 << 28), ("8G", 8 << 30), ("1t", 1 << 40)]
        {
            assert_eq!(size(text), Ok(ByteCount(bytes)), "{text}");
        }
        for text in [
            "",
            "K",
            "-1",
            "+1",
            "1.5G",
            "8 G",
            "8GB",
            "8GiB",
            "18446744073709551616",
            "18446744073709551615T",
            "8é",
        ] {
            assert!(size(text).is_err(), "{text:?} is no size");
        }
    }

    #[test]
    fn a_time_has_a_unit() {
        for (text, milliseconds) in
            [("200ms", 200), ("2s", 2_000), ("5m", 300_000), ("24h", 86_400_000), ("0s", 0)]
        {
            assert_eq!(time(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "2", "ms", "s", "-2s", "1.5s", "2 s", "2d", "2S", "18446744073709551615h"] {
            assert!(time(text).is_err(), "{text:?} is no time");
        }
    }

    #[test]
    fn a_block_has_512_or_4096_bytes() {
        assert_eq!(block_size("512"), Ok(BlockSize::B512));
        assert_eq!(block_size("4K"), Ok(BlockSize::B4096));
        assert!(block_size("1024").is_err());
    }

    #[test]
    fn a_cluster_is_a_power_of_two_within_its_bounds() {
        for (text, bytes) in [("4K", 4096), ("64K", 65_536), ("1M", 1 << 20), ("8192", 8192)] {
            assert_eq!(cluster_size(text), Ok(ByteCount(bytes)), "{text}");
        }
        for text in ["0", "3K", "2K", "2M", "65537", "", "64KB"] {
            let error = cluster_size(text).unwrap_err().to_string();
            assert!(error.contains("a power of two from 4K to 1M"), "{text}: {error}");
        }
    }

    #[test]
    fn a_device_of_a_later_version_is_refused_by_name() {
        assert_eq!(device("iscsi.img"), Ok(PathBuf::from("iscsi.img")), "a file may be called so");
        for text in ["iscsi://portal/iqn/0", "rbd:pool/image"] {
            assert!(matches!(device(text), Err(ValueError::Backend { .. })), "{text}");
        }
    }
}
