//! What stands before the message: time, host, process, severity; in every form that a log of hosts or arrays has.
//!
//! Forms may follow one another, as where a syslog server wraps the line of an ESXi host: the innermost time wins, for it
//! is the most exact, and the outermost host name.

mod dates;
mod label;
mod severity;
mod times;

use std::net::IpAddr;

use dates::dated;
use label::labelled;
use severity::behind_columns;
pub use severity::is_severity;
pub(crate) use times::ambiguous_zone;
use times::{
    behind_the_day_of_the_week, boot, day, epoch, iso, kernel, klog, masked, syslog, with_year_behind,
};

use crate::stamp::{Axis, Stamp};
use crate::text::{after, has, word};
use crate::unread_time;

/// What stands before a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prefix<'a> {
    /// When the line was written.
    pub when: Option<Stamp>,
    /// The host that a syslog server noted.
    pub host: Option<&'a str>,
    /// The program that wrote it, without its number: `vmkernel`, `kernel`, `iscsid`.
    pub process: Option<&'a str>,
    /// Whether a program wrote it whose lines do not matter here: it may say whatever, in words that others use.
    pub is_foreign: bool,
    /// What stands before the first time, and was set aside: an address, a number. It may be a speaker.
    pub label: Option<&'a str>,
    /// Whether something stands before the program's name that is not understood: whose the line is, only that may tell.
    pub is_unread: bool,
    /// Whether there was a time, even one that was masked: then a new record begins here.
    pub begins: bool,
    /// The message.
    pub body: &'a str,
}

/// Times that may follow one another before one message.
const TIMES_MAX: usize = 4;

/// Splits a line.
#[must_use]
pub fn split(line: &str) -> Prefix<'_> {
    let mut prefix = Prefix { body: unmarked(line), ..Prefix::default() };
    priority(&mut prefix);
    times(&mut prefix);
    if !prefix.begins {
        names(&mut prefix);
        // A process without a time: `vmkernel: 76:23:45:36.239 cpu11:...`.
        if prefix.process.is_some() && time(&mut prefix) {
            names(&mut prefix);
        }
    }
    if !prefix.begins && prefix.process.is_none() && labelled(&mut prefix) {
        times(&mut prefix);
    }
    shipped(&mut prefix);
    if prefix.when.is_none() && !prefix.begins {
        trailing(&mut prefix);
    }
    if prefix.when.is_none() && !prefix.begins {
        prefix.when = unread_time::known_within(prefix.body);
    }
    prefix
}

/// The time that a text begins with.
pub(crate) fn time_of(text: &str) -> Option<Stamp> {
    let mut prefix = Prefix { body: text, ..Prefix::default() };
    time(&mut prefix).then_some(prefix.when)?
}

/// Whether a text begins with a time, also one that was masked.
pub(crate) fn begins_with_a_time(text: &str) -> bool {
    time(&mut Prefix { body: text, ..Prefix::default() })
}

/// A line without the marks of a quoted mail, of a table's cell and of a patch before it.
fn unmarked(line: &str) -> &str {
    let line = line.trim_start_matches([' ', '\t', '>', '|']);
    if let Some(first) = behind_a_block(line) {
        return first;
    }
    let dated = |rest: &&str| rest.starts_with(|letter: char| letter.is_ascii_digit());
    line.strip_prefix(['"', '+']).filter(dated).unwrap_or(line)
}

/// The first line of a block of a page, `<p>Log:</p><pre>2026-01-31 ...`: behind the element that begins it, where a time stands there.
pub(crate) fn behind_a_block(line: &str) -> Option<&str> {
    const FRONT_BYTES_MAX: usize = 400;
    if !line.starts_with('<') {
        return None;
    }
    let at = ["<pre", "<code"].iter().filter_map(|element| line.rfind(element)).max()?;
    let rest = line[at..].split_once('>').map(|(_, rest)| rest.trim_start())?;
    (at <= FRONT_BYTES_MAX && begins_with_a_time(rest)).then_some(rest)
}

