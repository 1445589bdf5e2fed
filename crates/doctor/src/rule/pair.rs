//! Two atomic tests and sets that bear one device's name, and are of two: of two disks, of two blocks, or of two writers.

use super::case::{Case, command};
use super::reservation::FIRST_OF_GUESTS;
use crate::fact::Fact;
use crate::scsi_line;
use crate::text::{after, hex};

/// Whether the lines themselves say that two commands have nothing to do with each other.
pub fn is_of_two(case: &Case<'_>, one: &Fact, other: &Fact) -> bool {
    let both_ats = [one, other].iter().all(|fact| command(fact).is_some_and(|command| command.is_ats()));
    both_ats && (are_two_disks(case, one, other) || are_two_blocks(one, other) || are_two_writers(one, other))
}

/// `sdc` was given anew to a disk behind other numbers; or a name that was masked stands for whatever it hides, and the numbers of the units differ.
fn are_two_disks(case: &Case<'_>, one: &Fact, other: &Fact) -> bool {
    let (Some(name), Some(path), Some(other)) =
        (case.text(one.device), case.text(one.path), case.text(other.path))
    else {
        return false;
    };
    let unit = |path: &'_ str| path.rsplit(':').next().map(str::to_owned);
    name.starts_with("sd") && path != other || is_masked(name) && unit(path) != unit(other)
}

/// `naa.XXXXXXXX`, `naa.60060160####`
fn is_masked(name: &str) -> bool {
    ["XXX", "xxx", "###", "***", "..."].iter().any(|mask| name.contains(mask))
}

/// Whether both command blocks are printed, and name two addresses.
fn are_two_blocks(one: &Fact, other: &Fact) -> bool {
    address(&one.text).zip(address(&other.text)).is_some_and(|(one, other)| one != other)
}

/// The address in `CDB: Compare and write 89 00 00 00 00 00 00 00 08 00 ...`: bytes 2 to 9 (SBC-4, COMPARE AND WRITE).
fn address(text: &str) -> Option<Vec<u64>> {
    let bytes: Vec<u64> = after(text, " 89 ")?.split(' ').map_while(hex).take(9).collect();
    (bytes.len() == 9).then(|| bytes[1..].to_vec())
}

/// Commands of guests have serial numbers of their own; two worlds are two guests, and a host's own command is none of theirs.
fn are_two_writers(one: &Fact, other: &Fact) -> bool {
    let [one, other] = [one, other].map(|fact| {
        let line = scsi_line::read(&fact.text);
        (line.cmd_sn.map(|serial| serial >= FIRST_OF_GUESTS), line.world)
    });
    match (one, other) {
        ((Some(true), Some(one)), (Some(true), Some(other))) => one != other,
        ((Some(one), _), (Some(other), _)) => one != other,
        _ => false,
    }
}
