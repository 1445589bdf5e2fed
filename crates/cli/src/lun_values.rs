//! Values of `oarlock target` on the command line: units, CHAP accounts, addresses.

use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use oarlock_block::ByteCount;
use oarlock_scsi::iscsi::{Account, NodeName, SECRET_LENGTH_MAX, SECRET_LENGTH_MIN};
use oarlock_target::UnitOptions;
use oarlock_target::limits::UNIT_TASKS_MAX;

use crate::catalogue::Code;
use crate::failure::Failure;
use crate::values::{self, ValueError};

/// A CHAP name, and the file that has its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChapFile {
    name: String,
    file: PathBuf,
    /// The initiators that it is of; empty: whoever knows the secret.
    allowed: Vec<NodeName>,
}

/// A unit's number.
///
/// # Errors
/// [`ValueError::Count`].
pub fn number(text: &str) -> Result<u16, ValueError> {
    values::count(text, 0, 16_383)
}

/// The commands that a unit has open at once.
///
/// # Errors
/// [`ValueError::Count`].
pub fn queue(text: &str) -> Result<u16, ValueError> {
    values::count(text, 1, UNIT_TASKS_MAX)
}

/// Whether a unit has a write cache.
///
/// # Errors
/// [`ValueError::Count`].
pub fn write_cache(text: &str) -> Result<bool, ValueError> {
    values::count(text, 0, 1).map(|cache| cache == 1)
}

/// A unit: `N=FILE`, and options behind commas.
///
/// # Errors
/// [`ValueError::Unit`], and those of sizes.
pub fn unit(text: &str) -> Result<UnitOptions, ValueError> {
    let refused = |wanted: &str| ValueError::Unit { text: text.to_owned(), wanted: wanted.to_owned() };
    let (number, rest) = text.split_once('=').ok_or_else(|| refused("it begins with a number and `=`"))?;
    let number = self::number(number)?;
    let mut parts = rest.split(',');
    let path = parts.next().filter(|path| !path.is_empty()).ok_or_else(|| refused("it names no file"))?;
    let mut unit = UnitOptions::new(number, values::device(path)?);
    for part in parts {
        match part.split_once('=').unwrap_or((part, "")) {
            ("size", size) => unit.size = Some(values::size(size)?),
            ("block", size) => unit.block_size = Some(values::block_size(size)?),
            ("physical", size) => unit.physical_block = Some(values::size(size)?),
            ("thin", "") => unit.is_thin = true,
            ("ro", "") => unit.is_read_only = true,
            ("removable", "") => unit.is_removable = true,
            ("wce", cache) => unit.write_cache = write_cache(cache)?,
            ("serial", serial) if !serial.is_empty() => unit.serial = Some(serial.to_owned()),
            ("queue", length) => unit.queue = Some(queue(length)?),
            ("allow", name) => {
                unit.allowed.push(name.parse().map_err(|error| refused(&format!("`{name}`: {error}")))?);
            }
            _ => return Err(refused(&format!("`{part}` is no option of it"))),
        }
    }
    check(&unit).map(|()| unit).map_err(refused)
}

/// What holds for every unit, wherever it was asked for.
///
/// # Errors
/// What is wanted instead.
pub fn check(unit: &UnitOptions) -> Result<(), &'static str> {
    let block = unit.block_size.map_or(512, oarlock_block::BlockSize::bytes);
    if unit.size.is_some_and(|ByteCount(size)| size == 0 || !size.is_multiple_of(block.into())) {
        return Err("size= is a whole number of blocks, and of one at least");
    }
    let Some(ByteCount(physical)) = unit.physical_block else { return Ok(()) };
    if !physical.is_power_of_two() || !(512..=65_536).contains(&physical) {
        return Err("a physical block is a power of two from 512 to 64K");
    }
    if physical < u64::from(block) {
        return Err("a physical block is no smaller than a logical one");
    }
    Ok(())
}

/// A CHAP account: `USER:FILE`.
///
/// # Errors
/// [`ValueError::Chap`].
pub fn chap(text: &str) -> Result<ChapFile, ValueError> {
    let refused = || ValueError::Chap { text: text.to_owned() };
    let (account, allowed) = text.split_once(",allow=").unwrap_or((text, ""));
    let initiators = allowed.split(",allow=").filter(|_| account.len() < text.len());
    let allowed = initiators.map(|name| name.parse().map_err(|_| refused())).collect::<Result<_, _>>()?;
    match account.split_once(':') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => {
            Ok(ChapFile { name: name.to_owned(), file: PathBuf::from(file), allowed })
        }
        _ => Err(refused()),
    }
}

/// The target's own account, which is no initiator's.
///
/// # Errors
/// [`ValueError::Chap`].
pub fn own_chap(text: &str) -> Result<ChapFile, ValueError> {
    chap(text)
        .ok()
        .filter(|chap| chap.allowed.is_empty())
        .ok_or_else(|| ValueError::Chap { text: text.to_owned() })
}