/// A time behind the message, as tables have it whose last column it is.
fn trailing(prefix: &mut Prefix) {
    let body = prefix.body.trim_end();
    if let Some(at) = body.rfind(['\t', ' ', ',', '|'])
        && let Some((Some(stamp), "")) = iso(body[at + 1..].trim_matches('"'))
    {
        prefix.when = Some(stamp);
        prefix.body = body[..at].trim_end();
    }
}

/// Takes the times off the front, with what stands behind each.
fn times(prefix: &mut Prefix<'_>) {
    for _ in 0..TIMES_MAX {
        if !time(prefix) {
            break;
        }
        severity(prefix);
        if prefix.body.starts_with(|letter: char| letter.is_ascii_uppercase()) {
            sender(prefix);
        }
        names(prefix);
    }
}

/// `Local4.Info 10.0.0.7 `: facility and severity, and whoever sent the line, as collectors on Windows write them.
fn sender(prefix: &mut Prefix<'_>) {
    const FACILITIES: [&str; 6] = ["Local", "Kernel.", "User.", "Daemon.", "System", "Syslog."];
    if !FACILITIES.iter().any(|facility| prefix.body.starts_with(facility)) {
        return;
    }
    if let Some((facility, rest)) = prefix.body.split_once(' ')
        && facility.split_once('.').is_some_and(|(_, severity)| !severity.is_empty())
        && let Some((host, message)) = rest.trim_start().split_once(' ')
        && is_host(host)
    {
        prefix.host = prefix.host.or(Some(host));
        prefix.body = message.trim_start();
    }
}

/// `<182>1 `: facility and severity of syslog.
fn priority(prefix: &mut Prefix) {
    if let Some(rest) = prefix.body.strip_prefix('<')
        && let Some((number, rest)) = rest.split_once('>')
        && number.len() <= 3
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        prefix.body = rest.strip_prefix("1 ").unwrap_or(rest).trim_start();
    }
}

/// `In(182) `: severity and facility of ESXi 8.
fn severity(prefix: &mut Prefix) {
    let bytes = prefix.body.as_bytes();
    if bytes.len() > 4
        && bytes[2] == b'('
        && bytes[0].is_ascii_uppercase()
        && bytes[1].is_ascii_lowercase()
        && let Some(end) = prefix.body.find(") ").filter(|&end| end < 8)
    {
        prefix.body = prefix.body[end + 2..].trim_start();
    }
}

/// Whether a time may begin with that letter: of a month, a severity, a bracket, a digit, or what masks one. Most words do not, and that is known before any
/// form is tried.
fn may_begin_a_time(letter: u8) -> bool {
    letter.is_ascii_digit() || letter.is_ascii_uppercase() || b"[hmsxyd#*-:.jfaon".contains(&letter)
}

/// Takes one time off the front.
fn time(prefix: &mut Prefix) -> bool {
    let body = prefix.body;
    if !body.bytes().next().is_some_and(may_begin_a_time) {
        return false;
    }
    let open = body.strip_prefix('[').unwrap_or(body).trim_start();
    // `[Sat Feb  1 10:00:00 2026]`, as `dmesg -T` prints it, and `Sat 2026-02-01 10:00:00 UTC`.
    let (body, open) = behind_the_day_of_the_week(open).map_or((body, open), |rest| (rest, rest));
    let found = with_year_behind(open).map(|(stamp, rest)| (Some(stamp), rest));
    let found = found.or_else(|| iso(open)).or_else(|| masked(open)).or_else(|| {
        let when = syslog(body).or_else(|| day(body)).or_else(|| boot(body)).or_else(|| klog(body));
        let when = when.or_else(|| epoch(open));
        when.map(|(stamp, rest)| (Some(stamp), rest))
    });
    let found =
        found.or_else(|| kernel(body).or_else(|| dated(open)).map(|(stamp, rest)| (Some(stamp), rest)));
    let Some((stamp, rest)) = found else { return false };
    let rest = rest.strip_prefix(']').unwrap_or(rest);
    // An uptime inside of a dated line tells less than the date.
    let better = stamp.is_some_and(|stamp| {
        prefix.when.is_none_or(|known| stamp.axis == Axis::Wall || known.axis == Axis::Boot)
    });
    if better {
        prefix.when = stamp;
    }
    prefix.begins = true;
    prefix.body = rest.trim_start_matches([' ', ':', '\t']);
    true
}

