//! The file of events: one JSON document per line, in two files of a bounded size that take turns.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::api::EventEntry;

/// The length at which a file makes room for the next.
pub(crate) const FILE_BYTES_MAX: u64 = 8 << 20;

/// How much of a file's end is read back: a thousand events of the usual length several times over.
const TAIL_BYTES_MAX: u64 = 4 << 20;

/// The file that is being written.
pub(crate) struct EventFile {
    path: PathBuf,
    file: BufWriter<File>,
    length: u64,
    length_max: u64,
}

impl EventFile {
    /// Opens the file, makes it and its folder where they are absent, and reads its last `events_max` events back.
    pub(crate) fn open(path: &Path, events_max: usize) -> io::Result<(EventFile, Vec<EventEntry>)> {
        EventFile::open_bounded(path, events_max, FILE_BYTES_MAX)
    }

    fn open_bounded(
        path: &Path,
        events_max: usize,
        length_max: u64,
    ) -> io::Result<(EventFile, Vec<EventEntry>)> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut events = read_tail(&older(path))?;
        let newer = read_tail(path)?;
        events.extend(newer);
        events.drain(..events.len().saturating_sub(events_max));
        let mut file = EventFile { path: path.to_owned(), file: append_to(path)?, length: 0, length_max };
        file.length = file.file.get_ref().metadata()?.len();
        file.end_a_torn_line()?;
        Ok((file, events))
    }

    /// Appends an event, into a buffer.
    pub(crate) fn append(&mut self, event: &EventEntry) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        if self.length + line.len() as u64 > self.length_max && self.length > 0 {
            self.rotate()?;
        }
        self.file.write_all(&line)?;
        self.length += line.len() as u64;
        Ok(())
    }

    /// Gives the buffer to the kernel.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file.flush()?;
        fs::rename(&self.path, older(&self.path))?;
        self.file = append_to(&self.path)?;
        self.length = 0;
        Ok(())
    }

    /// A crash may have cut the last line short: what comes next must not be written into it.
    fn end_a_torn_line(&mut self) -> io::Result<()> {
        let mut last = [0];
        let mut file = File::open(&self.path)?;
        if self.length > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                self.file.write_all(b"\n")?;
                self.length += 1;
            }
        }
        Ok(())
    }
}

fn append_to(path: &Path) -> io::Result<BufWriter<File>> {
    Ok(BufWriter::new(OpenOptions::new().create(true).append(true).mode(0o640).open(path)?))
}

/// The file before this one.
fn older(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

/// The events at the end of a file; lines that are no events are passed over.
fn read_tail(path: &Path) -> io::Result<Vec<EventEntry>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    let skipped = length.saturating_sub(TAIL_BYTES_MAX);
    file.seek(SeekFrom::Start(skipped))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES_MAX).read_to_end(&mut bytes)?;
    // Where the beginning was skipped, the first line is most likely half a line; parsing sorts it out.
    Ok(events_in(&bytes))
}

/// The events in the bytes of a file.
pub(crate) fn events_in(bytes: &[u8]) -> Vec<EventEntry> {
    let lines = bytes.split(|byte| *byte == b'\n');
    lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: usize) -> EventEntry {
        let text = r#"{"time":"","kind":"path","cause":"","layer":"","action":"","detail":""}"#;
        EventEntry { detail: number.to_string(), ..serde_json::from_str(text).unwrap() }
    }

    fn numbers(events: &[EventEntry]) -> Vec<usize> {
        events.iter().map(|event| event.detail.parse().unwrap()).collect()
    }

    #[test]
    fn two_files_take_turns_and_neither_grows_beyond_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.events");
        let (mut file, _) = EventFile::open_bounded(&path, 1000, 2000).unwrap();
        for number in 0..100 {
            file.append(&event(number)).unwrap();
        }
        file.flush().unwrap();
        let lengths = [&path, &older(&path)].map(|path| fs::metadata(path).unwrap().len());
        assert!(lengths.iter().all(|length| *length <= 2000), "{lengths:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        let (_, events) = EventFile::open_bounded(&path, 1000, 2000).unwrap();
        let numbers = numbers(&events);
        assert!(numbers.len() > 5 && numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");
        assert_eq!(numbers.last(), Some(&99));
    }

    #[test]
    fn a_torn_last_line_is_passed_over_and_spoils_no_later_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.events");
        let (mut file, _) = EventFile::open(&path, 10).unwrap();
        file.append(&event(1)).unwrap();
        drop(file);
        let mut torn = fs::read(&path).unwrap();
        torn.extend_from_slice(b"{\"time\":\"2026-");
        fs::write(&path, torn).unwrap();
        let (mut file, events) = EventFile::open(&path, 10).unwrap();
        assert_eq!(numbers(&events), [1]);
        file.append(&event(2)).unwrap();
        drop(file);
        assert_eq!(numbers(&EventFile::open(&path, 10).unwrap().1), [1, 2]);
    }

    #[test]
    fn only_the_last_events_are_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.events");
        let (mut file, _) = EventFile::open(&path, 3).unwrap();
        (0..10).for_each(|number| file.append(&event(number)).unwrap());
        drop(file);
        assert_eq!(numbers(&EventFile::open(&path, 3).unwrap().1), [7, 8, 9]);
    }
}
