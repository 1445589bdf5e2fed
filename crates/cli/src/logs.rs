//! Finds and opens the logs that a person names: files, folders with all that is in them, standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use oarlock_doctor::{Doctor, DoctorError};

/// Folders within folders.
const DEPTH_MAX: usize = 32;
/// Files that are read in one run.
const FILES_MAX: usize = 200_000;

/// Something to be read.
#[derive(Debug, PartialEq, Eq)]
pub enum Log {
    /// Standard input.
    Standard,
    /// A file and its size in bytes.
    File(PathBuf, u64),
}

/// All that the arguments mean: `-` is standard input, a folder is every file in it, in the order of their names.
///
/// # Errors
/// The path that cannot be looked at, and why.
pub fn find(paths: &[PathBuf]) -> Result<Vec<Log>, (PathBuf, io::Error)> {
    let mut logs = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            logs.push(Log::Standard);
            continue;
        }
        let about = std::fs::metadata(path).map_err(|error| (path.clone(), error))?;
        if about.is_dir() {
            folder(path, 0, &mut logs).map_err(|error| (path.clone(), error))?;
        } else {
            logs.push(Log::File(path.clone(), about.len()));
        }
    }
    Ok(logs)
}

/// Every plain file below a folder. Links are not followed: a folder that holds itself has an end.
fn folder(path: &Path, depth: usize, logs: &mut Vec<Log>) -> io::Result<()> {
    let mut entries = std::fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type()?;
        if kind.is_dir() && depth < DEPTH_MAX {
            // A folder that may not be looked into does not hide its neighbours.
            let _ = folder(&entry.path(), depth + 1, logs);
        } else if kind.is_file() && logs.len() < FILES_MAX {
            logs.push(Log::File(entry.path(), entry.metadata()?.len()));
        }
    }
    Ok(())
}

/// Gives the doctor one log.
pub fn read(doctor: &mut Doctor, log: &Log, progress: &mut dyn FnMut(u64)) {
    match log {
        Log::Standard => doctor.read("-", &mut io::stdin().lock(), progress),
        Log::File(path, _) => {
            let name = path.display().to_string();
            match File::open(path) {
                Ok(mut file) => doctor.read(&name, &mut file as &mut dyn Read, progress),
                Err(source) => doctor.problem(&DoctorError::Read { input: name, source }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_every_file_in_it_in_order() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("a")).unwrap();
        for name in ["b.log", "a/z.log", "a/c.log"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        let logs = find(&[folder.path().to_owned(), PathBuf::from("-")]).unwrap();
        let file = |name: &str| Log::File(folder.path().join(name), name.len() as u64);
        assert_eq!(logs, [file("a/c.log"), file("a/z.log"), file("b.log"), Log::Standard]);
    }
}
