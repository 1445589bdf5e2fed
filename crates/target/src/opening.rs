//! The media of units are opened: where nobody waits but who asked for it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use oarlock_block::ByteCount;
use oarlock_device::{Medium, MediumError, MediumOptions};
use oarlock_scsi::Lun;

use crate::control::NewUnit;
use crate::earlier::Earlier;
use crate::identity;
use crate::journal::JournalFile;
use crate::limits::{HANDOVER_MAX, HANDOVER_STEP, OPENING_MAX, OPENING_TOLD, UNIT_TASKS_MAX, UNITS_MAX};
use crate::options::{TargetError, UnitOptions};
use crate::target::Log;
use crate::unit::Traits;

/// The longest serial number (SPC-5, Unit Serial Number page: it is ASCII; longer ones are cut by initiators).
const SERIAL_LENGTH_MAX: usize = 64;

/// How often a start looks whether it was given up.
const LOOK: Duration = Duration::from_millis(50);

/// Opens one after the other, on a thread that may be left behind: what a disk does not answer, no signal ends.
///
/// # Errors
/// Why one cannot be opened; that one does not answer; that the start was given up.
pub(crate) fn open_all(
    units: Vec<UnitOptions>,
    given_up: &AtomicBool,
    log: &Log,
) -> Result<Vec<NewUnit>, TargetError> {
    let mut known: Vec<(u16, String)> = Vec::with_capacity(units.len());
    for unit in &units {
        let serial = check(unit, known.iter().map(|(number, serial)| (*number, serial.as_str())))?;
        known.push((unit.number, serial));
    }
    let names: Vec<_> = units.iter().map(|unit| (unit.number, unit.path.clone())).collect();
    let (opens, opened) = mpsc::channel();
    let open_each = move || {
        for (unit, (_, serial)) in units.iter().zip(known) {
            let result = open(unit, serial);
            if result.is_err() | opens.send(result).is_err() {
                return;
            }
        }
    };
    let thread = thread::Builder::new().name("oarlock-open".to_owned()).spawn(open_each);
    thread.map_err(|error| TargetError::Thread { reason: error.to_string() })?;
    let answered = |(number, path): (u16, PathBuf)| {
        let name = format!("unit {number}: {}", path.display());
        answer(&opened, (OPENING_TOLD, OPENING_MAX), given_up, |waited| {
            log(&format!("{name} has not answered for {} s; the array waits for it", waited.as_secs()));
        })
        .unwrap_or_else(|waited| Err(TargetError::Silent { number, path, waited }))
    };
    names.into_iter().map(answered).collect()
}

