//! Which process is which (R13): boot, pid namespace, pid and start time, read from /proc.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

use oarlock_block::ProcessIdentity;

/// The identity of this process.
///
/// # Errors
/// Where /proc is not mounted, or shows another pid namespace than the one this process is in.
pub fn this_process() -> io::Result<ProcessIdentity> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let Some(found) = parse_stat(&stat) else { return Err(unreadable("/proc/self/stat")) };
    if found.pid != std::process::id() {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "/proc shows another pid namespace than this process's",
        ));
    }
    Ok(ProcessIdentity {
        boot_id: boot_id()?,
        pid_namespace: fs::metadata("/proc/self/ns/pid")?.ino(),
        pid: found.pid,
        start_ticks: found.start_ticks,
    })
}

/// The identity of the process that has `pid` in this process's pid namespace now; `None` where there is none.
///
/// # Errors
/// Where /proc cannot be read.
pub fn process_identity(pid: u32) -> io::Result<Option<ProcessIdentity>> {
    let stat = match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat,
        Err(error) if is_no_process(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(found) = parse_stat(&stat) else { return Err(unreadable("/proc/PID/stat")) };
    let own = this_process()?;
    Ok(Some(ProcessIdentity { pid: found.pid, start_ticks: found.start_ticks, ..own }))
}

/// A process that ended between open and read of its file is one that is not there.
fn is_no_process(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

fn boot_id() -> io::Result<u128> {
    const FILE: &str = "/proc/sys/kernel/random/boot_id";
    let text = fs::read_to_string(FILE)?;
    parse_boot_id(&text).ok_or_else(|| unreadable(FILE))
}

/// `8b7e0c2a-...`: 32 hexadecimal digits, with dashes between them.
pub(crate) fn parse_boot_id(text: &str) -> Option<u128> {
    let digits = text.trim().replace('-', "");
    let sound = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    sound.then(|| u128::from_str_radix(&digits, 16).ok()).flatten()
}

fn unreadable(file: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{file} is not understood"))
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) pid: u32,
    pub(crate) start_ticks: u64,
}

/// Fields 1 and 22 of /proc/PID/stat (proc(5)). The second, the name in parentheses, may hold spaces and parentheses
/// itself: what follows is counted from the last one that closes.
pub(crate) fn parse_stat(stat: &str) -> Option<Stat> {
    let (pid, _) = stat.split_once(' ')?;
    let (_, after_name) = stat.rsplit_once(')')?;
    // Field 3 is the first after the name.
    let start = after_name.split_ascii_whitespace().nth(22 - 3)?;
    Some(Stat { pid: pid.parse().ok()?, start_ticks: start.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_shifts_no_field() {
        let fields: Vec<String> = (3..=52).map(|field| field.to_string()).collect();
        let stat = format!("77 (a) R (b) c) {}\n", fields.join(" "));
        assert_eq!(parse_stat(&stat), Some(Stat { pid: 77, start_ticks: 22 }));
    }

    #[test]
    fn bytes_that_are_no_stat_are_nothing() {
        for stat in ["", "1", "1 (x", "1 (x)", "x (x) R 1 2 3", "1 (x) R 1 2 3"] {
            assert_eq!(parse_stat(stat), None, "{stat:?}");
        }
    }

    #[test]
    fn a_boot_id_has_32_digits_and_nothing_else() {
        let text = "0123abcd-4567-89ef-0123-456789abcdef\n";
        assert_eq!(parse_boot_id(text), Some(0x0123_abcd_4567_89ef_0123_4567_89ab_cdef));
        for text in
            ["", "-", "7", "+123abcd-4567-89ef-0123-456789abcdef", "0123abcd-4567-89ef-0123-456789abcdef0"]
        {
            assert_eq!(parse_boot_id(text), None, "{text:?}");
        }
    }

    #[test]
    fn this_process_is_found_by_its_pid_under_the_same_identity() {
        let own = this_process().unwrap();
        assert_eq!(own.pid, std::process::id());
        assert!(own.boot_id != 0 && own.pid_namespace != 0 && own.start_ticks != 0);
        assert_eq!(process_identity(own.pid).unwrap(), Some(own));
    }

    #[test]
    fn a_pid_that_nobody_has_has_no_identity() {
        // The largest pid that Linux gives out is 2^22.
        assert_eq!(process_identity((1 << 22) + 1).unwrap(), None);
    }
}
