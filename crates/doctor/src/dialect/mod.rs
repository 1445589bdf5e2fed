//! Dialects: who writes how. One file each; a line is recognised by its words, never by the name of its file.
//!
//! A dialect names the key words that its lines hold. The sieve finds lines by them; the dialect reads the line and notes
//! facts. A new dialect is a file, and a line in [`Dialects::all`].

mod cluster;
mod dump;
mod esx_command;
mod esx_fabric;
mod esx_fields;
mod esx_heartbeat;
mod esx_latency;
mod esx_lock;
mod esx_lock_mode;
mod esx_path;
mod esx_task;
mod esx_volume;
mod esxtop;
mod gateway;
mod linux_path;
mod linux_scsi;
mod lio;
pub mod machine;
mod oarlock;
pub mod phrase;
mod sg_utils;
mod versions;

use crate::ledger::Ledger;
use crate::record::Record;

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

    /// Whether its lines may be far longer than those of a log.
    fn is_table(&self) -> bool {
        false
    }

    /// The input ends: nothing of it may be carried into the next.
    fn end(&mut self, _ledger: &mut Ledger) {}
}

/// Every dialect.
pub struct Dialects(Vec<Box<dyn Dialect>>);

impl Dialects {
    /// All that are known, at most 64.
    #[must_use]
    pub fn all() -> Dialects {
        Dialects(vec![
            Box::new(esx_command::EsxCommand),
            Box::new(esx_heartbeat::EsxHeartbeat),
            Box::new(esx_lock::EsxLock),
            Box::new(esx_latency::EsxLatency),
            Box::new(esx_task::BOOK),
            Box::new(esx_path::BOOK),
            Box::new(esx_fabric::BOOK),
            Box::new(esx_volume::BOOK),
            Box::new(linux_path::BOOK),
            Box::new(lio::BOOK),
            Box::new(gateway::BOOK),
            Box::new(cluster::BOOK),
            Box::new(linux_scsi::LinuxScsi),
            Box::new(sg_utils::SgUtils::default()),
            Box::new(dump::Dump::default()),
            Box::new(esxtop::Esxtop::default()),
            Box::new(esx_fields::EsxFields::default()),
            Box::new(esx_lock_mode::EsxLockMode::default()),
            Box::new(versions::Versions),
            Box::new(oarlock::OarlockEvents),
            Box::new(machine::Machine),
        ])
    }

    /// The bit of each dialect, and its words.
    pub fn key_words(&self) -> impl Iterator<Item = (u64, Vec<&'static str>)> {
        self.0.iter().enumerate().map(|(index, dialect)| (1 << index, dialect.words()))
    }

    /// Asks the dialects of `mask`; the answer is that of the one that understood most, with its number.
    pub fn read(&mut self, mask: u64, record: &Record<'_>, ledger: &mut Ledger) -> (usize, Reading) {
        let mut best = (0, Reading::Stranger);
        for (index, dialect) in self.0.iter_mut().enumerate() {
            if mask & (1 << index) == 0 {
                continue;
            }
            match (dialect.read(record, ledger), best.1) {
                (Reading::Stranger, _) => {}
                (Reading::More, _) => return (index, Reading::More),
                (Reading::Understood { and_lines }, Reading::Understood { and_lines: known })
                    if and_lines <= known => {}
                (reading, _) => best = (index, reading),
            }
        }
        best
    }

    /// The dialects whose lines may be far longer than those of a log.
    #[must_use]
    pub fn tables(&self) -> u64 {
        let tables = self.0.iter().enumerate().filter(|(_, dialect)| dialect.is_table());
        tables.fold(0, |mask, (index, _)| mask | 1 << index)
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