/// Host and process: `esx405 vmkernel: `, `gw-1 iscsid[88]: `, `vmkernel: `.
fn names<'a>(prefix: &mut Prefix<'a>) {
    // A processor, `cpu12:3456)`: neither a program nor a host.
    if prefix
        .body
        .strip_prefix("cpu")
        .is_some_and(|rest| rest.starts_with(|digit: char| digit.is_ascii_digit()))
    {
        return;
    }
    let first = &prefix.body[..prefix.body.find(' ').unwrap_or(prefix.body.len())];
    if let Some(process) = process(first) {
        prefix.process = Some(process);
        prefix.body = prefix.body[first.len()..].trim_start();
        return;
    }
    if !prefix.begins {
        return;
    }
    if is_another_program(first) {
        prefix.is_foreign = true;
        return;
    }
    if behind_columns(prefix.body).len() < prefix.body.len() {
        return names_behind_columns(prefix);
    }
    if !is_host(first) {
        prefix.is_unread = is_headed(prefix.body);
        return;
    }
    // A relay hands the line on as it came, its priority too; ESXi 8 has a severity behind the host.
    let mut behind_host = Prefix { body: prefix.body[first.len()..].trim_start(), ..Prefix::default() };
    priority(&mut behind_host);
    severity(&mut behind_host);
    let rest = behind_columns(behind_host.body);
    let second = &rest[..rest.find(' ').unwrap_or(rest.len())];
    let behind = rest[second.len()..].trim_start();
    if let Some(process) = process(second) {
        wrote(prefix, first, process, behind);
    } else if ["vmkernel", "vmkwarning", "vobd", "kernel"].contains(&second) && !behind.is_empty() {
        // From the columns of a table.
        wrote(prefix, first, second, behind);
    } else if let Some((program, message)) = structured(rest) {
        prefix.is_foreign = !is_program(program) && is_of_another_kind(program);
        wrote(prefix, first, program, message);
    } else if is_host(second)
        && second.starts_with(|letter: char| letter.is_ascii_alphanumeric())
        && let Some((third, message)) = behind_columns(behind).split_once(' ')
        && let Some(process) = process(third)
    {
        // A relay stands before the host whose line it hands on; but which of a name and an address behind it is the relay's, forms of both orders leave open.
        prefix.is_unread = is_address(second) && !is_address(first);
        wrote(prefix, if prefix.is_unread { "-" } else { second }, process, message.trim_start());
    } else if time(&mut Prefix { body: rest, ..Prefix::default() }) {
        prefix.host = prefix.host.or(Some(first));
        prefix.body = rest;
    } else {
        prefix.is_foreign = is_another_program(second) || is_another_tag(second);
        prefix.is_unread = !prefix.is_foreign && is_headed(prefix.body);
    }
}

/// `info vmkernel: `, `WARNING esx1 vmkernel: `: agents write how grave it is where others have the host. Where nothing known follows, a word in capitals may
/// be of the message.
fn names_behind_columns(prefix: &mut Prefix<'_>) {
    let body = prefix.body;
    prefix.body = behind_columns(body);
    let known = (prefix.process, prefix.host);
    names(prefix);
    let is_column = body.starts_with(|letter: char| letter.is_ascii_lowercase());
    if !is_column && (prefix.process, prefix.host) == known && !prefix.is_foreign {
        prefix.body = body;
    }
}