/// The next one that was opened. While it waits, it tells so again and again.
///
/// # Errors
/// How long it waited, where that was too long.
fn answer<T>(
    opened: &Receiver<Result<T, TargetError>>,
    (every, max): (Duration, Duration),
    given_up: &AtomicBool,
    tell: impl Fn(Duration),
) -> Result<Result<T, TargetError>, Duration> {
    let (since, mut due) = (Instant::now(), every);
    loop {
        let answer = opened.recv_timeout(LOOK.min(every));
        if given_up.load(Ordering::Relaxed) {
            return Ok(Err(TargetError::GivenUp));
        }
        match answer {
            Ok(answer) => return Ok(answer),
            Err(RecvTimeoutError::Disconnected) => return Ok(Err(TargetError::Gone)),
            Err(RecvTimeoutError::Timeout) if since.elapsed() >= max => return Err(since.elapsed()),
            Err(RecvTimeoutError::Timeout) if since.elapsed() >= due => {
                due += every;
                tell(since.elapsed());
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// What is asked before a medium is opened, for that may make a file: the serial number of the unit, which may be there beside `others`.
///
/// # Errors
/// Why it may not.
pub(crate) fn check<'a>(
    options: &UnitOptions,
    others: impl Iterator<Item = (u16, &'a str)>,
) -> Result<String, TargetError> {
    let number = options.number;
    let serial = options.serial.clone().unwrap_or_else(|| identity::serial_of(&options.path));
    if let Some(asked) = options.queue.filter(|queue| !(1..=UNIT_TASKS_MAX).contains(queue)) {
        return Err(TargetError::Queue { number, asked, max: UNIT_TASKS_MAX });
    }
    let is_printable = serial.bytes().all(|byte| byte.is_ascii_graphic());
    if serial.is_empty() || serial.len() > SERIAL_LENGTH_MAX || !is_printable {
        return Err(TargetError::Serial { number, serial });
    }
    check_beside(others, number, &serial)?;
    Ok(serial)
}

/// Asked before, and again when it comes: another may have come meanwhile.
///
/// # Errors
/// Why a unit may not be there beside these.
pub(crate) fn check_beside<'a>(
    others: impl Iterator<Item = (u16, &'a str)>,
    number: u16,
    serial: &str,
) -> Result<Lun, TargetError> {
    let lun = Lun::unit(number).ok_or(TargetError::UnitNumber { number })?;
    let mut count = 0;
    for (other, its_serial) in others {
        count += 1;
        if other == number {
            return Err(TargetError::UnitExists { number });
        }
        if its_serial == serial {
            return Err(TargetError::SerialInUse { number: other, serial: serial.to_owned() });
        }
    }
    if count >= UNITS_MAX {
        return Err(TargetError::TooManyUnits { max: UNITS_MAX });
    }
    Ok(lun)
}

/// Opens the medium of one that was [checked](check), and reads what its earlier life left.
///
/// # Errors
/// Why it cannot be.
pub(crate) fn open(options: &UnitOptions, serial: String) -> Result<NewUnit, TargetError> {
    let number = options.number;
    let medium_options = MediumOptions {
        read_only: options.is_read_only,
        create: options.size,
        reserve: !options.is_thin,
        block_size: options.block_size,
        physical_block: options.physical_block,
    };
    let medium =
        open_medium(&options.path, medium_options).map_err(|error| TargetError::Medium { number, error })?;
    let mut notes = Vec::new();
    if medium.is_new() {
        notes.push(format!(
            "{} was not there, and was made: it is empty. If it was there before, its file system is not mounted",
            options.path.display()
        ));
    }
    notes.extend(length_note(options, &medium));
    if options.serial.is_none() {
        notes.extend(identity::doubt(&options.path, &medium));
    }
    let journal = JournalFile::of(&medium, &serial).open(options.is_read_only, open_medium);
    let journal = journal.map_err(|reason| TargetError::Journal { number, reason })?;
    let earlier = Earlier::read(number, (&medium, &serial), journal)?;
    let traits = Traits {
        path: identity::lexical(&options.path),
        is_thin: options.is_thin,
        is_read_only: options.is_read_only,
        is_removable: options.is_removable,
        serial,
        queue: options.queue.unwrap_or(UNIT_TASKS_MAX),
        allowed: options.allowed.clone(),
    };
    Ok(NewUnit { number, medium, earlier, traits, write_cache: options.write_cache, notes })
}

/// What an operator may not expect of the file that is there.
fn length_note(options: &UnitOptions, medium: &Medium) -> Option<String> {
    let (path, has) = (options.path.display(), medium.geometry().size());
    if let Some(asked) = options.size.filter(|asked| *asked != has && !medium.is_block_device()) {
        return Some(format!("{path} is there and has {has}, not {asked}: size= is for a file that is made"));
    }
    let used = ByteCount(medium.space().ok()?.used_bytes);
    (!options.is_thin && !options.is_read_only && used < has).then(|| {
        format!(
            "it is not thin, but {path} has place for {used} of its {has} alone: where its file system is full, writes fail. `fallocate` gives it \
             the rest, and `thin` says it to initiators"
        )
    })
}

fn open_medium(path: &Path, options: MediumOptions) -> Result<Medium, MediumError> {
    when_free(|| Medium::open(path, options), |error| matches!(error, MediumError::InUse { .. }))
}

/// The kernel frees the files and sockets of a ring a little after its process, or its thread, has ended: an array that is started again at
/// once finds its media and its portals in use for that long.
pub(crate) fn when_free<T, E>(
    mut take: impl FnMut() -> Result<T, E>,
    is_in_use: impl Fn(&E) -> bool,
) -> Result<T, E> {
    let by = Instant::now() + HANDOVER_MAX;
    loop {
        match take() {
            Err(error) if is_in_use(&error) && Instant::now() < by => thread::sleep(HANDOVER_STEP),
            taken => return taken,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn what_does_not_answer_is_told_and_ends() {
        const TOLD: Duration = Duration::from_millis(1);
        let (opens, opened) = mpsc::channel::<Result<u8, TargetError>>();
        let count = Cell::new(0);
        let tell = |_| count.set(count.get() + 1);
        let given_up = AtomicBool::new(false);
        let waited = answer(&opened, (TOLD, 20 * TOLD), &given_up, tell).unwrap_err();
        assert!(waited >= 20 * TOLD && count.get() > 0);
        opens.send(Ok(7)).unwrap();
        let next = || answer(&opened, (TOLD, LOOK), &given_up, |_| ());
        assert_eq!(next(), Ok(Ok(7)));
        opens.send(Ok(8)).unwrap();
        given_up.store(true, Ordering::Relaxed);
        assert_eq!(next(), Ok(Err(TargetError::GivenUp)), "also where it has answered");
        given_up.store(false, Ordering::Relaxed);
        drop(opens);
        assert_eq!(next(), Ok(Err(TargetError::Gone)));
    }
}
