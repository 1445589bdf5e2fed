//! Copies: one line that stands in several logs is one event.
//!
//! ESXi writes a warning into vmkernel.log and into vmkwarning.log, and a log server keeps both once more; Linux writes the kernel's
//! lines into messages, kern.log and the journal. A copy has the same message at the same second, and comes by another stream: another
//! input, another program's name in one input, or the same once more behind a seam, where the clock jumps back: a log was pasted twice, or
//! put behind one that has its first lines, too. Lines that repeat within one stream are events of their own, so each stream is
//! counted, and an event is new only if its stream has now told of it more often than every other stream of that host.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::civil::{self, DAY_US};
use crate::digest::{Seeded, digest};
use crate::fact::{Fact, InputId};
use crate::names::Name;
use crate::record::Record;
use crate::seams::Seams;
use crate::stamp::{Axis, Stamp};

/// Messages that are remembered, and streams. When there are more, all are forgotten: a copy may then count twice.
const MESSAGES_MAX: usize = 100_000;
/// Streams of one message that are told apart.
const STREAMS_MAX: usize = 16;

/// What was read, message by message. There are a hundred thousand of them, and each line asks: so a message takes 16 bytes, and what few have stands
/// elsewhere.
#[derive(Debug, Default)]
pub struct Copies {
    /// The first stream that told of each message: nearly always the only one.
    told: HashMap<u64, Told, Seeded>,
    /// The others.
    more: HashMap<u64, Vec<Told>, Seeded>,
    /// The streams, by number.
    streams: Vec<Stream>,
    numbers: HashMap<Stream, u32, Seeded>,
    /// The input that is being read, and how each of its hosts goes through time.
    input: Option<InputId>,
    passes: HashMap<Option<Name>, Pass, Seeded>,
}

/// How often the log of a host began anew within one input.
#[derive(Debug, Default)]
struct Pass {
    seams: Seams,
    times: u32,
}

/// Lines of one program of one host, in one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Stream {
    input: InputId,
    process: u64,
    host: Option<Name>,
    pass: u32,
}

/// How often one stream told of a message.
#[derive(Clone, Copy, Debug)]
struct Told {
    stream: u32,
    times: u32,
}

impl Copies {
    /// Whether another stream has told of this before. Without a time it cannot be said.
    pub fn is_copy(&mut self, fact: &Fact, record: &Record<'_>) -> bool {
        let Some(when) = record.prefix.when else { return false };
        let key = digest(&(record.body().trim(), std::mem::discriminant(&fact.kind), second(when)));
        self.forget_where_full(key);
        let own = Stream {
            input: fact.place.input,
            process: digest(&record.prefix.process),
            host: fact.host,
            pass: self.pass(fact, when),
        };
        let stream = self.number(own);
        let first = match self.told.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(Told { stream, times: 1 });
                return false;
            }
            Entry::Occupied(entry) => entry.into_mut(),
        };
        if first.stream == stream && !self.more.contains_key(&key) {
            first.times = first.times.saturating_add(1);
            return false;
        }
        let more = self.more.entry(key).or_default();
        let known = std::iter::once(&mut *first).chain(more.iter_mut()).find(|told| told.stream == stream);
        let times = known.map_or(1, |told| {
            told.times = told.times.saturating_add(1);
            told.times
        });
        if times == 1 && more.len() + 1 < STREAMS_MAX {
            more.push(Told { stream, times });
        }
        let streams = &self.streams;
        std::iter::once(&*first).chain(more.iter()).any(|told| {
            let Some(other) = streams.get(told.stream as usize) else { return false };
            let elsewhere = (other.input, other.process, other.pass) != (own.input, own.process, own.pass);
            let one_host = other.host.is_none() || own.host.is_none() || other.host == own.host;
            elsewhere && one_host && told.times >= times
        })
    }

    /// Makes room for a message, and for a stream.
    fn forget_where_full(&mut self, key: u64) {
        let too_many = self.told.len() >= MESSAGES_MAX && !self.told.contains_key(&key);
        if too_many || self.streams.len() >= MESSAGES_MAX || self.passes.len() >= MESSAGES_MAX {
            *self = Copies::default();
        }
    }

    /// How often the log of this host began anew before this line.
    fn pass(&mut self, fact: &Fact, when: Stamp) -> u32 {
        if self.input != Some(fact.place.input) {
            self.input = Some(fact.place.input);
            self.passes.clear();
        }
        let pass = self.passes.entry(fact.host).or_default();
        let is_seam = pass.seams.meet(when).is_some_and(|jump| pass.seams.is_seam(jump));
        pass.times = pass.times.saturating_add(u32::from(is_seam));
        pass.times
    }

    /// The number of a stream; most lines are of the newest.
    fn number(&mut self, stream: Stream) -> u32 {
        if self.streams.last() == Some(&stream) {
            return u32::try_from(self.streams.len() - 1).unwrap_or(u32::MAX);
        }
        let next = u32::try_from(self.streams.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(stream).or_insert(next);
        if number == next {
            self.streams.push(stream);
        }
        number
    }
}

