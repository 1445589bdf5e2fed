//! The news: every event of every host, read from the files that the hosts keep; these outlive hosts that are killed.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use oarlock::api::EventEntry;
use serde::Serialize;

/// An event, and the host that reported it.
#[derive(Clone, Debug, Serialize)]
pub struct News {
    /// The host that saw it.
    pub host: String,
    /// What it saw.
    #[serde(flatten)]
    pub event: EventEntry,
}

impl News {
    /// Whether it is about an ATS that was answered *false*, or not at all.
    pub fn is_answer(&self) -> bool {
        matches!(self.event.kind.as_str(), "miscompare" | "unknown")
    }

    /// Whether it is one host's loss to another, as happens whenever two want one lock.
    pub fn is_contention(&self) -> bool {
        self.is_answer() && self.event.cause == "contention"
    }

    /// The other host that swapped the block first, where one did.
    pub fn winner(&self) -> Option<&str> {
        let winner = self.event.by.as_ref().map(|by| by.host.as_str());
        winner.filter(|winner| *winner != self.host && self.is_answer())
    }

    /// Whether it tells what became of an ATS that had no answer: this one was never answered *false*, but found out
    /// by a read, and so it knows what stood in the block.
    pub fn is_found_out(&self) -> bool {
        self.event.kind == "unknown" && self.event.found_generation.is_some()
    }

    /// `lock 861`, `slot 8`, or as much of it as is known.
    pub fn place(&self) -> String {
        let record = self.event.record.as_deref().unwrap_or("block");
        self.event.lba.map_or_else(|| record.to_owned(), |lba| format!("{record} {lba}"))
    }
}

/// One host's file, and how far it was read.
pub struct Tail {
    host: String,
    path: PathBuf,
    read: u64,
}

impl Tail {
    /// The file of `host` among those of its datastore; it need not be there yet.
    pub fn of(folder: &Path, host: &str) -> Tail {
        Tail { host: host.to_owned(), path: folder.join(format!("{host}.events")), read: 0 }
    }

    /// The events that were added since the last look. A line without its end is left for the next look; one that a kill
    /// cut short is passed over.
    pub fn look(&mut self) -> Vec<News> {
        let mut bytes = Vec::new();
        let read = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.read))?;
            file.read_to_end(&mut bytes)
        });
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if read.is_err() {
            return Vec::new();
        }
        self.read += whole as u64;
        let lines = bytes[..whole].split(|byte| *byte == b'\n');
        let events = lines.filter_map(|line| serde_json::from_slice(line).ok());
        events.map(|event| News { host: self.host.clone(), event }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const LINE: &str = r#"{"time":"t","kind":"miscompare","cause":"contention","layer":"file-system","lba":9,"record":"lock","path":null,"expected_age_us":1,"queue_us":0,"device_us":2,"expected_generation":1,"found_generation":2,"by":null,"action":"lost","detail":"d"}"#;

    #[test]
    fn a_line_is_read_once_and_only_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut tail = Tail::of(folder.path(), "a");
        assert!(tail.look().is_empty(), "no file yet");
        let mut file = File::create(folder.path().join("a.events")).unwrap();
        let (half, rest) = LINE.split_at(40);
        write!(file, "{LINE}\n{half}").unwrap();
        let seen = tail.look();
        assert_eq!((seen.len(), seen[0].host.as_str(), seen[0].place().as_str()), (1, "a", "lock 9"));
        assert!(seen[0].is_contention());
        assert!(tail.look().is_empty());
        writeln!(file, "{rest}").unwrap();
        assert_eq!(tail.look().len(), 1);
    }
}
