//! Lines between records that nobody understands. A heading in any language, the answer to `hostname`, a prompt: what stands behind one may be another
//! host's, or of another day. Where it is not known, it is not taken for the same.

use std::net::IpAddr;

use super::document::Whose;
use super::origin::names_a_host;

/// What an unread line may mean for those behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parted {
    /// They may be another's.
    Maybe,
    /// It names what may be a host.
    Named,
    /// The same, and it says what that host is: it parts also where a dialect reads its version.
    Introduced,
}

/// Words of a line that may be the name of a host.
const WORDS_MAX: usize = 16;

/// Whether an unread line parts what stands before it from what stands behind it. In a log, a line without a time mostly goes on with the one before it: there
/// it has to name somebody.
pub(super) fn parts(line: &str, sentence: &str, is_short: bool) -> Option<Parted> {
    const INTRODUCES: [&str; 4] = ["VMware ESX", "VMkernel ", "Linux ", "ESXi "];
    // What goes on with a line: as hostd, traces and reports are written.
    if line.starts_with([' ', '\t']) || line.starts_with("-->") || line.starts_with("#011") {
        return None;
    }
    let words = line.split(|letter: char| !(letter.is_alphanumeric() || "-_.:".contains(letter)));
    let words = words.map(|word| word.trim_matches([':', '.', '-'])).filter(|word| !word.is_empty());
    if words.take(WORDS_MAX).any(names_somebody) {
        let introduces = INTRODUCES.iter().any(|start| line.starts_with(start));
        return Some(if introduces { Parted::Introduced } else { Parted::Named });
    }
    (is_short && !says_nothing(sentence) && !dumps(line)).then_some(Parted::Maybe)
}

/// Whose what stands behind is: still its host's, unless somebody else is named.
pub(super) fn whose(before: Option<&Whose>, parted: Parted) -> Whose {
    match before {
        Some(Whose::Host(host)) if parted == Parted::Maybe => Whose::Host(host.clone()),
        _ => Whose::Nobody,
    }
}

/// `hexdump -C /vmfs/devices/disks/...`: a dump follows, which is no record of a log.
fn dumps(line: &str) -> bool {
    const TOOLS: [&str; 4] = ["hexdump", "xxd", "od", "dd"];
    let typed = line.trim_start_matches(['#', '$', '~', '>', ' ']);
    TOOLS.contains(&typed.split(' ').next().unwrap_or(""))
}

/// `Host: esx1`, `- hostname: esx1`, `source = 10.0.0.7`, `<host name='esx1'>`: the host that a line is there to name.
pub(super) fn named(line: &str) -> Option<&str> {
    const KEYS: [&str; 9] =
        ["host", "hostname", "host name", "esxi host", "server", "node", "source", "esx", "machine"];
    let line = line.trim().trim_start_matches(['-', '*', '<', '#', '"', ' ']);
    let (key, value) = line.split_once([':', '=']).or_else(|| line.split_once(' '))?;
    let key = key.trim_matches(['"', '\'', '*', ' ']);
    let key = key.strip_suffix(" name").unwrap_or(key);
    if !KEYS.iter().any(|known| key.eq_ignore_ascii_case(known)) {
        return None;
    }
    let value =
        value.trim_matches(|letter: char| !letter.is_alphanumeric() && letter != '[' && letter != ']');
    names_somebody(value).then_some(value)
}

/// `------  ------`: the rule under the titles of a table's columns.
pub(super) fn is_under_columns(line: &str) -> bool {
    let mut columns = line.split_ascii_whitespace();
    columns.clone().count() > 1
        && columns.all(|column| column.bytes().all(|byte| byte == b'-' || byte == b'='))
}

/// Whether a line asks a host for its name.
pub(super) fn asks_the_name(command: &str) -> bool {
    ["hostname", "hostname -f", "hostname -s", "uname -n", "esxcli system hostname get"]
        .contains(&command.trim())
}

/// `...`, `[snip]`, `(12 lines removed)`, `3 seconds later:`: where something was left out, whoever wrote it goes on.
fn says_nothing(sentence: &str) -> bool {
    const CUTS: [&str; 8] =
        ["snip", "snipped", "cut", "truncated", "omitted", "removed", "skipped", "repeated"];
    if sentence.trim_end_matches([':', '.', ' ']).ends_with("seconds later") {
        return true;
    }
    let mut words = sentence.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    !sentence.contains(|letter: char| letter.is_alphanumeric())
        || words.any(|word| CUTS.iter().any(|cut| word.eq_ignore_ascii_case(cut)))
}

/// `esx1`, `esx1:~`, `10.0.0.7`, `fe80::1`
fn names_somebody(word: &str) -> bool {
    word.parse::<IpAddr>().is_ok() || names_a_host(word.split(':').next().unwrap_or(word))
}
