//! The configuration file of `oarlock target serve`: what its flags say, in TOML.
//!
//! ```toml
//! listen = ["192.0.2.7:3260", "198.51.100.7:3260"]
//! iqn = "iqn.2026-11.org.example:array"
//! chap = ["esx:esx.secret"]
//! allow = ["iqn.1998-01.com.vmware:esx1"]
//!
//! [[lun]]
//! number = 0
//! file = "/srv/gold.img"
//! size = "64G"
//! thin = true
//! ```
//! A path that is not whole begins where the file lies.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use oarlock_block::{ArrayFaultSpec, BlockSize, ByteCount};
use oarlock_scsi::iscsi::NodeName;
use oarlock_target::UnitOptions;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::catalogue::Code;
use crate::failure::Failure;
use crate::lun_values::{self, ChapFile};
use crate::values;

/// Longer than any list of units that an array can have.
const BYTES_MAX: u64 = 1 << 20;

/// What the file says; what it does not say is empty.
#[derive(Debug, Default)]
pub struct Config {
    pub listen: Vec<SocketAddr>,
    pub advertise: Vec<String>,
    pub iqn: Option<NodeName>,
    pub units: Vec<UnitOptions>,
    pub chap: Vec<ChapFile>,
    pub chap_mutual: Option<ChapFile>,
    pub allow: Vec<NodeName>,
    pub api: Option<PathBuf>,
    pub metrics: Option<SocketAddr>,
    pub faults: Vec<ArrayFaultSpec>,
}

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// Where it cannot be read, is no TOML, or says what no flag could: by its line.
    pub fn read(path: &Path) -> Result<Config, Failure> {
        let place = path.display();
        let refused = |what: String| Failure::new(Code::ConfigFile, format!("{place}: {what}"));
        let about = fs::metadata(path).map_err(|error| refused(error.to_string()))?;
        if about.len() > BYTES_MAX {
            return Err(refused(format!("it has {} bytes; {BYTES_MAX} are the most", about.len())));
        }
        let text = fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
        // Where the file was named without a folder, that is the one where this process stands.
        let folder = path.parent().unwrap_or(Path::new(""));
        parse(&text, folder)
            .map_err(|(line, what)| Failure::new(Code::ConfigFile, format!("{place}, line {line}: {what}")))
    }
}

/// What the text says; else the line of the mistake, and what it is.
fn parse(text: &str, folder: &Path) -> Result<Config, (usize, String)> {
    let line_of = |at: usize| text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
    let file: File = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(span.start));
        (line, error.message().replace('\n', " "))
    })?;
    let mut units: Vec<UnitOptions> = Vec::new();
    for lun in file.lun {
        let line = line_of(lun.span().start);
        let unit = lun.into_inner().unit(folder);
        lun_values::check(&unit).map_err(|wanted| (line, wanted.to_owned()))?;
        if units.iter().any(|other| other.number == unit.number) {
            return Err((line, format!("unit {} stands here twice", unit.number)));
        }
        units.push(unit);
    }
    Ok(Config {
        listen: file.listen.into_iter().map(|Portal(address)| address).collect(),
        advertise: file.advertise.into_iter().map(|Advertised(address)| address).collect(),
        iqn: file.iqn.map(|Name(name)| name),
        units,
        chap: file.chap.into_iter().map(|Chap(chap)| chap.in_folder(folder)).collect(),
        chap_mutual: file.chap_mutual.map(|OwnChap(chap)| chap.in_folder(folder)),
        allow: file.allow.into_iter().map(|Name(name)| name).collect(),
        api: file.api.map(|api| folder.join(api)),
        metrics: file.metrics.map(|Portal(address)| address),
        faults: file.fault.into_iter().map(|FaultSpec(fault)| fault).collect(),
    })
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    listen: Vec<Portal>,
    advertise: Vec<Advertised>,
    iqn: Option<Name>,
    lun: Vec<toml::Spanned<Lun>>,
    chap: Vec<Chap>,
    chap_mutual: Option<OwnChap>,
    allow: Vec<Name>,
    api: Option<PathBuf>,
    metrics: Option<Portal>,
    fault: Vec<FaultSpec>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lun {
    number: Number,
    file: PathBuf,
    size: Option<Size>,
    block: Option<Block>,
    physical: Option<Size>,
    #[serde(default)]
    thin: bool,
    #[serde(default)]
    ro: bool,
    #[serde(default)]
    removable: bool,
    wce: Option<Wce>,
    serial: Option<String>,
    queue: Option<Queue>,
    #[serde(default)]
    allow: Vec<Name>,
}