/// An address as initiators are told it: a name or an address, and a port.
///
/// # Errors
/// [`ValueError::Address`].
pub fn address(text: &str) -> Result<String, ValueError> {
    let parts = text.rsplit_once(':').filter(|(host, port)| {
        let is_bare = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
        let has_port = port.parse::<u16>().is_ok_and(|port| port > 0);
        !host.is_empty() && is_bare && has_port && !host.contains([',', ' '])
    });
    parts.map(|_| text.to_owned()).ok_or_else(|| ValueError::Address { text: text.to_owned() })
}

/// An address of this machine to listen on.
///
/// # Errors
/// [`ValueError::Portal`].
pub fn portal(text: &str) -> Result<SocketAddr, ValueError> {
    text.parse().map_err(|_| ValueError::Portal { text: text.to_owned() })
}

impl ChapFile {
    /// The same, where a path that is not whole begins in `folder`.
    #[must_use]
    pub fn in_folder(self, folder: &Path) -> ChapFile {
        ChapFile { file: folder.join(self.file), ..self }
    }

    /// The account, with the secret from its file; a line's end behind it is none of it.
    ///
    /// # Errors
    /// Where the file cannot be read, is readable by others, or has no secret of a good length.
    pub fn read(&self) -> Result<Account, Failure> {
        let place = self.file.display();
        let refused = |what: String| Failure::new(Code::ChapSecret, format!("{place}: {what}"));
        let about = std::fs::metadata(&self.file).map_err(|error| refused(error.to_string()))?;
        if !about.is_file() || about.mode() & 0o077 != 0 {
            return Err(refused(format!(
                "its mode is {:03o}; only its owner may read it",
                about.mode() & 0o777
            )));
        }
        let secret = std::fs::read(&self.file).map_err(|error| refused(error.to_string()))?;
        let secret = secret.strip_suffix(b"\n").unwrap_or(&secret);
        let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
        if secret.contains(&b'\n') {
            return Err(refused("it has several lines; the secret alone is wanted".to_owned()));
        }
        if !(SECRET_LENGTH_MIN..=SECRET_LENGTH_MAX).contains(&secret.len()) {
            return Err(refused(format!(
                "its secret has {} bytes; {SECRET_LENGTH_MIN} to {SECRET_LENGTH_MAX} are wanted",
                secret.len()
            )));
        }
        Ok(Account { name: self.name.clone(), secret: secret.to_vec(), allowed: self.allowed.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oarlock_block::BlockSize;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_unit_is_a_number_a_file_and_its_options() {
        let found =
            unit("3=/srv/a.img,size=8G,block=4096,physical=16K,thin,ro,removable,wce=0,serial=A7,queue=32,allow=iqn.2026-11.org.example:a").unwrap();
        let wanted = UnitOptions {
            number: 3,
            path: PathBuf::from("/srv/a.img"),
            size: Some(ByteCount(8 << 30)),
            block_size: Some(BlockSize::B4096),
            physical_block: Some(ByteCount(16_384)),
            is_thin: true,
            is_read_only: true,
            is_removable: true,
            write_cache: false,
            serial: Some("A7".to_owned()),
            queue: Some(32),
            allowed: vec!["iqn.2026-11.org.example:a".parse().unwrap()],
        };
        assert_eq!(found, wanted);
        assert!(unit("0=a.img").unwrap().write_cache);
        for none in [
            "",
            "a.img",
            "x=a.img",
            "0=",
            "0=a,thick",
            "0=a,size=",
            "16384=a",
            "0=a,physical=3K",
            "0=a,block=4096,physical=512",
            "0=a,thin=1",
            "0=rbd:p/i",
        ] {
            assert!(unit(none).is_err(), "{none}");
        }
    }

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for good in ["192.0.2.7:3260", "[2001:db8::7]:3260", "array.example:3260"] {
            assert_eq!(address(good).as_deref(), Ok(good));
        }
        for bad in ["", "192.0.2.7", "192.0.2.7:0", "2001:db8::7:3260", ":3260", "a b:1", "a,1:2"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_that_others_can_read_or_that_is_short_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "a good long secret\n").unwrap();
        let account = chap(&format!("esx:{}", file.display())).unwrap();
        let mode = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o644);
        assert!(account.read().unwrap_err().to_string().contains("644"));
        mode(0o600);
        assert_eq!(account.read().unwrap().secret, b"a good long secret");
        std::fs::write(&file, "short").unwrap();
        assert!(account.read().unwrap_err().to_string().contains("5 bytes"));
        assert!(chap("esx").is_err() && chap(":f").is_err() && chap("u:").is_err());
    }

    #[test]
    fn an_account_may_be_of_some_initiators_and_the_target_s_own_is_of_none() {
        let [a, b] = ["iqn.2026-11.org.example:a", "iqn.2026-11.org.example:b"];
        let both = chap(&format!("esx:/keys/esx,1,allow={a},allow={b}")).unwrap();
        assert_eq!(both.file, Path::new("/keys/esx,1"));
        assert_eq!(both.allowed, [a.parse().unwrap(), b.parse().unwrap()]);
        for bad in ["esx:f,allow=", "esx:f,allow=a b", ",allow=iqn.2026-11.org.example:a"] {
            assert!(chap(bad).is_err(), "{bad}");
        }
        assert!(own_chap("array:f").is_ok());
        assert!(own_chap(&format!("array:f,allow={a}")).is_err());
    }
}
