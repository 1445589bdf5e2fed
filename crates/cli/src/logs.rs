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

/// What the arguments mean.
#[derive(Debug, Default)]
pub struct Found {
    /// What is to be read.
    pub logs: Vec<Log>,
    /// What cannot even be looked at.
    pub problems: Vec<DoctorError>,
    /// Links in folders, which are not followed.
    pub links: Vec<PathBuf>,
    /// Sockets, pipes and devices in folders, which hold no log.
    pub devices: Vec<PathBuf>,
}

/// All that the arguments mean: `-` is standard input, a folder is every file in it, in the order of their names.
///
/// # Errors
/// A path where nothing is: it was mistyped, and nothing is read before that is mended.
pub fn find(paths: &[PathBuf]) -> Result<Found, (PathBuf, io::Error)> {
    let mut found = Found::default();
    for path in paths {
        if path.as_os_str() == "-" {
            found.logs.push(Log::Standard);
            continue;
        }
        match std::fs::metadata(path) {
            Ok(about) if about.is_dir() => found.folder(path, 0),
            Ok(about) => found.logs.push(Log::File(path.clone(), about.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err((path.clone(), error)),
            Err(error) => found.unread(path, error),
        }
    }
    Ok(found)
}

impl Found {
    /// Every plain file below a folder. Links are not followed: a folder that holds itself has an end.
    /// What may not be looked into does not hide its neighbours, and is told.
    fn folder(&mut self, path: &Path, depth: usize) {
        if depth > DEPTH_MAX {
            self.too_much(path, "lies in more folders than are looked into");
            return;
        }
        let entries = match std::fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => return self.unread(path, error),
        };
        let mut paths = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => paths.push(entry.path()),
                Err(error) => self.unread(path, error),
            }
        }
        paths.sort();
        for entry in paths {
            match std::fs::symlink_metadata(&entry) {
                Err(error) => self.unread(&entry, error),
                Ok(about) if about.is_dir() => self.folder(&entry, depth + 1),
                Ok(about) if about.is_symlink() => self.links.push(entry),
                Ok(about) if about.is_file() && self.logs.len() < FILES_MAX => {
                    self.logs.push(Log::File(entry, about.len()));
                }
                Ok(about) if about.is_file() => {
                    return self.too_much(path, "holds more files than are read");
                }
                Ok(_) => self.devices.push(entry),
            }
        }
    }

    fn unread(&mut self, path: &Path, source: io::Error) {
        self.problems.push(DoctorError::Read { input: path.display().to_string(), source });
    }

    fn too_much(&mut self, folder: &Path, what: &'static str) {
        self.problems.push(DoctorError::Folder { folder: folder.display().to_string(), what });
    }
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
        std::os::unix::fs::symlink("b.log", folder.path().join("link.log")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket.log")).unwrap();
        let found = find(&[folder.path().to_owned(), PathBuf::from("-")]).unwrap();
        let file = |name: &str| Log::File(folder.path().join(name), name.len() as u64);
        assert_eq!(found.links, [folder.path().join("link.log")]);
        assert_eq!(found.devices, [folder.path().join("socket.log")]);
        assert!(found.problems.is_empty());
        assert_eq!(found.logs, [file("a/c.log"), file("a/z.log"), file("b.log"), Log::Standard]);
    }

    #[test]
    fn folders_without_end_are_told_and_not_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let mut deep = folder.path().to_owned();
        for _ in 0..=DEPTH_MAX {
            deep.push("d");
        }
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(deep.join("lost.log"), "x").unwrap();
        let found = find(&[folder.path().to_owned()]).unwrap();
        assert!(found.logs.is_empty());
        assert!(matches!(&found.problems[..], [DoctorError::Folder { .. }]), "{:?}", found.problems);
    }
}
