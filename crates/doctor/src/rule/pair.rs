//! Two atomic tests and sets that bear one device's name, and are of two: of two disks, of two blocks, or of two writers.

use super::case::{Case, command};
use super::reservation::FIRST_OF_GUESTS;
use crate::fact::Fact;
use crate::scsi_line;
use crate::text::{after, hex, number};

/// Bytes of the address of a block (SBC-4, COMPARE AND WRITE).
const ADDRESS_BYTES: usize = 8;

/// What the line of an atomic test and set says of its disk, its block and its writer. Read once for each: a storm is compared with a storm.
#[derive(Debug)]
pub struct Side<'a> {
    device: Option<&'a str>,
    path: Option<&'a str>,
    namespace: Option<u64>,
    /// The bytes of the block's address that are printed: fewer than eight where the command was cut, none where it is not printed at all.
    address: Option<Vec<u64>>,
    of_a_guest: Option<bool>,
    world: Option<u64>,
}

impl<'a> Side<'a> {
    /// What a line says; `None` where it is about no atomic test and set.
    pub fn of(case: &Case<'a>, fact: &Fact) -> Option<Side<'a>> {
        let line = scsi_line::read(&fact.text);
        command(fact).is_some_and(|command| command.is_ats()).then(|| Side {
            device: case.text(fact.device),
            path: case.text(fact.path),
            namespace: after(&fact.text, "nsid ").and_then(number),
            address: address(&fact.text),
            of_a_guest: line.cmd_sn.map(|serial| serial >= FIRST_OF_GUESTS),
            world: line.world,
        })
    }

    /// Whether nothing tells the disk from others: its name is hidden, or there is none that can be read, and no path names its unit.
    pub fn is_of_a_hidden_disk(&self) -> bool {
        // `sdc` is one of its host's, as long as its numbers are.
        let tells_it = |name: &str| is_an_identity(name) || name.starts_with("sd");
        self.path.is_none() && !self.device.is_some_and(tells_it)
    }

    /// Whether the lines themselves say that two commands have nothing to do with each other.
    pub fn is_another(&self, other: &Side<'_>) -> bool {
        self.is_of_another_disk(other) || self.is_of_another_block(other) || self.is_of_another_writer(other)
    }

    /// Whether the line prints its command, and was cut within the address of the block.
    pub fn is_of_a_cut_block(&self) -> bool {
        self.address.as_ref().is_some_and(|address| address.len() < ADDRESS_BYTES)
    }

    /// Of an address that was cut the bytes that are there tell enough where they differ.
    fn is_of_another_block(&self, other: &Side<'_>) -> bool {
        let pair = self.address.as_ref().zip(other.address.as_ref());
        pair.is_some_and(|(one, other)| one.iter().zip(other).any(|(one, other)| one != other))
    }

    /// `sdc` was given anew to a disk behind other numbers; or a name that was masked stands for whatever it hides, and the numbers of the units differ;
    /// or a controller of NVMe names two namespaces, each of which is a disk.
    fn is_of_another_disk(&self, other: &Side<'_>) -> bool {
        if differ(self.namespace, other.namespace) {
            return true;
        }
        let unit = |path: Option<&'_ str>| path.and_then(|path| path.rsplit(':').next()).map(str::to_owned);
        match self.device {
            Some(name) if name.starts_with("sd") => differ(self.path, other.path),
            Some(name) => !is_an_identity(name) && differ(unit(self.path), unit(other.path)),
            // Whatever stood there was not read: it may be any.
            None => differ(unit(self.path), unit(other.path)),
        }
    }

    /// Commands of guests have serial numbers of their own; two worlds are two guests, and a host's own command is none of theirs.
    fn is_of_another_writer(&self, other: &Side<'_>) -> bool {
        let both_guests = self.of_a_guest == Some(true) && other.of_a_guest == Some(true);
        differ(self.of_a_guest, other.of_a_guest) || both_guests && differ(self.world, other.world)
    }
}

/// Whether both are told, and are not the same.
fn differ<T: PartialEq>(one: Option<T>, other: Option<T>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one != other)
}

/// Whether a name tells one disk from all others. `naa.XXXXXXXX`, `naa.<masked>`, `naa.[REDACTED]`, `<device>` and `DEVICE_1` stand for whatever whoever
/// published the lines hid behind them, and so does a name of which the end was cut off or made zeros.
fn is_an_identity(name: &str) -> bool {
    const MASKS: [&str; 9] = ["XXX", "xxx", "###", "***", "...", "<", "[", "____", "idden"];
    let known = ["t10.", "mpx.", "sym.", "vml.", "uuid.", "nqn.", "vmhba", "dm-", "nvme", "mpath"];
    let numbered = ["naa.", "eui."].iter().find_map(|start| name.strip_prefix(start));
    !MASKS.iter().any(|mask| name.contains(mask))
        && numbered.map_or_else(|| known.iter().any(|start| name.starts_with(start)), is_whole)
}

/// Whether the numbers of a name are all there: 16 or 32 of them (SPC-5, 7.7.6.5 and 7.7.6.6; an EUI-64 has 16, 24 or 32), of which those behind the
/// vendor's are not all zeros.
fn is_whole(digits: &str) -> bool {
    const VENDORS: usize = 7;
    let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let own = digits.get(VENDORS..).is_some_and(|own| own.bytes().any(|byte| byte != b'0'));
    matches!(digits.len(), 16 | 24 | 32) && hex && own
}

/// The address in `CDB: Compare and write 89 00 00 00 00 00 00 00 08 00 ...`: bytes 2 to 9 (SBC-4, COMPARE AND WRITE), as far as they are printed.
fn address(text: &str) -> Option<Vec<u64>> {
    let printed =
        after(text, "CDB:").and_then(|bytes| after(bytes, " 89")).or_else(|| after(text, " 89 "))?;
    // A wrap may part the digits of a byte: one alone is none.
    let bytes = printed.split_whitespace().take_while(|word| word.len() == 2).map_while(hex);
    Some(bytes.skip(1).take(ADDRESS_BYTES).collect())
}
