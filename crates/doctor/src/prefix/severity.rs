//! How grave a line is, and of which facility: columns that log servers write between the time, the host and the program.
//!
//! ```text
//!  2026-01-02T03:04:05Z esx1 WARNING vmkernel: ...            %syslogseverity-text%
//!  Jan  2 03:04:05 esx1 kern.warning vmkernel: ...            %pri-text%
//!  Jan  2 03:04:05 esx1 [local4] [notice] vmkernel: ...       set off by brackets
//! ```
//! Whoever takes such a word for a host makes one host of all that wrote a warning, and two of one that wrote an error besides.

/// Facility and severity may each have a column.
const COLUMNS_MAX: usize = 2;

/// `info`, `WARNING`: no host is called so.
pub fn is_severity(word: &str) -> bool {
    const SEVERITIES: [&str; 16] = [
        "info",
        "informational",
        "warning",
        "warn",
        "error",
        "err",
        "notice",
        "crit",
        "critical",
        "alert",
        "emerg",
        "debug",
        "verbose",
        "trivia",
        "trace",
        "fatal",
    ];
    SEVERITIES.iter().any(|severity| word.eq_ignore_ascii_case(severity))
}

/// `local0` to `local7`, `kern`: syslog's facilities that are nobody's name. Hosts are called `mail`, `user` and `news`, too.
fn is_facility(word: &str) -> bool {
    let local = word.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("local"));
    word.eq_ignore_ascii_case("kern") || local && matches!(word.as_bytes()[5..], [b'0'..=b'7'])
}

/// Whether a word tells how grave a line is, or of which facility, in brackets or not: `WARNING`, `[err]`, `<kern.warning>`, `local6`.
fn is_column(word: &str) -> bool {
    let bare = word.trim_start_matches(['[', '<', '(']).trim_end_matches([']', '>', ')']);
    // A facility's name alone may be a host's; before a severity it is none.
    let of_both = bare.split_once('.').is_some_and(|(facility, severity)| {
        is_severity(severity) && facility.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    is_severity(bare) || is_facility(bare) || of_both
}

/// A text without the columns of facility and severity that it begins with.
pub(super) fn behind_columns(text: &str) -> &str {
    let mut rest = text;
    for _ in 0..COLUMNS_MAX {
        match rest.split_once(' ') {
            Some((word, behind)) if is_column(word) => rest = behind.trim_start(),
            _ => break,
        }
    }
    rest
}