/// The second, without the year, which syslog leaves out.
fn second(when: Stamp) -> (bool, i64, i64, i64) {
    let (_, month, day) = civil::date(when.micros.div_euclid(DAY_US));
    let dated = matches!(when.axis, Axis::Wall | Axis::Yearless);
    let days = if when.axis == Axis::Boot { when.micros.div_euclid(DAY_US) } else { 0 };
    let date = if dated { (month, day) } else { (0, days) };
    (dated, date.0, date.1, when.micros.rem_euclid(DAY_US) / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Doctor, Report};

    const CONFLICT: &str = "cpu7:2055)ScsiDeviceIO: 1672: Cmd(0x43) 0x89, CmdSN 0x1b from world 34 to dev \"naa.60b001\" failed H:0x5 D:0x0 P:0x0";

    fn judge(logs: &[(&str, String)]) -> Report {
        let mut doctor = Doctor::new();
        for (name, log) in logs {
            doctor.read(name, &mut log.as_bytes(), &mut |_| {});
        }
        doctor.judge()
    }

    fn events(report: &Report) -> Vec<u64> {
        report.incidents.iter().map(|finding| finding.events).collect()
    }

    /// A log in which each line has another program's name.
    #[test]
    fn streams_are_forgotten_where_there_are_too_many() {
        let mut copies = Copies::default();
        for process in 0..2 * MESSAGES_MAX as u64 + 7 {
            copies.forget_where_full(process);
            copies.number(Stream { input: InputId(0), process, host: None, pass: 0 });
        }
        assert_eq!((copies.streams.len(), copies.numbers.len()), (7, 7));
    }

    #[test]
    fn a_line_in_vmkernel_vmkwarning_and_a_log_servers_file_is_one_event() {
        let line = |process: &str| format!("2026-07-07T07:00:00.123Z Wa(180) {process}: {CONFLICT}\n");
        let wrapped = format!("Jul  7 07:00:00 esx1 vmkernel: {CONFLICT}\n");
        let report = judge(&[
            ("esx1/vmkernel.log", line("vmkernel")),
            ("esx1/vmkwarning.log", line("vmkwarning")),
            ("all.log", wrapped + &line("vmkwarning")),
        ]);
        assert_eq!(events(&report), [1]);
        let both_in_one = line("vmkernel") + &line("vmkwarning");
        assert_eq!(events(&judge(&[("-", both_in_one)])), [1]);
    }

    #[test]
    fn what_was_pasted_twice_or_overlaps_is_one_event() {
        let at = |minute: u32| format!("2026-07-07T07:{minute:02}:00.123Z {CONFLICT}\n");
        let log = [0, 5, 10].map(at).concat();
        assert_eq!(events(&judge(&[("-", log.repeat(2))])), events(&judge(&[("-", log.clone())])));
        let newest_first = [10, 5, 0].map(at).concat();
        let told = events(&judge(&[("-", newest_first.clone())]));
        assert_eq!(events(&judge(&[("-", newest_first.repeat(2))])), told);
        let overlap = log + &[5, 10, 15].map(at).concat();
        assert_eq!(events(&judge(&[("-", overlap)])).iter().sum::<u64>(), 4);
    }

    #[test]
    fn lines_that_repeat_in_one_log_or_on_two_hosts_are_events_of_their_own() {
        let line = format!("2026-07-07T07:00:00.123Z {CONFLICT}\n");
        assert_eq!(events(&judge(&[("vmkernel.log", line.repeat(3))])), [3]);
        let twice_and_copied = [("a/vmkernel.log", line.repeat(3)), ("a/vmkwarning.log", line.repeat(2))];
        assert_eq!(events(&judge(&twice_and_copied)), [3]);
        let report = judge(&[("alpha/vmkernel.log", line.clone()), ("beta/vmkernel.log", line)]);
        assert_eq!(events(&report), [2]);
    }
}
