//! The kernel's log: from its own buffer, else from the journal, else through dmesg.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use oarlock_doctor::utc;

use super::{Gathered, View, command};

/// Programs that print the log may have hundreds of MiB to go through. Two of them fit into the limit of a source.
const LIMIT: Duration = Duration::from_secs(6);
/// Bytes of the buffer that are read: the kernel's own is rarely over 16 MiB.
const LOG_BYTES_MAX: usize = 64 << 20;
/// One record of the buffer; the kernel refuses to give a record to less room than it needs.
const RECORD_BYTES_MAX: usize = 64 << 10;
/// Records that may be overwritten while they are read, before it is given up.
const LOST_MAX: u32 = 100_000;

/// The log since the machine started.
pub fn gather(view: View) -> Gathered {
    let mut gathered = Gathered::default();
    let of_buffer = match buffer(&view) {
        Ok(records) => {
            gathered.text = lines(&records, started_us(&view), &view.host());
            return gathered;
        }
        Err(error) => format!("/dev/kmsg: {error}"),
    };
    let journal: &[&str] = &["--dmesg", "--boot", "--no-pager", "--quiet", "--output", "short-iso-precise"];
    let asked = if view.is_here() {
        command::ask("journalctl", journal, LIMIT).and_then(|text| {
            // A user who may not read the journal gets an empty one.
            if text.trim().is_empty() {
                Err("journalctl: it shows no line to this user".to_owned())
            } else {
                Ok(text)
            }
        })
    } else {
        Err("programs are asked only on the machine itself".to_owned())
    };
    let of_journal = match asked {
        Ok(text) => {
            gathered.text = text;
            return gathered;
        }
        Err(why) => why,
    };
    let asked = if view.is_here() {
        command::ask("dmesg", &["--time-format", "iso"], LIMIT)
    } else {
        Err(String::new())
    };
    match asked {
        Ok(text) => gathered.text = text,
        Err(why) => {
            let whys: Vec<String> =
                [of_buffer, of_journal, why].into_iter().filter(|why| !why.is_empty()).collect();
            gathered.unread("kernel log", whys.join("; "));
        }
    }
    gathered
}

/// All records of the kernel's buffer, as it gives them. It never waits for the next one.
fn buffer(view: &View) -> std::io::Result<Vec<u8>> {
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(view.path("dev/kmsg"))?;
    let mut records = Vec::new();
    let mut record = vec![0; RECORD_BYTES_MAX];
    let mut lost = 0;
    while records.len() < LOG_BYTES_MAX {
        match file.read(&mut record) {
            Ok(0) => break,
            Ok(length) => records.extend_from_slice(&record[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            // The record was overwritten while it was read: the next one is there.
            Err(error) if error.kind() == ErrorKind::BrokenPipe && lost < LOST_MAX => lost += 1,
            Err(error) if error.kind() == ErrorKind::Interrupted && lost < LOST_MAX => lost += 1,
            Err(error) if records.is_empty() => return Err(error),
            Err(_) => break,
        }
    }
    Ok(records)
}

/// When the machine started, in microseconds since 1970, as far as its clock was not set since.
fn started_us(view: &View) -> i64 {
    let uptime = view.value("proc/uptime").unwrap_or_default();
    let (seconds, fraction) =
        uptime.split(' ').next().and_then(|text| text.split_once('.')).unwrap_or(("0", "0"));
    let hundredths = fraction.parse::<i64>().unwrap_or(0);
    View::now_us() - seconds.parse::<i64>().unwrap_or(0).saturating_mul(1_000_000) - hundredths * 10_000
}

/// `6,339,5140900,-;message` and lines of ` KEY=value` behind it, as lines of a log.
fn lines(records: &[u8], started_us: i64, host: &str) -> String {
    let text = String::from_utf8_lossy(records);
    let mut lines = String::with_capacity(text.len());
    for record in text.lines().filter(|line| !line.starts_with(' ')) {
        let Some((head, message)) = record.split_once(';') else { continue };
        let mut fields = head.split(',');
        let (priority, _, time) = (fields.next(), fields.next(), fields.next());
        // What a program wrote there is of another facility than the kernel's, 0.
        let of_kernel =
            priority.and_then(|text| text.parse::<u32>().ok()).is_some_and(|priority| priority >> 3 == 0);
        let Some(micros) = time.and_then(|text| text.parse::<i64>().ok()).filter(|_| of_kernel) else {
            continue;
        };
        lines.push_str(&format!("{} {host} kernel: {message}\n", utc(started_us.saturating_add(micros))));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_become_lines_with_their_time_and_host() {
        let records = b"6,1,1500000,-;sd 2:0:0:1: [sdc] tag#3 x\n SUBSYSTEM=scsi\n DEVICE=+scsi:2:0:0:1\n30,2,1600000,-;a program\n3,3,bad,-;x\nrubbish\n";
        assert_eq!(
            lines(records, 1_000_000, "gw-1"),
            "1970-01-01T00:00:02.500000Z gw-1 kernel: sd 2:0:0:1: [sdc] tag#3 x\n"
        );
    }
}
