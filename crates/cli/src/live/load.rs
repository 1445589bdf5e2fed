//! What the disks do while they are looked at: the figures of iostat, from /proc/diskstats.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::thread;
use std::time::{Duration, Instant};

use oarlock_doctor::{MachineLine, Part};

use super::{Gathered, View};

/// From one look to the next.
const INTERVAL: Duration = Duration::from_millis(500);
/// Looks after the first: enough to tell a state from a moment.
const LOOKS: u32 = 4;
/// Bytes of the table: some thousand disks.
const TABLE_BYTES_MAX: u64 = 8 << 20;

/// A disk's counters, which only grow but for the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counters {
    /// Requests that ended.
    ended: u64,
    /// Milliseconds that those took together.
    took_ms: u64,
    /// Milliseconds of all requests under way, summed over time.
    weighted_ms: u64,
    /// Requests under way.
    under_way: u64,
}

/// Looks for two seconds.
pub fn gather(view: &View) -> Gathered {
    let mut gathered = Gathered::default();
    let host = view.host();
    let mut before = match table(view) {
        Ok(table) => table,
        Err(error) => {
            gathered.unread("load of the disks (/proc/diskstats)", error);
            return gathered;
        }
    };
    for _ in 0..LOOKS {
        let began = Instant::now();
        thread::sleep(INTERVAL);
        let Ok(after) = table(view) else { break };
        let now = View::now_us();
        for (name, counters) in &after {
            let depth = view
                .number(&format!("sys/block/{name}/device/queue_depth"))
                .or_else(|| view.number(&format!("sys/block/{name}/queue/nr_requests")));
            let line = MachineLine::new(now, &host, Part::Load, name);
            if let Some(before) = before.get(name)
                && let Some(line) = sample(line, *before, *counters, began.elapsed(), depth)
            {
                gathered.line(&line);
            }
        }
        before = after;
    }
    gathered
}

fn table(view: &View) -> std::io::Result<BTreeMap<String, Counters>> {
    let mut text = String::new();
    File::open(view.path("proc/diskstats"))?.take(TABLE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text.lines().filter_map(row).filter(|(name, _)| is_whole_disk(view, name)).collect())
}

/// SCSI disks and NVMe namespaces, not their partitions.
fn is_whole_disk(view: &View, name: &str) -> bool {
    (name.starts_with("sd") || name.starts_with("nvme")) && view.path(&format!("sys/block/{name}")).exists()
}

/// `8 0 sda 10 0 80 5 20 0 160 9 0 12 14 ...` (Linux's Documentation/admin-guide/iostats.rst).
fn row(line: &str) -> Option<(String, Counters)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let counters = Counters {
        ended: number(3)?.saturating_add(number(7)?),
        took_ms: number(6)?.saturating_add(number(10)?),
        under_way: number(11)?,
        weighted_ms: number(13)?,
    };
    Some(((*fields.get(2)?).to_owned(), counters))
}

/// What happened between two looks; `None` where nothing did.
fn sample(
    line: MachineLine,
    before: Counters,
    after: Counters,
    between: Duration,
    depth: Option<u64>,
) -> Option<MachineLine> {
    let ended = after.ended.checked_sub(before.ended)?;
    if ended == 0 && after.under_way == 0 {
        return None;
    }
    let between_ms = between.as_secs_f64() * 1e3;
    let weighted = after.weighted_ms.saturating_sub(before.weighted_ms);
    // The kernel brings this sum up to date as requests end; while none does, what is under way now says more.
    let under_way = if ended == 0 { float(after.under_way) } else { float(weighted) / between_ms };
    let line = line
        .with("ended", ended)
        .with("under_way", format!("{under_way:.1}"))
        .with_known("queue_depth", depth);
    let took = after.took_ms.saturating_sub(before.took_ms);
    let await_ms = (ended > 0).then(|| format!("{:.2}", float(took) / float(ended)));
    Some(line.with_known("await_ms", await_ms))
}

/// For figures that people read: what a fraction loses beyond 53 bits is nothing to them.
#[allow(clippy::cast_precision_loss)]
fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(before: Counters, after: Counters) -> Option<String> {
        let line = MachineLine::new(0, "h", Part::Load, "sdc");
        let line = sample(line, before, after, Duration::from_millis(500), Some(32))?.to_string();
        Some(line.split_once("sdc ").unwrap().1.to_owned())
    }

    #[test]
    fn a_row_of_the_table_is_read_by_its_columns() {
        let (name, counters) = row("   8      32 sdc 10 1 80 5 20 2 160 9 3 12 14 0 0 0 0 1 1").unwrap();
        assert_eq!((name.as_str(), counters.ended, counters.took_ms), ("sdc", 30, 14));
        assert_eq!((counters.under_way, counters.weighted_ms), (3, 14));
        assert_eq!(row("8 32 sdc 10"), None);
    }

    #[test]
    fn the_figures_are_those_of_iostat() {
        let before = Counters { ended: 100, took_ms: 50, weighted_ms: 50, under_way: 0 };
        let after = Counters { ended: 300, took_ms: 1_050, weighted_ms: 1_050, under_way: 2 };
        assert_eq!(said(before, after).unwrap(), "ended=200 under_way=2.0 queue_depth=32 await_ms=5.00");
    }

    #[test]
    fn what_is_under_way_and_does_not_end_is_told_and_idleness_is_not() {
        let stuck = Counters { ended: 100, took_ms: 50, weighted_ms: 50, under_way: 7 };
        assert_eq!(said(stuck, stuck).unwrap(), "ended=0 under_way=7.0 queue_depth=32");
        let idle = Counters { under_way: 0, ..stuck };
        assert_eq!(said(idle, idle), None);
        // A disk that went away and came back begins anew.
        assert_eq!(said(stuck, Counters::default()), None);
    }
}
