//! Hosts on the tests' machine, and records that are put under them.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{BlockSize, Clock, Lba};
use oarlock_engine::{Event, Guard, Host, JoinError, LockError, Want, World, read_superblock};
use oarlock_format::{
    FormatId, Generation, HostName, LockName, LockPosition, Nonce, Place, Record, Stamp, Writer, decode,
    encode, home,
};

use crate::machine::Machine;

/// What a host reports.
pub type Events = Rc<RefCell<Vec<Event>>>;

pub fn lock_name() -> LockName {
    LockName::new("backup/nightly").unwrap()
}

pub async fn try_join(world: World, name: &str) -> (Result<Host, JoinError>, Events) {
    let events: Events = Rc::default();
    let sink = Rc::clone(&events);
    let name = HostName::new(name).unwrap();
    let joined = Host::join(world, &name, Rc::new(move |event| sink.borrow_mut().push(event))).await;
    (joined, events)
}

pub fn join(machine: &Machine, world: World, name: &str) -> Host {
    machine.time.run(try_join(world, name)).0.unwrap()
}

pub async fn take(machine: &Machine, host: &Host, want: Want, within: Duration) -> Result<Guard, LockError> {
    host.lock(&lock_name(), want, machine.time.now().plus(within)).await
}

/// Runs `story` while `host` lives.
pub fn beside<T>(machine: &Machine, host: &Host, story: impl Future<Output = T>) -> T {
    machine.time.run(async {
        let (run, story) = (host.run(), story);
        futures::pin_mut!(run, story);
        match futures::future::select(story, run).await {
            futures::future::Either::Left((value, _)) => value,
            futures::future::Either::Right((ended, _)) => panic!("the host ended: {ended}"),
        }
    })
}

pub fn format_id(machine: &Machine) -> FormatId {
    let world = machine.process().0;
    machine.time.run(read_superblock(&world)).unwrap().superblock.stamp.format_id
}

/// Where the lock of [`lock_name`] has its home.
pub fn home_lba(machine: &Machine) -> Lba {
    let position: LockPosition = home(&format_id(machine), &lock_name(), machine.layout().lock_positions());
    machine.layout().lock(position)
}

pub fn read<R: Record>(machine: &Machine, lba: Lba) -> R {
    decode(&machine.disk.block(lba), &Place { format_id: format_id(machine), lba }).unwrap().record
}

/// Puts a whole record on the disk, whatever it says.
pub fn put<R: Record>(machine: &Machine, lba: Lba, record: &R) {
    put_by(machine, lba, record, Writer::Tool, 0);
}

/// Puts a record as the image of that writer, so many generations later.
pub fn put_by<R: Record>(machine: &Machine, lba: Lba, record: &R, writer: Writer, later: u64) {
    let nonce = Nonce(u128::from(lba.0) + 77 + (u128::from(later) << 64));
    let (format_id, generation) = (format_id(machine), Generation(50 + later));
    let stamp = Stamp { format_id, lba, generation, writer, nonce };
    machine.disk.put(lba, encode(&stamp, record, BlockSize::B512).bytes());
}
