//! Dialects: who writes how. One file each; a line is recognised by its words, never by the name of its file.
//!
//! A dialect names the key words that its lines hold. The sieve finds lines by them; the dialect reads the line and notes
//! facts. A new dialect is a file, and a line in [`Dialects::all`].

mod aborted;
pub mod ata;
mod bare;
mod cluster;
mod dump;
mod dump_row;
mod esx_command;
mod esx_fabric;
mod esx_fields;
mod esx_heartbeat;
mod esx_latency;
mod esx_list;
mod esx_lock;
mod esx_lock_mode;
mod esx_path;
mod esx_ports;
mod esx_task;
mod esx_volume;
mod esxtop;
pub mod esxtop_table;
mod gateway;
mod linux_names;
mod linux_path;
pub mod linux_scsi;
mod lio;
pub mod machine;
mod nvme;
mod oarlock;
pub mod phrase;
mod sense_words;
mod sg_utils;
mod versions;
mod vmkfstools;

use crate::ledger::Ledger;
use crate::record::Record;
use crate::said::Manner;
use crate::text::has;

/// What a dialect made of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It is not of this dialect, or says nothing that the dialect knows.
    Stranger,
    /// It was understood, together with so many lines that follow.
    Understood {
        /// Lines behind this one that belong to it.
        and_lines: u64,
    },
    /// It was understood, and the next line belongs to this dialect too: tables and dumps.
    More,
    /// It was not understood, but the next line belongs to this dialect too: tables whose rows cannot be read.
    Skipped,
}

impl Reading {
    /// It was understood, and stands in one line.
    pub const UNDERSTOOD: Reading = Reading::Understood { and_lines: 0 };
}

/// One way of writing.
pub trait Dialect {
    /// Its name, for people.
    fn name(&self) -> &'static str;

    /// Words of which each of its lines holds at least one, exactly as they are spelt there.
    fn words(&self) -> Vec<&'static str>;

    /// Reads a record, and notes what it says.
    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading;

    /// The words by which it knows this line, for people: several where only together they say what it says.
    fn told_by(&self, record: &Record<'_>) -> Vec<&'static str> {
        let words = self.words().into_iter().filter(|word| has(record.line, word));
        words.max_by_key(|word| word.len()).into_iter().collect()
    }

    /// Whether it reads lines that begin with `#`: to a shell's session that is root's prompt, to everybody else a comment.
    fn reads_prompts(&self) -> bool {
        false
    }

    /// Whether its lines may be far longer than those of a log.
    fn is_table(&self) -> bool {
        false
    }

    /// Whether an input that begins with that line is of this dialect although the line holds none of its words.
    fn begins(&self, _first: &str) -> bool {
        false
    }

    /// Whether it is asked only where no other dialect understood a line; in a text of a few lines, of each of them.
    fn is_last_resort(&self) -> bool {
        false
    }

    /// The input ends: nothing of it may be carried into the next.
    fn end(&mut self, _ledger: &mut Ledger) {}
}

/// Every dialect.
pub struct Dialects(Vec<Box<dyn Dialect>>);

impl Dialects {
    /// All that are known, at most 64; those of last resort behind all others.
    #[must_use]
    pub fn all() -> Dialects {
        Dialects(vec![
            Box::new(esx_command::EsxCommand::default()),
            Box::new(esx_heartbeat::EsxHeartbeat),
            Box::new(esx_lock::EsxLock),
            Box::new(esx_latency::EsxLatency),
            Box::new(esx_task::BOOK),
            Box::new(esx_path::BOOK),
            Box::new(esx_fabric::BOOK),
            Box::new(esx_volume::BOOK),
            Box::new(linux_path::BOOK),
            Box::new(linux_names::LinuxNames::default()),
            Box::new(lio::BOOK),
            Box::new(gateway::BOOK),
            Box::new(cluster::BOOK),
            Box::new(linux_scsi::LinuxScsi::default()),
            Box::new(ata::Ata),
            Box::new(nvme::Nvme),
            Box::new(sg_utils::SgUtils::default()),
            Box::new(vmkfstools::Vmkfstools::default()),
            Box::new(dump::Dump::default()),
            Box::new(esxtop::Esxtop::default()),
            Box::new(esx_fields::EsxFields::default()),
            Box::new(esx_lock_mode::EsxLockMode::default()),
            Box::new(esx_list::EsxList::default()),
            Box::new(esx_ports::EsxPorts::default()),
            Box::new(versions::Versions),
            Box::new(oarlock::OarlockEvents),
            Box::new(machine::Machine),
            Box::new(bare::Bare),
        ])
    }

