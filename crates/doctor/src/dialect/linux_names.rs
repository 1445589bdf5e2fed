//! Linux: lines that tie a LUN's names to one another, and the states of its paths where `multipath -ll` lists them with their names.
//!
//! ```text
//!  mpatha (36005...) dm-2 IBM,2145                        multipath -ll
//!  | `- 2:0:0:1 sdc 8:32 active ready running
//!    `- 3:0:0:1 sdk 8:160 failed faulty offline
//!  sd 2:0:0:1: [sdc] ...                                  kernel
//!  mpatha: sdc - tur checker reports path is down         multipathd
//!  checker failed path 8:32 in map mpatha
//!  device-mapper: multipath: 253:9: Failing path 8:32.     kernel: the map's number and the path's
//!  sd 9:0:0:1: rejecting I/O to offline device             kernel: the unit, and right behind it its disk
//!  I/O error, dev sdq, sector 2048
//!  wwn-0x6005... -> ../../sdc                             ls -l /dev/disk/by-id
//!  scsi host8: Fusion MPT SAS Host                        kernel: whose numbers begin with 8
//! ```

use super::{Dialect, Reading};
use crate::fact::{Kind, PathEvent};
use crate::ledger::{Draft, Ledger};
use crate::record::Record;
use crate::stamp::Stamp;
use crate::text::{after, has, whole, word};
use crate::ties::{Rank, disk_of_partition};

/// Lines behind the head of a map within which its paths are listed.
const LISTED_LINES_MAX: u64 = 64;

/// The lines, the map whose paths are being listed, and the unit to which the kernel sent nothing any more.
#[derive(Debug, Default)]
pub struct LinuxNames {
    map: Option<Map>,
    refused: Option<Refused>,
}

/// A unit to which commands were refused.
#[derive(Debug)]
struct Refused {
    line: u64,
    when: Option<Stamp>,
    nexus: String,
    /// Whether another was refused near it: whose disk is told behind them, nobody knows then.
    is_one_of_several: bool,
}

/// A map of multipathing.
#[derive(Debug)]
struct Map {
    /// The line of its head.
    line: u64,
    rank: Rank,
    name: String,
    /// Whether a path that works was listed.
    works: bool,
}

impl Dialect for LinuxNames {
    fn name(&self) -> &'static str {
        "Linux: names of LUNs"
    }

    fn words(&self) -> Vec<&'static str> {
        vec![
            ": [sd",
            "rejecting I/O to ",
            "/O error, dev sd",
            "/O error on dev sd",
            "scsi host",
            " - tur checker",
            " checker reports ",
            " in map ",
            " devmap ",
            "Failing path",
            ") dm-",
            " dm-",
            " -> ../../",
            " ready running",
            " faulty ",
            "[faulty]",
            "failed undef ",
            " ghost running",
            " shaky running",
        ]
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        let body = without_branches(record.body());
        let tied = kernel(record, body, ledger)
            || self.head(record, body, ledger)
            || self.listed(record, body, ledger)
            || self.refused(record, body, ledger)
            || adapter(record, body, ledger)
            || daemon(record, body, ledger)
            || mapper(record, body, ledger)
            || link(record, body, ledger);
        if tied { Reading::UNDERSTOOD } else { Reading::Stranger }
    }

    fn end(&mut self, _ledger: &mut Ledger) {
        *self = LinuxNames::default();
    }
}