/// `[gate] esx1 - vmkernel: ...`: a program's tag behind columns that are not known. One of them may name the host.
fn is_headed(body: &str) -> bool {
    const WORDS_MAX: usize = 6;
    body.split_whitespace().take(WORDS_MAX).skip(1).any(|word| process(word).is_some())
}

/// A host's program wrote the message. A host that stands before it without a program is a relay's; one with a program quotes the line. `-` is no host
/// (RFC 5424, 6.2.4: NILVALUE).
fn wrote<'a>(prefix: &mut Prefix<'a>, host: &'a str, process: &'a str, message: &'a str) {
    let host = Some(host).filter(|host| *host != "-");
    prefix.host = if prefix.process.is_none() { host.or(prefix.host) } else { prefix.host.or(host) };
    prefix.process = Some(process);
    prefix.body = message;
}

/// `vmkernel 2097 - - message`: program, number, message id and structured data of RFC 5424, section 6.
fn structured(text: &str) -> Option<(&str, &str)> {
    let (program, rest) = text.split_once(' ')?;
    let (number, rest) = rest.split_once(' ')?;
    let (id, rest) = rest.split_once(' ')?;
    let known = program.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && (number == "-" || number.bytes().all(|byte| byte.is_ascii_digit()))
        && !id.is_empty();
    let message = match rest.as_bytes().first()? {
        b'-' => rest.get(1..),
        b'[' => rest.split_once("] ").map(|(_, message)| message),
        _ => None,
    };
    message.filter(|_| known).map(|message| (program, message.trim_start_matches([' ', '\u{feff}'])))
}

/// Labels that a shipper of logs puts behind the time, or behind the message: `{host="esx1", job="x"} message`, `message host = esx1 source = y`.
fn shipped(prefix: &mut Prefix<'_>) {
    if !prefix.begins || prefix.host.is_some() {
        return;
    }
    if prefix.body.starts_with('{')
        && let Some((labels, message)) = prefix.body.split_once("} ")
        && let Some(host) =
            ["host=\"", "hostname=\"", "instance=\""].iter().find_map(|mark| after(labels, mark))
    {
        prefix.host = Some(word(host)).filter(|host| is_host(host));
        prefix.body = message;
        names(prefix);
    } else if has(prefix.body, " sourcetype") {
        let host = after(prefix.body, " host = ").or_else(|| after(prefix.body, " host="));
        prefix.host = host.map(word).filter(|host| is_host(host));
    }
}

/// `dpkg[812]:`: a program with its number, as syslog writes it, of none of the kinds whose lines are read.
fn is_another_program(word: &str) -> bool {
    // Whatever people and their tools write or run is no message of the host's.
    const PEOPLES: [&str; 12] = [
        "sudo:", "su:", "root:", "logger:", "CRON:", "cron:", "bash:", "sh:", "shell:", "audit:", "auditd:",
        "HISTORY:",
    ];
    if PEOPLES.contains(&word) || word.starts_with("ansible-") && word.ends_with(':') {
        return true;
    }
    let Some((name, number)) = word.strip_suffix("]:").and_then(|word| word.split_once('[')) else {
        return false;
    };
    let name = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    let named = name.starts_with(|letter: char| letter.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    let numbered = named && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    numbered && !is_program(&name) && is_of_another_kind(&name)
}

/// `mailbot:` behind a host: the tag of a program without its number, as syslog and exports write it, of none of the kinds whose lines are read. Topics of
/// the kernel are written so, too, where its name was taken off.
fn is_another_tag(word: &str) -> bool {
    // The last four are names of whoever hands a line on, and of Linux-HA.
    const TOPICS: [&str; 32] = [
        "device-mapper",
        "blk",
        "print_req",
        "end_request",
        "buffer",
        "scsi",
        "sd",
        "sr",
        "st",
        "nvme",
        "ata",
        "mpt",
        "qla",
        "lpfc",
        "bfa",
        "fnic",
        "hpsa",
        "smartpqi",
        "megaraid",
        "rport",
        "connection",
        "session",
        "libceph",
        "md",
        "ext4",
        "xfs",
        "journal",
        "ctl_",
        "mps",
        "message",
        "syslog",
        "heartbeat",
    ];
    let Some(name) = word.strip_suffix(':') else { return false };
    let name = name.rsplit('/').next().unwrap_or(name);
    let small = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte);
    name.len() > 1
        && name.starts_with(|letter: char| letter.is_ascii_lowercase())
        && name.bytes().all(small)
        && !is_severity(name)
        && !is_program(name)
        && is_of_another_kind(name)
        && !TOPICS.iter().any(|topic| name.starts_with(topic))
}

