//! What a machine says of one of its own parts while it runs: settings, states, counters.

use std::collections::BTreeMap;

/// A kind of part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// A SCSI disk: vendor, model, revision, queue depth, time-outs, state.
    Disk,
    /// A controller of NVMe: model, firmware, transport, state.
    Nvme,
    /// What a disk did between two looks: requests, their time, how many were under way.
    Load,
    /// A port of a Fibre Channel adapter: its state and its counters.
    Port,
    /// A path of a multipath device.
    Path,
    /// A multipath device.
    Map,
    /// A driver of the kernel.
    Driver,
}

impl Part {
    /// Every part, in the order of a report.
    pub const ALL: [Part; 7] =
        [Part::Disk, Part::Nvme, Part::Load, Part::Port, Part::Path, Part::Map, Part::Driver];

    /// Its word in lines and reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Part::Disk => "disk",
            Part::Nvme => "nvme",
            Part::Load => "load",
            Part::Port => "port",
            Part::Path => "path",
            Part::Map => "map",
            Part::Driver => "driver",
        }
    }

    /// The part that a word means.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Part> {
        Part::ALL.into_iter().find(|part| part.word() == word)
    }
}

/// One part and what was read of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// What it is.
    pub part: Part,
    /// Its name: `sdc`, `nvme0`, `host3`, `mpatha`, `lpfc`.
    pub name: Box<str>,
    /// What was read, by its name; units stand in the name's end.
    pub values: BTreeMap<Box<str>, Box<str>>,
}

impl Setting {
    /// A value.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(|value| &**value).filter(|value| !value.is_empty())
    }

    /// A value that is a number; `None` where it is none, or none that is finite.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<f64> {
        self.text(key)?.parse().ok().filter(|number: &f64| number.is_finite())
    }
}
