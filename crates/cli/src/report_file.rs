//! A report that is written to a file: never over what is no report, and whole or not at all.

use std::fs::{File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::catalogue::Code;
use crate::failure::Failure;

/// A report's mark stands within so many bytes from its beginning.
const MARK_WITHIN_BYTES: u64 = 1_024;

/// Where a report will be.
#[derive(Debug)]
pub struct ReportFile {
    path: PathBuf,
}

impl ReportFile {
    /// A place for a report that holds `mark`. It is looked at before any log is read, so that nobody waits in vain.
    ///
    /// # Errors
    /// Where something else than a former report is there, unless it is another page for a browser, or empty, and `force` says that it may
    /// go. Whatever `force` says: nobody wants a log or a disk's image replaced by a page, so that a mistyped path is all it can be; and where it
    /// is no plain file, a name that is put in the place of a device or of a link takes that away.
    pub fn at(path: &Path, mark: &str, force: bool) -> Result<ReportFile, Failure> {
        let refused = |what: String| Err(Failure::new(Code::ReportInTheWay, what));
        let shown = path.display();
        match std::fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::system(&shown.to_string(), &error)),
            Ok(about) if !about.is_file() => {
                return refused(format!("{shown} is no plain file: no report is put in its place"));
            }
            Ok(_) => {
                let beginning =
                    beginning(path).map_err(|error| Failure::system(&shown.to_string(), &error))?;
                let page = is_page(&beginning);
                match (String::from_utf8_lossy(&beginning).contains(mark), page) {
                    (true, _) => {}
                    (false, true) if force => {}
                    (false, true) => {
                        return refused(format!("{shown} is there already and is no former report"));
                    }
                    (false, false) => {
                        return refused(format!(
                            "{shown} is there already and is no page: it is not replaced"
                        ));
                    }
                }
            }
        }
        Ok(ReportFile { path: path.to_owned() })
    }

    /// Writes the report: beside its place first, then by name into it.
    ///
    /// # Errors
    /// Where the operating system refuses; what was at the place is then as it was.
    pub fn write(&self, text: &str) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::system(&self.path.display().to_string(), &error);
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        // As any new file's: what the user's umask leaves of it.
        let permissions = Permissions::from_mode(0o666);
        let mut beside = tempfile::Builder::new()
            .prefix(".report-")
            .permissions(permissions)
            .tempfile_in(folder)
            .map_err(failed)?;
        beside.write_all(text.as_bytes()).and_then(|()| beside.as_file().sync_all()).map_err(failed)?;
        beside.persist(&self.path).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    let mut beginning = Vec::new();
    File::open(path)?.take(MARK_WITHIN_BYTES).read_to_end(&mut beginning)?;
    Ok(beginning)
}

/// Whether a file begins as a page for a browser does, or is empty.
fn is_page(beginning: &[u8]) -> bool {
    let text = beginning.strip_prefix(b"\xef\xbb\xbf").unwrap_or(beginning).trim_ascii_start();
    let starts = |tag: &[u8]| text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag));
    beginning.is_empty() || starts(b"<!doctype html") || starts(b"<html")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: &str = "<mark>";

    #[test]
    fn a_former_report_is_replaced_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        let write = |text: &str, force| ReportFile::at(&path, MARK, force).and_then(|file| file.write(text));
        write("<mark> one", false).unwrap();
        write("<mark> two", false).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "<mark> two");
        std::fs::write(&path, "\n<!doctype HTML><p>mine").unwrap();
        assert!(write("<mark> three", false).is_err());
        write("<mark> three", true).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "<mark> three");
        std::fs::write(&path, "").unwrap();
        write("<mark> four", true).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    /// `--html vmkernel.log --force`, with the two names exchanged, took the only copy of a log away.
    #[test]
    fn what_is_no_page_stays_even_under_force() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vmkernel.log");
        for text in ["2026-01-01T00:00:00Z a log", "<htm", "see <html>", "\0\0\0", "PK\u{3}\u{4}"] {
            std::fs::write(&path, text).unwrap();
            let refusal = ReportFile::at(&path, MARK, true).unwrap_err();
            assert!(refusal.to_string().contains("is no page"), "{refusal}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn what_is_no_plain_file_stays_even_under_force() {
        let folder = tempfile::tempdir().unwrap();
        assert!(ReportFile::at(folder.path(), MARK, true).is_err());
        #[cfg(unix)]
        {
            let link = folder.path().join("link");
            std::os::unix::fs::symlink("elsewhere", &link).unwrap();
            assert!(ReportFile::at(&link, MARK, true).is_err());
            assert!(ReportFile::at(Path::new("/dev/null"), MARK, true).is_err());
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_told_and_nothing_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none/report.html");
        assert!(ReportFile::at(&path, MARK, false).unwrap().write("x").is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