    /// The bit of each dialect, and its words.
    pub fn key_words(&self) -> impl Iterator<Item = (u64, Vec<&'static str>)> {
        self.0.iter().enumerate().map(|(index, dialect)| (1 << index, dialect.words()))
    }

    /// Asks the dialects of `mask`; the answer is that of the one that understood most, with its number.
    pub fn read(&mut self, mask: u64, record: &Record<'_>, ledger: &mut Ledger) -> (usize, Reading) {
        ledger.begin_record();
        let mut best = (0, Reading::Stranger);
        if ledger.manner() == Manner::Cited || record.prefix.is_foreign {
            return best;
        }
        let is_comment = !record.prefix.begins && record.body().starts_with('#');
        for (index, dialect) in self.0.iter_mut().enumerate() {
            let unasked = mask & (1 << index) == 0 || is_comment && !dialect.reads_prompts();
            if unasked || best.1 != Reading::Stranger && dialect.is_last_resort() {
                continue;
            }
            match (dialect.read(record, ledger), best.1) {
                (Reading::Stranger, _) => {}
                (reading @ (Reading::More | Reading::Skipped), _) => return (index, reading),
                (Reading::Understood { and_lines }, Reading::Understood { and_lines: known })
                    if and_lines <= known => {}
                (reading, _) => best = (index, reading),
            }
        }
        best
    }

    /// The words by which the dialect of that number knows a record.
    #[must_use]
    pub fn told_by(&self, index: usize, record: &Record<'_>) -> Vec<&'static str> {
        self.0.get(index).map_or_else(Vec::new, |dialect| dialect.told_by(record))
    }

    /// The dialects whose lines may be far longer than those of a log.
    #[must_use]
    pub fn tables(&self) -> u64 {
        let tables = self.0.iter().enumerate().filter(|(_, dialect)| dialect.is_table());
        tables.fold(0, |mask, (index, _)| mask | 1 << index)
    }

    /// The dialect that an input is of which begins with that line, where no word of the line tells.
    #[must_use]
    pub fn beginning(&self, first: &str) -> Option<usize> {
        self.0.iter().position(|dialect| dialect.begins(first))
    }

    /// The dialects of last resort.
    #[must_use]
    pub fn last_resort(&self) -> u64 {
        let last = self.0.iter().enumerate().filter(|(_, dialect)| dialect.is_last_resort());
        last.fold(0, |mask, (index, _)| mask | 1 << index)
    }

    /// Ends the input for all.
    pub fn end(&mut self, ledger: &mut Ledger) {
        self.0.iter_mut().for_each(|dialect| dialect.end(ledger));
    }
}

impl std::fmt::Debug for Dialects {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|dialect| dialect.name())).finish()
    }
}

#[cfg(test)]
mod tests {
    use crate::Doctor;

    fn incidents(log: &str) -> usize {
        let mut doctor = Doctor::new();
        doctor.read("ticket", &mut log.as_bytes(), &mut |_| {});
        doctor.judge().incidents.len()
    }

    #[test]
    fn what_a_mail_or_a_comment_says_about_messages_is_no_message() {
        let quoted = "hosts can log \"ATS Miscompare detected between test and set HB images at offset XXX on vol YYY\"";
        assert_eq!(incidents(&format!("I read KB 2113956, which says that {quoted} and\n")), 0);
        assert_eq!(
            incidents(
                "\"Atomic test and set of disk block returned false for equality\". We do NOT see any of these.\n"
            ),
            0
        );
        assert_eq!(incidents("# example vob: nospace.problem and \"out of physical space\"\n"), 0);
        // Masked by whoever published it, or told by whoever saw it, it is one.
        assert_eq!(
            incidents(
                "HBX: ATS Miscompare detected between test and set HB images at offset XXX on vol YYY\n"
            ),
            1
        );
        assert_eq!(
            incidents(
                "we see \"Atomic test and set of disk block returned false for equality\" on all hosts\n"
            ),
            1
        );
        let known =
            "Jun  1 10:00:03 db1 kubelet[101]: Lost access to volume pvc-1234 mounted at /var/lib/kubelet\n";
        assert_eq!(incidents(known), 0, "another program's volume");
    }
}