/// Whether a program is of none of the kinds whose lines are read.
fn is_of_another_kind(name: &str) -> bool {
    // Besides those of [`is_program`]; the last eight run machines or share files, and tell of their storage in their own words.
    const KINDS: [&str; 30] = [
        "vm", "vpx", "fdm", "esx", "iscsi", "scst", "tcmu", "target", "reactor", "nvm", "lvm", "dm",
        "stonith", "fence", "pengine", "attrd", "sbd", "drbd", "rbd", "smartd", "zed", "udev", "qemu",
        "libvirt", "vdsm", "ovirt", "pve", "watchdog", "storage", "vsan",
    ];
    let name = name.to_ascii_lowercase();
    !KINDS.iter().any(|kind| name.starts_with(kind))
}

/// `iscsid[88]:` or `vmkernel:`: a name, a number at most, a colon.
fn process(word: &str) -> Option<&str> {
    let name = word.strip_suffix(':')?;
    let name = name.split_once('[').map_or(name, |(name, _)| name);
    let name = name.rsplit('/').next().unwrap_or(name);
    let known = name.len() > 1
        && name.len() <= 40
        && name.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.@()".contains(&byte));
    // Topics of a message look like processes; they belong to the message.
    (known && is_program(name)).then_some(name)
}

/// Whether a word before a message is the name of a program that is read here, or of one of its kind.
pub(crate) fn is_a_programs_name(name: &str) -> bool {
    is_program(name) || !is_of_another_kind(name)
}

/// Programs whose lines matter here. Any other word with a colon is left in the message.
pub(crate) fn is_program(name: &str) -> bool {
    const PROGRAMS: [&str; 36] = [
        "message",
        "vmkernel",
        "vmkwarning",
        "vmkalert",
        "vobd",
        "vob",
        "hostd",
        "Hostd",
        "vpxa",
        "Vpxa",
        "kernel",
        "multipathd",
        "multipath",
        "iscsid",
        "iscsiadm",
        "tcmu-runner",
        "tgtd",
        "ctld",
        "scst",
        "iscsi-scstd",
        "spdk",
        "nvmf_tgt",
        "spdk_tgt",
        "sanlock",
        "wdmd",
        "sbd",
        "lvmlockd",
        "corosync",
        "pacemakerd",
        "pacemaker-fenced",
        "stonith-ng",
        "pacemaker-controld",
        "crmd",
        "dlm_controld",
        "oarlock",
        "systemd",
    ];
    PROGRAMS.contains(&name)
        || name.starts_with("pacemaker")
        || name.starts_with("ceph")
        || name.starts_with("rbd-target")
}

