//! The catalogue of the program's own errors: each with its code, its cause, its cure and its exit code.
//!
//! Errors that a host answers with have their rows in the host's catalogue; docs/ERRORS.md is held to both by a test.

/// It failed, and said why.
pub const EXIT_FAILED: u8 = 1;
/// Wrong usage.
pub const EXIT_USAGE: u8 = 2;
/// Not now: try again.
pub const EXIT_TRY_AGAIN: u8 = 75;
/// There is no such command, as shells have it.
pub const EXIT_NOT_FOUND: u8 = 127;
/// The lock was lost while the command ran.
pub const EXIT_LOST: u8 = 76;

/// One row of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// `OAR-....`: never given to another error.
    pub code: &'static str,
    /// A headline.
    pub title: &'static str,
    /// What it comes from.
    pub cause: &'static str,
    /// What helps.
    pub cure: &'static str,
    /// The program's exit code.
    pub exit: u8,
}

/// Defines the errors and their rows at once.
macro_rules! catalogue {
    ($( $(#[$doc:meta])* $error:ident = $code:literal, $exit:expr, $title:literal, $cause:literal, $cure:literal; )+) => {
        /// An error of the program's own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code {
            $( #[doc = $title] $error, )+
        }

        impl Code {
            /// Every error.
            #[cfg(all(test, feature = "datastore"))]
            pub const ALL: &'static [Code] = &[$( Code::$error, )+];

            /// Its row.
            #[must_use]
            pub const fn row(self) -> Row {
                match self {
                    $( Code::$error => Row { code: $code, title: $title, cause: $cause, cure: $cure, exit: $exit }, )+
                }
            }
        }
    };
}

catalogue! {
    Usage = "OAR-0501", EXIT_USAGE, "wrong usage",
        "The command line has a flag, a verb or a number of arguments that the verb does not take.",
        "`oarlock VERB --help` shows what it takes.";
    BadValue = "OAR-0502", EXIT_USAGE, "a value that is none",
        "A size, a time, a number, a block or cluster size, a device or a range of seeds on the command line does not read as one, or is out of its bounds.",
        "Give it as the message says, which tells what is taken there; `oarlock VERB --help` has all values.";
    System = "OAR-0503", EXIT_FAILED, "the operating system refused",
        "The program could not write its output, catch signals, or make or remove a file; the message has the system's words.",
        "Do what the message says, and run it again.";
    Interrupted = "OAR-0504", EXIT_FAILED, "interrupted",
        "SIGINT or SIGTERM came before the work was done.",
        "Run it again.";
    SizeMissing = "OAR-0505", EXIT_USAGE, "a file to be made needs a size",
        "Nothing is at the path, and `--size` was not given.",
        "Give `--size` (256M suffice for 64 hosts), or the path of a file or block device that is there.";
    NoSuchRecord = "OAR-0506", EXIT_FAILED, "no such record",
        "The slot, mailbox, lock or block that was asked for does not exist on this device.",
        "`oarlock inspect DEVICE` shows how many slots and blocks there are; `oarlock locks` shows the locks that are held.";
    Bench = "OAR-0507", EXIT_FAILED, "the bench cannot run here",
        "A bench writes only to a datastore's scratch blocks and locks of its own, or to a file that it makes itself; or the device failed on the way.",
        "Give it a datastore with a free slot, or (for `bench ats` and `bench beat`) a path where nothing is.";
    NotResignable = "OAR-0508", EXIT_FAILED, "the copy cannot be given a life of its own",
        "A host lives in it, its superblock changed meanwhile or gave no clear answer, or its first copy is damaged.",
        "Stop its hosts; repair a damaged one with `oarlock check --repair`; then run it again.";
    CommandNotStarted = "OAR-0509", EXIT_NOT_FOUND, "the command could not be started",
        "There is no such program (exit code 127), or it may not be executed (126).",
        "Check its path and its permissions. The lock was released again.";
    LockLost = "OAR-0510", EXIT_LOST, "the lock was lost",
        "The host's lease was not renewed in time, or the host went away. The command was killed before another host could take the lock.",
        "`oarlock events` says why. What the command had begun was cut short: look at it before it runs again.";
    UnknownCause = "OAR-0511", EXIT_USAGE, "no such cause",
        "The catalogue of causes has no page of that name.",
        "`oarlock causes` lists the names.";
    NotGrown = "OAR-0512", EXIT_FAILED, "the datastore cannot grow",
        "A copy of its superblock is damaged, was changed by another program meanwhile, or gave no clear answer; or a live host could not be told.",
        "Repair a damaged one with `oarlock check --repair`; then run it again: it goes on where it ended.";
    ReportInTheWay = "OAR-0513", EXIT_FAILED, "something else is where the report is to be",
        "A report is written only where nothing is, or over a former report: no log and no image is lost by a mistyped path.",
        "Give another path; or move the file away, where the report must have its name. `--force` replaces another HTML page or an empty file.";
    NothingRead = "OAR-0514", EXIT_FAILED, "nothing could be read",
        "No line could be read of the logs that the doctor was given; its report says of each why.",
        "Give it what it may read: with more rights, unpacked, or from another copy.";
    Unwatched = "OAR-0515", EXIT_LOST, "the command's watchman has ended",
        "Somebody killed the process `oarlock guard watch`, which ends what the command started where `lock run` cannot. The command was killed: it runs only while it is watched. The lock was held until then.",
        "Find out who killed it (the kernel's log names the victims of a lack of memory). What the command had begun was cut short: look at it before it runs again.";
    ImageUnread = "OAR-0516", EXIT_FAILED, "an image file cannot be read",
        "The file is not there, is no plain file or block device, may not be read by this user, or its device failed; the message has the system's words.",
        "Check the path and its permissions, and run it again: of an import, nothing was left behind.";
    ImageInUse = "OAR-0517", EXIT_FAILED, "an image file that is being written",
        "QEMU or a tool of it has the file open to write: a copy would be torn, and a file in its place would be lost to its guest.",
        "Stop the virtual machine or the tool that has it open, or copy a snapshot of it.";
    ImageForeign = "OAR-0518", EXIT_FAILED, "an image of a format that is not read",
        "The file begins as one of VMDK, VDI, VHDX or another format does; raw and qcow2 are read.",
        "Make a qcow2 image of it by `qemu-img convert -O qcow2`; or give `--format raw`, where its bytes are to be taken as they stand.";
    ImageRefused = "OAR-0519", EXIT_FAILED, "a qcow2 image that is damaged or needs what is not done",
        "Its tables cannot be true, it was cut short, or it wants another file, encryption or a feature that is not known. All of them are looked at before a disk is made.",
        "`qemu-img check` says more of damage; `qemu-img convert -O qcow2` puts an image and the files that it names into one.";
    ImageExists = "OAR-0520", EXIT_FAILED, "something is where the image is to be",
        "A file is written over only with `--force`, and what is no plain file never is.",
        "Give another path, or `--force` where the plain file that is there may go.";
    ImageUnwritten = "OAR-0521", EXIT_FAILED, "the image file cannot be written",
        "Its folder may not be written, its file system is full or has no files of that size, or its device failed; the message has the system's words.",
        "Make room, or give a path on another file system; nothing was left behind.";
    CopyBroken = "OAR-0522", EXIT_FAILED, "the copy to or from a disk was cut short",
        "The host that serves the disk hung up, did not answer, refused a request, or gave the disk away.",
        "`oarlock status` and `oarlock events` say how the host is; then run it again.";
    TargetNotStarted = "OAR-0523", EXIT_FAILED, "the array cannot be started",
        "A portal's address is taken or is not this machine's, a unit's file is not there or is in use by a host, another array or another unit of this one, what lies beside it is another unit's, its serial number is used or cannot be one, or the kernel gives no io_uring; the message says which.",
        "Do what the message asks for: another `--listen`, the path of a file that is there or `size=S` for one to be made, another `serial=`, or an end to who uses the file.";
    ChapSecret = "OAR-0524", EXIT_FAILED, "a CHAP secret that cannot be used",
        "The file is not there, others than its owner can read it, or its secret is shorter than 12 or longer than 255 bytes.",
        "Put the secret alone into a file of its own, `chmod 600` it, and name that.";
    ArrayUnreachable = "OAR-0525", EXIT_TRY_AGAIN, "no running array answers",
        "No array runs here, it runs as another user or with another `--api`, what was named is another program's socket, or the array is ending.",
        "`oarlock target serve` says on standard error where its API is: name that with `--api`, or the array with `--iqn`.";
    ArrayMustChoose = "OAR-0526", EXIT_USAGE, "several arrays run here",
        "The verb is for one array, and more than one runs on this machine.",
        "Say which: `--iqn IQN`, or `--api PATH`.";
    UnitRefused = "OAR-0527", EXIT_FAILED, "a unit cannot be added, removed or grown",
        "There is none of that number, or there is one already; its file is not there, is in use or has another unit's serial number; or it would shrink. The message says which.",
        "`oarlock target lun list` shows the units; do what the message asks for.";
    ConfigFile = "OAR-0528", EXIT_USAGE, "a configuration file that cannot be used",
        "The file cannot be read, is no TOML, has a key that is not known, or a value that no flag would take; the message has the line.",
        "The keys are those of `oarlock target serve --help`: listen, advertise, iqn, chap, chap_mutual, allow, api, metrics, fault, and tables of [[lun]] with number, file, size, block, physical, thin, ro, removable, wce, serial, queue, allow.";
}

#[cfg(all(test, feature = "datastore"))]
mod tests {
    use super::*;
    use crate::cures::cure;
    use oarlock_host::error_catalogue;

    /// What stands in docs/ERRORS.md before the errors.
    const DOCUMENT: &str = include_str!("../../../docs/ERRORS.md");
    const PARTS: [(&str, &str); 6] = [
        ("OAR-01", "The device"),
        ("OAR-02", "The datastore, its hosts and locks"),
        ("OAR-03", "The running host"),
        ("OAR-04", "Reaching a host"),
        ("OAR-05", "The program"),
        ("CHK-", "What a check finds"),
    ];

    fn all() -> Vec<[&'static str; 4]> {
        let host = error_catalogue().iter().map(|entry| [entry.code, entry.title, entry.cause, entry.cure]);
        let own =
            Code::ALL.iter().map(|code| code.row()).map(|row| [row.code, row.title, row.cause, row.cure]);
        // Findings are no errors, and have their place in the same document: a code is a code to whoever looks one up.
        let findings = oarlock_engine::check::Code::ALL
            .iter()
            .map(|code| [code.text(), code.severity().name(), code.meaning(), cure(*code)]);
        host.chain(own).chain(findings).collect()
    }

    #[test]
    fn every_error_has_a_code_of_its_own_and_whole_sentences() {
        let all = all();
        for (index, [code, title, cause, cure]) in all.iter().enumerate() {
            assert!(PARTS.iter().any(|(prefix, _)| code.starts_with(prefix)) && code.len() == 8, "{code}");
            assert!(!title.ends_with('.'), "{code}: a headline has no full stop");
            assert!(cause.ends_with(['.', ')']) && cure.ends_with(['.', ')']), "{code}: sentences end");
            assert!(all[index + 1..].iter().all(|other| other[0] != *code), "{code} is given twice");
        }
    }

    /// Both directions: the document has every error with its words, and no error that the program has not.
    /// `OARLOCK_WRITE_DOCS=1 cargo test -p oarlock-cli errors_md` writes the document anew.
    #[test]
    fn errors_md_has_exactly_the_errors_of_the_catalogues() {
        let (front, _) = DOCUMENT.split_once("\n## ").expect("the document has parts");
        let mut text = front.to_owned();
        for (prefix, heading) in PARTS {
            text += &format!("\n## {heading} ({prefix}..)\n");
            for [code, title, cause, cure] in all().iter().filter(|row| row[0].starts_with(prefix)) {
                text += &format!("\n### {code}: {title}\n\n{cause}\n\n*What to do:* {cure}\n");
            }
        }
        if std::env::var_os("OARLOCK_WRITE_DOCS").is_some() {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ERRORS.md"), &text).unwrap();
            return;
        }
        let differs = text.lines().zip(DOCUMENT.lines()).find(|(wanted, found)| wanted != found);
        assert_eq!(differs, None, "(the catalogue, docs/ERRORS.md)");
        assert_eq!(text.lines().count(), DOCUMENT.lines().count(), "docs/ERRORS.md ends elsewhere");
    }
}
