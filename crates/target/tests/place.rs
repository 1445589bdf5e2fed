//! A target of one test, on files of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use oarlock_block::ByteCount;
use oarlock_scsi::iscsi::{Accounts, TaskAttribute};
use oarlock_target::{Target, TargetError, TargetOptions, UnitOptions};
use tempfile::TempDir;

use crate::initiator::{Flow, Session, TARGET, Who, cdb};

/// POWER ON, RESET, OR BUS DEVICE RESET OCCURRED, as a unit attention.
pub(crate) const POWER_ON: (u8, u8, u8) = (6, 0x29, 0x00);

/// I_T NEXUS LOSS OCCURRED, as a unit attention.
pub(crate) const NEXUS_LOSS: (u8, u8, u8) = (6, 0x29, 0x07);

/// What every unit has, where a test says nothing else.
const UNIT_BYTES: u64 = 64 << 20;

/// A target, and its folder.
pub(crate) struct Place {
    target: Option<Target>,
    pub(crate) portals: Vec<SocketAddr>,
    pub(crate) options: TargetOptions,
    pub(crate) folder: TempDir,
    /// What the array told its operator.
    lines: Lines,
}

type Lines = Arc<Mutex<Vec<String>>>;

/// A unit in a folder: thin, writable, 512-byte blocks.
pub(crate) fn unit(folder: &TempDir, number: u16) -> UnitOptions {
    UnitOptions {
        size: Some(ByteCount(UNIT_BYTES)),
        is_thin: true,
        ..UnitOptions::new(number, file(folder, number))
    }
}

fn file(folder: &TempDir, number: u16) -> PathBuf {
    folder.path().join(format!("unit-{number}.img"))
}

impl Place {
    /// A target with one unit and one portal.
    pub(crate) fn new() -> Place {
        Place::with(|_, _| {})
    }

    /// A target with one unit and one portal, as `change` makes it.
    pub(crate) fn with(change: impl FnOnce(&mut TargetOptions, &TempDir)) -> Place {
        Place::at(tempfile::tempdir().unwrap(), change)
    }

    /// The same on shared memory, where there is any: a race is run the more often the less each of its steps costs.
    pub(crate) fn in_memory(change: impl FnOnce(&mut TargetOptions, &TempDir)) -> Place {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Place::at(folder.unwrap(), change)
    }

    fn at(folder: TempDir, change: impl FnOnce(&mut TargetOptions, &TempDir)) -> Place {
        let mut options = TargetOptions {
            name: TARGET.parse().unwrap(),
            portals: vec!["127.0.0.1:0".parse().unwrap()],
            advertised: Vec::new(),
            accounts: Accounts::default(),
            allowed: Vec::new(),
            units: vec![unit(&folder, 0)],
        };
        change(&mut options, &folder);
        let lines = Lines::default();
        let target = start(&options, &lines).unwrap();
        Place { portals: target.portals().to_vec(), target: Some(target), options, folder, lines }
    }

    pub(crate) fn portal(&self) -> SocketAddr {
        self.portals[0]
    }

    pub(crate) fn target(&self) -> &Target {
        self.target.as_ref().expect("it runs")
    }

    /// Ends the target and starts it again on the same files, at other ports.
    pub(crate) fn restart(&mut self) {
        self.try_restart().unwrap();
    }

    /// Ends the target.
    pub(crate) fn stop(&mut self) {
        if let Some(target) = self.target.take() {
            target.stop();
        }
    }

    /// The same, where it may be refused.
    pub(crate) fn try_restart(&mut self) -> Result<(), TargetError> {
        self.stop();
        let target = start(&self.options, &self.lines)?;
        self.portals = target.portals().to_vec();
        self.target = Some(target);
        Ok(())
    }

    /// The lines for the operator so far that have `words` in them.
    pub(crate) fn told(&self, words: &str) -> Vec<String> {
        let lines = self.lines.lock().unwrap();
        lines.iter().filter(|line| line.contains(words)).cloned().collect()
    }

    /// A session of an initiator of that name that has been told of the power on.
    pub(crate) fn session(&self, name: &str) -> Session {
        let mut session = Who::new(name).login(self.portal());
        meet(&mut session, 0);
        session
    }

    /// Fails unless a new initiator gets in and its commands are executed, in order with all that is under way.
    pub(crate) fn serves(&self) {
        self.serves_by(TaskAttribute::Ordered);
    }

    /// The same where something is under way that does not end.
    pub(crate) fn serves_unordered(&self) {
        self.serves_by(TaskAttribute::Simple);
    }

    fn serves_by(&self, attribute: TaskAttribute) {
        let mut session = Who::new("witness").login(self.portal());
        session.run(0, cdb::test_unit_ready(), Flow::None);
        session.attribute = attribute;
        session.run(0, cdb::write(9, 1), Flow::Out(&[0x39; 512])).good();
        assert_eq!(session.run(0, cdb::read(9, 1), Flow::In(512)).good(), [0x39; 512]);
        session.logout();
    }
}

fn start(options: &TargetOptions, lines: &Lines) -> Result<Target, TargetError> {
    let lines = Arc::clone(lines);
    Target::start(options.clone(), Arc::new(move |line: &str| lines.lock().unwrap().push(line.to_owned())))
}

/// Data of which no two blocks, and few bytes that are next to each other, are the same.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    let low = |number: usize| number.to_le_bytes()[0];
    (0..length).map(|place| low(place / 512 + place)).collect()
}

/// Takes the unit attention of a session that begins: of a power on, or of a nexus that was lost and comes back.
pub(crate) fn meet(session: &mut Session, unit: u16) {
    let code = session.run(unit, cdb::test_unit_ready(), Flow::None).code();
    assert!(code == POWER_ON || code == NEXUS_LOSS, "{code:02x?}");
}