impl LinuxNames {
    /// `mpatha (36005...) dm-2 IBM,2145`, and `36005... dm-2 IBM,2145` where maps have no names of their own.
    fn head(&mut self, record: &Record<'_>, body: &str, ledger: &mut Ledger) -> bool {
        let mut words = body.split_whitespace();
        let (Some(first), Some(second)) = (words.next(), words.next()) else { return false };
        let bracketed = second.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).and_then(identity);
        let (map, identity, number) = match bracketed {
            Some(found) => ((Rank::Map, first.to_owned()), found, words.next()),
            None => match identity(first) {
                Some(found) => ((Rank::Identity, found.clone()), found, Some(second)),
                None => return false,
            },
        };
        let Some(number) = number.filter(|number| is_mapped(number)) else { return false };
        ledger.tie(record, (Rank::Identity, &identity), (map.0, &map.1));
        ledger.tie(record, (Rank::Identity, &identity), (Rank::Mapped, number));
        self.map = Some(Map { line: record.place.line, rank: map.0, name: map.1, works: false });
        true
    }

    /// `2:0:0:1 sdc 8:32 active ready running`; older tools wrote `[active][ready]`, and a path whose disk is gone has no name.
    fn listed(&mut self, record: &Record<'_>, body: &str, ledger: &mut Ledger) -> bool {
        let Some(listed) = Listed::of(body) else { return false };
        let path = listed.path;
        if let Some(path) = path {
            ledger.tie(record, (Rank::Path, path), (Rank::Nexus, listed.nexus));
        }
        let near = |map: &&mut Map| record.place.line.saturating_sub(map.line) <= LISTED_LINES_MAX;
        let mut told = (path, PathEvent::Failed);
        if let Some(map) = self.map.as_mut().filter(near) {
            if let Some(path) = path {
                ledger.tie(record, (map.rank, &map.name), (Rank::Path, path));
            }
            map.works |= !listed.failed;
            if !map.works && is_the_last(record) {
                told = (Some(&map.name), PathEvent::AllDown);
            }
        }
        if listed.failed {
            let (device, event) = told;
            ledger.note(record, Draft { device, ..Draft::of(Kind::Path(event)) });
        }
        true
    }
}

impl LinuxNames {
    /// `sd 9:0:0:1: rejecting I/O to offline device`, and right behind it `I/O error, dev sdq, sector 2048`: the kernel ends the command that it refused
    /// (drivers/scsi/scsi_lib.c, block/blk-core.c).
    fn refused(&mut self, record: &Record<'_>, body: &str, ledger: &mut Ledger) -> bool {
        const NEAR_LINES: u64 = 64;
        let line = record.place.line;
        if let Some((nexus, _)) = body.strip_prefix("sd ").and_then(|rest| rest.split_once(": rejecting I/O"))
        {
            let earlier =
                self.refused.take().filter(|earlier| line.saturating_sub(earlier.line) <= NEAR_LINES);
            let is_one_of_several =
                earlier.is_some_and(|earlier| earlier.is_one_of_several || earlier.nexus != nexus);
            self.refused =
                Some(Refused { line, when: record.prefix.when, nexus: nexus.to_owned(), is_one_of_several });
            return false;
        }
        let behind = |refused: &&Refused| {
            !refused.is_one_of_several
                && line == refused.line + 1
                && is_one_moment(refused.when, record.prefix.when)
        };
        let disk =
            after(body, "/O error, dev ").or_else(|| after(body, "/O error on dev ")).and_then(disk_of);
        let Some((refused, disk)) = self.refused.as_ref().filter(behind).zip(disk) else { return false };
        ledger.tie(record, (Rank::Path, disk), (Rank::Nexus, &refused.nexus));
        true
    }
}

/// Whether two lines that are neighbours are of one moment: an excerpt brings lines together that were written hours apart.
fn is_one_moment(earlier: Option<Stamp>, later: Option<Stamp>) -> bool {
    const MOMENT_US: i64 = 1_000_000;
    match (earlier, later) {
        (None, None) => true,
        (Some(earlier), Some(later)) => later.since(&earlier).is_some_and(|us| (0..=MOMENT_US).contains(&us)),
        _ => false,
    }
}

/// `sdq` of `sdq,` and of its partition `sdq1,`.
fn disk_of(text: &str) -> Option<&str> {
    let name = word(text).trim_end_matches(',');
    Some(disk_of_partition(name).unwrap_or(name)).filter(|disk| is_path(disk))
}

/// A path in a list of multipathing.
struct Listed<'a> {
    nexus: &'a str,
    path: Option<&'a str>,
    /// Whether the kernel took it out of use, or its checker found it dead.
    failed: bool,
}

