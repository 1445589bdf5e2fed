//! Values on the command line: sizes, times, names, devices; each refused with a sentence that says what is wanted.

use std::path::PathBuf;
use std::time::Duration;

use oarlock_block::{BlockSize, ByteCount};
use oarlock_format::{DEVICE_SIZE_MAX, is_cluster_size};

/// The longest wait for a lock or an eviction: a week, the API's own bound.
const WAIT_MAX: Duration = Duration::from_millis(oarlock_host::api::WAIT_MS_MAX);
/// The longest measurement.
const MEASUREMENT_MAX: Duration = Duration::from_hours(24);

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
    /// A size that no datastore has.
    #[error("`{text}` is too large: a datastore has 64T at most")]
    TooLarge {
        /// What was given.
        text: String,
    },
    /// A wait beyond its bound.
    #[error("`{text}` is too long: a week is waited at most, 168h")]
    TooLong {
        /// What was given.
        text: String,
    },
    /// No time to measure anything.
    #[error("`{text}` is no time to measure: 1ms to 24h")]
    Measurement {
        /// What was given.
        text: String,
    },
    /// Not a number of what is counted.
    #[error("`{text}` is no number from {least} to {most}")]
    Count {
        /// What was given.
        text: String,
        /// The least that is taken.
        least: u16,
        /// The most.
        most: u16,
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
    /// Not a theme of the simulator's.
    #[error("`{text}` is no theme: one of {themes}")]
    Theme {
        /// What was given.
        text: String,
        /// What there is.
        themes: String,
    },
    /// Seeds of a theme that are none.
    #[error("no seed of {text} is about {theme}: of 20 seeds in a row one is at least")]
    NoSeedOfTheme {
        /// The range.
        text: String,
        /// The theme.
        theme: &'static str,
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
    /// Not a unit of an array.
    #[error(
        "`{text}`: {wanted}; a unit is N=FILE[,size=S][,block=512][,physical=4K][,thin][,ro][,removable][,wce=0][,serial=X][,queue=N][,allow=IQN]"
    )]
    Unit {
        /// What was given.
        text: String,
        /// What is wanted.
        wanted: String,
    },
    /// Not a name and a file with its secret.
    #[error(
        "`{text}` is no CHAP account: USER:FILE, where FILE has the secret; an initiator's may name those that it is of: USER:FILE,allow=IQN"
    )]
    Chap {
        /// What was given.
        text: String,
    },
    /// Not an address for initiators.
    #[error("`{text}` is no address: HOST:PORT, as in 192.0.2.7:3260 or [2001:db8::7]:3260")]
    Address {
        /// What was given.
        text: String,
    },
    /// Not an address to listen on.
    #[error(
        "`{text}` is no address to listen on: ADDRESS:PORT, as in 192.0.2.7:3260, 0.0.0.0:3260 or [::]:3260; names are not looked up"
    )]
    Portal {
        /// What was given.
        text: String,
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

/// The size of a device: as [`size`], and no larger than a datastore can be.
///
/// # Errors
/// [`ValueError::Size`], [`ValueError::TooLarge`].
pub fn device_size(text: &str) -> Result<ByteCount, ValueError> {
    let found = size(text)?;
    if found > DEVICE_SIZE_MAX { Err(ValueError::TooLarge { text: text.to_owned() }) } else { Ok(found) }
}

/// How many there are: a whole number within these bounds.
///
/// # Errors
/// [`ValueError::Count`].
pub fn count(text: &str, least: u16, most: u16) -> Result<u16, ValueError> {
    let number = whole(text).and_then(|number| u16::try_from(number).ok());
    let within = number.filter(|number| (least..=most).contains(number));
    within.ok_or_else(|| ValueError::Count { text: text.to_owned(), least, most })
}

/// How long to wait: as [`time`], a week at most.
///
/// # Errors
/// [`ValueError::Time`], [`ValueError::TooLong`].
pub fn wait(text: &str) -> Result<Duration, ValueError> {
    let found = time(text)?;
    if found > WAIT_MAX { Err(ValueError::TooLong { text: text.to_owned() }) } else { Ok(found) }
}

/// How long to measure: some time, and a day at most.
///
/// # Errors
/// [`ValueError::Time`], [`ValueError::Measurement`].
pub fn measurement(text: &str) -> Result<Duration, ValueError> {
    let found = time(text)?;
    let sound = !found.is_zero() && found <= MEASUREMENT_MAX;
    if sound { Ok(found) } else { Err(ValueError::Measurement { text: text.to_owned() }) }
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
    fn what_is_beyond_its_bounds_is_refused_with_the_bounds() {
        assert_eq!(device_size("64T"), Ok(ByteCount(64 << 40)));
        assert!(device_size("65T").unwrap_err().to_string().contains("64T at most"));
        assert_eq!(count("1024", 1, 1024), Ok(1024));
        for text in ["0", "1025", "65537", "x", "", "-1", "1.0", " 1"] {
            assert!(count(text, 1, 1024).unwrap_err().to_string().contains("from 1 to 1024"), "{text:?}");
        }
        assert_eq!(wait("0s"), Ok(Duration::ZERO), "one try");
        assert_eq!(wait("168h"), Ok(WAIT_MAX));
        assert!(wait("169h").unwrap_err().to_string().contains("a week"));
        assert_eq!(measurement("24h"), Ok(MEASUREMENT_MAX));
        for text in ["0s", "25h"] {
            assert!(measurement(text).unwrap_err().to_string().contains("1ms to 24h"), "{text}");
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