fn is_address(word: &str) -> bool {
    word.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

/// Whether a word may be a host's name or address.
pub(crate) fn is_host(word: &str) -> bool {
    // `[fe80::1]`: an address in brackets.
    if let Some(address) = word.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<IpAddr>().is_ok();
    }
    // `ext4_find_entry:1455` is a place in a source. What was masked may have been an address.
    if word.contains(':') && !word.contains('<') && word.parse::<IpAddr>().is_err() {
        return false;
    }
    !word.is_empty()
        && word.len() <= 253
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:<>".contains(&byte))
        && !word.ends_with(':')
        && !word.starts_with("cpu")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> (String, Option<&str>, Option<&str>, &str) {
        let prefix = split(line);
        let when = prefix.when.map_or_else(String::new, |when| when.to_string());
        (when, prefix.host, prefix.process, prefix.body)
    }

    #[test]
    fn a_place_in_a_source_is_no_host() {
        for place in ["ext4_find_entry:1455", "ext4_find_entry:1455:", "scsi_error.c:88"] {
            assert!(!is_host(place), "{place}");
        }
        for host in ["esx-1.lab", "fe80::1", "[fe80::1]", "10.0.0.1", "esx<masked:1>"] {
            assert!(is_host(host), "{host}");
        }
    }

    #[test]
    fn every_form_of_time_is_taken_off() {
        let cases = [
            ("2026-01-02T03:04:05.006Z cpu3:77)X", ("2026-01-02T03:04:05.006Z", None, None, "cpu3:77)X")),
            (
                "\t2026-01-02T03:04:05.006Z In(182) vmkernel: cpu3:77)X",
                ("2026-01-02T03:04:05.006Z", None, Some("vmkernel"), "cpu3:77)X"),
            ),
            (
                "Mar  9 23:53:24 esx4 vmkernel: 2:14:39:54.069 cpu3:4300)X",
                ("03-09T23:53:24", Some("esx4"), Some("vmkernel"), "cpu3:4300)X"),
            ),
            (
                "<181>2026-01-02T03:04:05Z esx5.lab vmkernel: cpu1:2)X",
                ("2026-01-02T03:04:05Z", Some("esx5.lab"), Some("vmkernel"), "cpu1:2)X"),
            ),
            (
                "Jan 22 14:18:08 gw-1 tcmu-runner: 2018-01-22 14:18:08.102 813 [WARN] x",
                ("2018-01-22T14:18:08.102Z", Some("gw-1"), Some("tcmu-runner"), "813 [WARN] x"),
            ),
            ("[  11.299177] sd 0: x", ("+0d00:00:11.299177", None, None, "sd 0: x")),
            ("vmkernel: 76:23:45:36.239 cpu1:2)X", ("+76d23:45:36.239", None, Some("vmkernel"), "cpu1:2)X")),
            ("19:26:42.068 cpu0:4)X", ("19:26:42.068", None, None, "cpu0:4)X")),
            ("[YYYY-MM-DDTHH:MM:SS] cpu5:2)X", ("", None, None, "cpu5:2)X")),
            ("YYYY-MM-DDTHH:MM:SS.015Z In(182) vmkernel: cpu5:2)X", ("", None, Some("vmkernel"), "cpu5:2)X")),
            (
                "2026-01-02T03:04:05+0200 h kernel: x",
                ("2026-01-02T01:04:05Z", Some("h"), Some("kernel"), "x"),
            ),
            ("1767323045.25 cpu3:77)X", ("2026-01-02T03:04:05.250Z", None, None, "cpu3:77)X")),
            ("1767323045006 cpu3:77)X", ("2026-01-02T03:04:05.006Z", None, None, "cpu3:77)X")),
            (
                "1767323045006789000 h kernel: x",
                ("2026-01-02T03:04:05.006789Z", Some("h"), Some("kernel"), "x"),
            ),
            ("cpu3:77)X  2026-01-02T03:04:05.006Z", ("2026-01-02T03:04:05.006Z", None, None, "cpu3:77)X")),
            ("9876543210123 cpu3:77)X", ("", None, None, "9876543210123 cpu3:77)X")),
            ("no time at all", ("", None, None, "no time at all")),
        ];
        for (line, (when, host, process, body)) in cases {
            assert_eq!(shown(line), (when.to_owned(), host, process, body), "{line}");
        }
    }

    #[test]
    fn nothing_that_is_cut_anywhere_makes_it_fall() {
        let line = "<181>Mar  9 23:53:24 esx4 vmkernel: 2026-01-02T03:04:05.006Z In(182) vmkernel: [12.000001] cpu3:1)é";
        for (end, _) in line.char_indices() {
            for start in 0..end {
                let _ = split(&line[start..end]);
            }
        }
    }
}