impl<'a> Listed<'a> {
    fn of(body: &'a str) -> Option<Listed<'a>> {
        let mut words = body.split_whitespace();
        let (nexus, path) = (words.next()?, words.next()?);
        let gone = (nexus, path) == ("#:#:#:#", "-");
        let named = is_nexus(nexus) && is_path(path);
        if !gone && !named {
            return None;
        }
        let failed = words
            .skip(1)
            .any(|state| state.split(['[', ']']).any(|state| matches!(state, "failed" | "faulty")));
        Some(Listed { nexus, path: Some(path).filter(|_| !gone), failed })
    }
}

/// Whether no further path of the same map stands behind a listed one: a new group of paths has a line of its own before them.
fn is_the_last(record: &Record<'_>) -> bool {
    const GROUP_LINES_MAX: usize = 2;
    let mut following = record.following().take(GROUP_LINES_MAX);
    !following.any(|line| Listed::of(without_branches(&line)).is_some())
}

/// A line of a list without the branches of its tree.
fn without_branches(line: &str) -> &str {
    line.trim_start_matches([' ', '|', '`', '-', '+', '\\', '_', '>'])
}

/// `sd 2:0:0:1: [sdc] ...`
fn kernel(record: &Record<'_>, body: &str, ledger: &mut Ledger) -> bool {
    let Some((nexus, rest)) = body.strip_prefix("sd ").and_then(|rest| rest.split_once(": [")) else {
        return false;
    };
    let path = word(rest);
    let known = is_nexus(nexus) && is_path(path);
    if known {
        ledger.tie(record, (Rank::Path, path), (Rank::Nexus, nexus));
    }
    known
}

/// `scsi host8: Fusion MPT SAS Host`
fn adapter(record: &Record<'_>, body: &str, ledger: &mut Ledger) -> bool {
    let said = body.strip_prefix("scsi host").and_then(|rest| rest.split_once(": "));
    let Some((Some(number), called)) = said.map(|(number, called)| (whole(number), called)) else {
        return false;
    };
    ledger.drives(record, number, called);
    true
}

/// `mpatha: sdc - tur checker reports path is down`, `checker failed path 8:32 in map mpatha`, `sdc [8:32]: path added to devmap mpatha`.
fn daemon(record: &Record<'_>, body: &str, ledger: &mut Ledger) -> bool {
    if let Some(map) = after(body, " in map ").or_else(|| after(body, " devmap ")).map(word) {
        let named = body.split([' ', ':', '[']).find(|part| is_path(part)).map(str::to_owned);
        let path = named.or_else(|| numbered_path(body));
        return path.is_some_and(|path| {
            ledger.tie(record, (Rank::Map, map.trim_end_matches('.')), (Rank::Path, &path));
            true
        });
    }
    let Some((map, rest)) = body.split_once(": ").filter(|_| has(body, "checker")) else { return false };
    let path = word(rest).trim_end_matches(':');
    let known = is_path(path) && !map.is_empty() && !map.contains(' ') && !is_path(map);
    if known {
        ledger.tie(record, (Rank::Map, map), (Rank::Path, path));
    }
    known
}

/// `device-mapper: multipath: 253:9: Failing path 8:32.`: the second number of a map is that of its name.
fn mapper(record: &Record<'_>, body: &str, ledger: &mut Ledger) -> bool {
    let map = after(body, "multipath: ").and_then(|rest| rest.split_once(": "));
    let number = map.and_then(|(map, _)| map.split_once(':')).and_then(|(_, minor)| whole(minor));
    let Some((number, path)) = number.zip(numbered_path(body)) else { return false };
    ledger.tie(record, (Rank::Mapped, &format!("dm-{number}")), (Rank::Path, &path));
    true
}

/// The disk of a path that a line of multipathing calls by its number alone: `Failing path 8:32.`, `8:32: mark as failed`.
pub(super) fn numbered_path(body: &str) -> Option<String> {
    let behind = after(body, "path ").map(word).map(|number| number.trim_end_matches(['.', ':']));
    let before = || body.split_once(": mark as failed")?.0.rsplit(' ').next();
    behind.and_then(path_of_number).or_else(|| before().and_then(path_of_number))
}

/// `wwn-0x6005... -> ../../sdc`, `scsi-36005... -> ../../sdc`, `dm-uuid-mpath-36005... -> ../../dm-2`.
fn link(record: &Record<'_>, body: &str, ledger: &mut Ledger) -> bool {
    let Some((before, target)) = body.split_once(" -> ../../") else { return false };
    let Some(name) = before.split_whitespace().next_back() else { return false };
    let name = name.rsplit('/').next().unwrap_or(name);
    let found = match name.strip_prefix("wwn-0x") {
        Some(digits) => identity(&format!("3{digits}")),
        None => {
            ["dm-uuid-mpath-", "scsi-"].iter().find_map(|start| name.strip_prefix(start)).and_then(identity)
        }
    };
    let target = target.trim_end();
    let rank = if is_mapped(target) { Rank::Mapped } else { Rank::Path };
    match found {
        Some(found) if is_mapped(target) || is_path(target) => {
            ledger.tie(record, (Rank::Identity, &found), (rank, target));
            true
        }
        _ => false,
    }
}

/// The identity that multipath prints, as VMware spells it: a 3 and 16 or 32 digits of NAA, a 2 and 16 of EUI-64 (SPC-5, 7.7.6).
fn identity(text: &str) -> Option<String> {
    let digits = text.get(1..)?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    match (text.as_bytes().first()?, digits.len()) {
        (b'3', 16 | 32) if is_hex => Some(format!("naa.{}", digits.to_ascii_lowercase())),
        (b'2', 16) if is_hex => Some(format!("eui.{}", digits.to_ascii_lowercase())),
        _ if text.starts_with("eui.") || text.starts_with("uuid.") => Some(text.to_owned()),
        _ => None,
    }
}

/// The disk of `8:32`, by Linux's list of device numbers: sixteen disks a major, sixteen numbers a disk. A partition is none.
fn path_of_number(text: &str) -> Option<String> {
    let (major, minor) = text.split_once(':')?;
    let (major, minor): (u16, u16) = (major.parse().ok()?, minor.trim_end_matches(':').parse().ok()?);
    let block = match major {
        8 => 0,
        65..=71 => major - 64,
        128..=135 => major - 120,
        _ => return None,
    };
    let whole = minor < 256 && minor.is_multiple_of(16);
    let index = block * 16 + minor / 16;
    let letter = |number: u16| u8::try_from(number).ok().map(|number| char::from(b'a' + number));
    let name = match index / 26 {
        0 => format!("sd{}", letter(index)?),
        high => format!("sd{}{}", letter(high - 1)?, letter(index % 26)?),
    };
    whole.then_some(name)
}

fn is_nexus(text: &str) -> bool {
    let parts = text.trim_end_matches(':').split(':');
    parts.clone().count() == 4
        && parts.clone().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

fn is_path(text: &str) -> bool {
    text.strip_prefix("sd").is_some_and(|rest| {
        (1..=4).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_lowercase())
    })
}

fn is_mapped(text: &str) -> bool {
    text.strip_prefix("dm-")
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_and_numbers_are_read_as_linux_gives_them() {
        assert_eq!(identity("3600a0b80").as_deref(), None);
        assert_eq!(identity("35000c500a1b2c3d4").as_deref(), Some("naa.5000c500a1b2c3d4"));
        assert_eq!(identity("20017380000000001").as_deref(), Some("eui.0017380000000001"));
        let cases =
            [("8:0", "sda"), ("8:240", "sdp"), ("65:144", "sdz"), ("65:160", "sdaa"), ("66:0", "sdag")];
        for (number, name) in cases {
            assert_eq!(path_of_number(number).as_deref(), Some(name), "{number}");
        }
        assert_eq!(
            (path_of_number("8:33"), path_of_number("253:2"), path_of_number("é")),
            (None, None, None)
        );
    }
}