impl Lun {
    fn unit(self, folder: &Path) -> UnitOptions {
        UnitOptions {
            number: self.number.0,
            path: folder.join(self.file),
            size: self.size.map(|Size(size)| size),
            block_size: self.block.map(|Block(size)| size),
            physical_block: self.physical.map(|Size(size)| size),
            is_thin: self.thin,
            is_read_only: self.ro,
            is_removable: self.removable,
            write_cache: self.wce.is_none_or(|Wce(cache)| cache),
            serial: self.serial,
            queue: self.queue.map(|Queue(length)| length),
            allowed: self.allow.into_iter().map(|Name(name)| name).collect(),
        }
    }
}

/// A number, or a text such as `64G`: what stands on the command line.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a number, or a text as \"64G\"")]
enum Word {
    Number(u64),
    Text(String),
}

impl Word {
    fn text(self) -> String {
        match self {
            Word::Number(number) => number.to_string(),
            Word::Text(text) => text,
        }
    }
}

/// `wce`: as on the command line, or as TOML says yes and no.
struct Wce(bool);

impl<'de> Deserialize<'de> for Wce {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Wce, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "0 or 1, true or false")]
        enum Said {
            Truth(bool),
            Word(Word),
        }
        match Said::deserialize(deserializer)? {
            Said::Truth(cache) => Ok(Wce(cache)),
            Said::Word(word) => lun_values::write_cache(&word.text()).map(Wce).map_err(D::Error::custom),
        }
    }
}

/// Defines values that are read as the command line reads them.
macro_rules! words {
    ($( $name:ident($value:ty) = $parse:expr; )+) => { $(
        struct $name($value);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let text = Word::deserialize(deserializer)?.text();
                $parse(&text).map($name).map_err(D::Error::custom)
            }
        }
    )+ };
}

words! {
    Size(ByteCount) = values::size;
    Block(BlockSize) = values::block_size;
    Number(u16) = lun_values::number;
    Queue(u16) = lun_values::queue;
    Name(NodeName) = str::parse::<NodeName>;
    Portal(SocketAddr) = lun_values::portal;
    Advertised(String) = lun_values::address;
    Chap(ChapFile) = lun_values::chap;
    OwnChap(ChapFile) = lun_values::own_chap;
    FaultSpec(ArrayFaultSpec) = str::parse::<ArrayFaultSpec>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, (usize, String)> {
        parse(text, Path::new("/etc/oarlock"))
    }

    #[test]
    fn a_file_says_all_that_the_flags_can() {
        let config = read(
            "listen = ['127.0.0.1:3260', '[::1]:3261']\n\
             advertise = ['array.example:3260', '192.0.2.7:3261']\n\
             iqn = 'iqn.2026-11.org.example:array'\n\
             chap = ['esx:esx.secret', 'win:/keys/win']\n\
             chap_mutual = 'array:array.secret'\n\
             allow = ['iqn.1998-01.com.vmware:esx1']\n\
             api = 'array.sock'\nmetrics = '127.0.0.1:9870'\n\
             fault = ['refuse:op=ats,every=3', 'lose-reply:portal=2']\n\
             [[lun]]\nnumber = 3\nfile = 'a.img'\nsize = '8G'\nblock = 4096\nphysical = '16K'\nthin = true\n\
             ro = true\nremovable = true\nwce = 0\nserial = 'A7'\nqueue = 32\n\
             allow = ['iqn.2026-11.org.example:a', 'iqn.2026-11.org.example:b']\n\
             [[lun]]\nnumber = 4\nfile = '/srv/b.img'\nsize = 65536\n",
        )
        .unwrap();
        let flag = |text: &str| lun_values::unit(text).unwrap();
        let wanted = [
            flag(
                "3=/etc/oarlock/a.img,size=8G,block=4096,physical=16K,thin,ro,removable,wce=0,serial=A7,queue=32,\
                 allow=iqn.2026-11.org.example:a,allow=iqn.2026-11.org.example:b",
            ),
            flag("4=/srv/b.img,size=65536"),
        ];
        assert_eq!(config.units, wanted);
        assert_eq!(config.listen, ["127.0.0.1:3260".parse().unwrap(), "[::1]:3261".parse().unwrap()]);
        assert_eq!(config.advertise, ["array.example:3260", "192.0.2.7:3261"]);
        assert_eq!(config.iqn.unwrap().as_str(), "iqn.2026-11.org.example:array");
        assert_eq!(config.allow[0].as_str(), "iqn.1998-01.com.vmware:esx1");
        let chap = |text: &str| lun_values::chap(text).unwrap();
        assert_eq!(config.chap, [chap("esx:/etc/oarlock/esx.secret"), chap("win:/keys/win")]);
        assert_eq!(config.chap_mutual, Some(chap("array:/etc/oarlock/array.secret")));
        assert_eq!(config.api.unwrap(), Path::new("/etc/oarlock/array.sock"));
        assert_eq!(config.metrics, Some("127.0.0.1:9870".parse().unwrap()));
        assert_eq!(config.faults[1].to_string(), "lose-reply:portal=2");
        assert!(read("").unwrap().units.is_empty());
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        for (text, line, words) in [
            ("iqn = 'iqn.2026-11.org.example:a'\nlisen = []\n", 2, "`lisen`"),
            ("[[lun]]\nnumber = 0\nfile = 'a'\nthick = true\n", 4, "`thick`"),
            ("\n[[lun]]\nnumber = 0\n", 2, "`file`"),
            ("listen = ['127.0.0.1']\n", 1, "`127.0.0.1` is no address"),
            ("\niqn = 'array'\n", 2, "`array` is no iSCSI name"),
            ("[[lun]]\nnumber = 16384\nfile = 'a'\n", 2, "from 0 to 16383"),
            ("[[lun]]\nnumber = 0\nfile = 'a'\nsize = '1.5G'\n", 4, "`1.5G` is no size"),
            ("[[lun]]\nnumber = 0\nfile = 'a'\nsize = true\n", 4, "a number, or a text"),
            ("[[lun]]\nnumber = 0\nfile = 'a'\nphysical = 3000\n", 1, "power of two"),
            ("[[lun]]\nnumber = 0\nfile = 'a'\n[[lun]]\nnumber = 0\nfile = 'b'\n", 4, "twice"),
            ("[[lun]]\nnumber = 0\nfile = 'a'\nqueue = 0\n", 4, "from 1 to 2048"),
            ("[[lun]]\nnumber = 0\nfile = 'a'\nwce = 2\n", 4, "from 0 to 1"),
            ("chap = ['esx']\n", 1, "USER:FILE"),
            ("chap = ['esx:f']\nsecret = 'x'\n", 2, "`secret`"),
            ("allow = [\n", 1, ""),
            ("\nfault = ['refuse:record=slot']\n", 2, "no key `record`"),
        ] {
            let (at, what) = read(text).unwrap_err();
            assert!(at == line && what.contains(words), "{text:?}: line {at}: {what}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_by_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let error = Config::read(&folder.path().join("none.toml")).unwrap_err();
        assert!(error.exit == 2 && error.to_string().contains("none.toml"), "{error}");
        let path = folder.path().join("long.toml");
        fs::write(&path, "#".repeat(usize::try_from(BYTES_MAX).unwrap() + 1)).unwrap();
        assert!(Config::read(&path).unwrap_err().to_string().contains("the most"));
    }
}
