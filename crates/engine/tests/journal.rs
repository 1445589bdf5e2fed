//! The journal: what was flushed is there after every loss of power, at every command of a commit, a checkpoint and a
//! replay; and what each of them costs.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{BlockCount, BlockSize, Clock, Device, Lba};
use oarlock_engine::HostJournal;
use oarlock_engine::check::{Code, Finding};
use oarlock_format::{
    BitmapPage, ClusterIndex, ClusterNumber, ClusterRun, Epoch, JournalSequence, Owner, PageHeader, SlotState,
};

use crate::company::{beside, join};
use crate::ledger::{
    DISK, GROUP, Ledger, bitmap_page, give, lock_of, make_node, take_both, taken_over_by, taken_over_in,
};
use crate::machine::{Machine, SMALL};
use crate::power::{Logged, Power, mixed};
use crate::{company, ledger, machine};

/// What a run of a host left: the device with its past, and what had been promised when.
struct Run {
    power: Rc<Power>,
    /// The ledger at each commit, and how many commands there were when it began and when it was promised.
    promises: Vec<Promise>,
    /// The header of its journal.
    header: Lba,
    owner: Owner,
    /// The machine that it ran on, and what had been changed in the end.
    machine: Machine,
    ledger: Ledger,
}

struct Promise {
    ledger: Ledger,
    begun: usize,
    kept: usize,
}

impl Run {
    /// What may be found after the power went before command `cut`: the last promise that was kept, or one that was begun.
    fn allowed(&self, cut: usize) -> Vec<&Ledger> {
        let kept = self.promises.iter().rposition(|promise| promise.kept <= cut).unwrap_or(0);
        let promises = self.promises[kept..].iter().enumerate();
        promises
            .filter(|(at, promise)| *at == 0 || promise.begun <= cut)
            .map(|(_, promise)| &promise.ledger)
            .collect()
    }

    fn everything(&self) -> &Ledger {
        &self.promises.last().unwrap().ledger
    }

    /// Takes over host `a` on such a disk, and compares.
    fn judge(&self, cut: usize, machine: &Machine) {
        taken_over_by(machine, "b", "a").unwrap_or_else(|error| panic!("cut {cut}: {error}"));
        self.compare(cut, machine);
    }

    fn compare(&self, cut: usize, machine: &Machine) {
        let found = self.everything().found(machine).unwrap_or_else(|error| panic!("cut {cut}: {error}"));
        assert!(self.allowed(cut).contains(&&found), "cut {cut}: {found:?}");
        // No entry shows what stood in its cluster before (R32).
        for cluster in found.entries.values() {
            let (lba, data) = data_of(machine, u16::try_from(*cluster).unwrap());
            assert_eq!(machine.disk.block(lba), data, "cut {cut}: cluster {cluster}");
        }
    }
}

/// What stands for a cluster's data, and where: somewhere in a cluster that exists.
fn data_of(machine: &Machine, cluster: u16) -> (Lba, Vec<u8>) {
    let space = ledger::superblock(machine).space();
    let first = space.cluster(ClusterNumber(16 + u64::from(cluster % 100)));
    let bytes = cluster.to_le_bytes().repeat(machine::BLOCK / 2);
    (first.plus(BlockCount(u64::from(cluster / 100))), bytes)
}

/// A formatted machine with a node of map pages.
fn prepared() -> Machine {
    let machine = Machine::new(SMALL);
    machine.format();
    make_node(&machine, 16);
    machine
}

/// Runs host `a` on a device whose power may go, with both locks in its hands.
fn run(story: impl AsyncFnOnce(&Machine, &HostJournal, &mut Book)) -> Run {
    let machine = prepared();
    let power = Power::new(Rc::clone(&machine.disk));
    let host = join(&machine, machine.process_on(Rc::clone(&power) as Rc<dyn Device>).0, "a");
    let journal = take_both(&machine, &host);
    power.begin();
    let first = Promise { ledger: Ledger::default(), begun: 0, kept: 0 };
    let mut book =
        Book { power, ledger: Ledger::default(), promises: vec![first], owner: host.status().owner };
    beside(&machine, &host, story(&machine, &journal, &mut book));
    let header = machine.layout().journal(book.owner.slot, BlockSize::B512).header;
    let Book { power, ledger, promises, owner } = book;
    Run { power, promises, header, owner, machine, ledger }
}

/// What is written down while a host runs.
struct Book {
    power: Rc<Power>,
    ledger: Ledger,
    promises: Vec<Promise>,
    owner: Owner,
}

impl Book {
    /// Writes a cluster's data, and maps it once that was answered.
    async fn map(&mut self, machine: &Machine, journal: &HostJournal, at: (u16, u16), cluster: u16) {
        let (lba, data) = data_of(machine, cluster);
        self.power.write(lba, &data).await.unwrap();
        self.ledger.map(machine, journal.pages(), at, cluster);
    }

    async fn commit(&mut self, journal: &HostJournal) {
        let begun = self.power.commands();
        journal.commit().await.unwrap();
        self.promises.push(Promise { ledger: self.ledger.clone(), begun, kept: self.power.commands() });
    }

    async fn checkpoint(&mut self, journal: &HostJournal) {
        let begun = self.power.commands();
        journal.checkpoint().await.unwrap();
        self.promises.push(Promise { ledger: self.ledger.clone(), begun, kept: self.power.commands() });
    }
}

/// Changes that go on beside commits and checkpoints, on a device that takes its time: each state after a transaction may
/// be found, from the one on that was promised last.
async fn beside_a_checkpoint(machine: &Machine, journal: &HostJournal, book: &mut Book) {
    let slowness = Duration::from_millis(1);
    book.power.slow_down(&machine.time, slowness);
    let book = RefCell::new(book);
    let pause = async |part: u32| {
        machine.time.sleep_until(machine.time.now().plus(slowness / part)).await;
    };
    let map = async |cluster: u16| {
        let (lba, data) = data_of(machine, cluster);
        let power = Rc::clone(&book.borrow().power);
        power.write(lba, &data).await.unwrap();
        let mut book = book.borrow_mut();
        book.ledger.map(machine, journal.pages(), (cluster % 5, cluster % 250), cluster);
        let promise = Promise { ledger: book.ledger.clone(), begun: power.commands(), kept: usize::MAX };
        book.promises.push(promise);
    };
    let promised = async |whole: bool| {
        let last = book.borrow().promises.len() - 1;
        if whole {
            journal.checkpoint().await.unwrap();
        } else {
            journal.commit().await.unwrap();
        }
        let mut book = book.borrow_mut();
        book.promises[last].kept = book.power.commands();
    };
    for cluster in 100..110 {
        map(cluster).await;
    }
    promised(false).await;
    let changes = async {
        for cluster in 110..140 {
            map(cluster).await;
            pause(3).await;
        }
    };
    let promises = async {
        for round in 0..6 {
            promised(round % 3 != 2).await;
            pause(2).await;
        }
    };
    futures::join!(changes, promises);
    promised(true).await;
    map(140).await;
    map(141).await;
    promised(false).await;
}

#[test]
fn what_changes_while_pages_go_home_is_neither_lost_nor_told_too_early() {
    let run = run(beside_a_checkpoint);
    assert!(every_end(&run, 6) > 500);
}

/// Every cut of a run, on every disk that it can leave.
fn every_end(run: &Run, random: u64) -> usize {
    let mut ends = 0;
    for cut in 0..=run.power.commands() {
        for disk in run.power.disks_lost(cut, random) {
            run.judge(cut, &Machine::with_disk(disk));
            ends += 1;
        }
    }
    ends
}

#[test]
fn what_was_committed_is_there_after_a_loss_of_power_at_every_command_of_a_commit() {
    let run = run(async |machine, journal, book| {
        for cluster in 20..23 {
            book.map(machine, journal, (cluster % 2, cluster), cluster).await;
        }
        book.commit(journal).await;
        for cluster in 30..33 {
            book.map(machine, journal, (cluster % 3, cluster), cluster).await;
        }
        book.commit(journal).await;
        book.map(machine, journal, (0, 20), 40).await;
        book.commit(journal).await;
    });
    assert!(every_end(&run, 12) > 50);
}

#[test]
fn what_was_committed_is_there_after_a_loss_of_power_at_every_command_of_a_checkpoint() {
    let run = run(async |machine, journal, book| {
        for cluster in 20..24 {
            book.map(machine, journal, (cluster % 2, cluster), cluster).await;
        }
        book.commit(journal).await;
        book.map(machine, journal, (5, 0), 24).await;
        book.checkpoint(journal).await;
        book.map(machine, journal, (1, 21), 25).await;
        book.commit(journal).await;
        book.map(machine, journal, (1, 22), 26).await;
        book.checkpoint(journal).await;
        book.map(machine, journal, (1, 23), 27).await;
        book.commit(journal).await;
    });
    assert!(every_end(&run, 12) > 50);
}

#[test]
fn what_was_committed_is_there_over_many_laps_of_the_ring() {
    let run = run(async |machine, journal, book| {
        for round in 0..200_u16 {
            for step in 0..=(mixed(u64::from(round)) % 3) as u16 {
                let at = (mixed(u64::from(round * 7 + step)) % (16 * 252)) as u16;
                book.map(machine, journal, (at / 252, at % 252), 100 + round * 4 + step).await;
            }
            book.commit(journal).await;
        }
    });
    let header = run.header;
    let swaps = run
        .power
        .logged(0)
        .into_iter()
        .filter(|logged| matches!(logged, Logged::Swap { lba, .. } if *lba == header));
    // The header names this life, and moves with each checkpoint: many laps.
    assert!(swaps.count() > 4);
    let mut ends = 0;
    for cut in (0..=run.power.commands()).filter(|cut| mixed(*cut as u64).is_multiple_of(9)) {
        for disk in run.power.disks_lost(cut, 2) {
            run.judge(cut, &Machine::with_disk(disk));
            ends += 1;
        }
    }
    assert!(ends > 100);
}

#[test]
fn a_replay_that_lost_its_power_at_any_command_is_done_again_by_another() {
    let run = run(async |machine, journal, book| {
        for cluster in 20..24 {
            book.map(machine, journal, (cluster % 3, cluster), cluster).await;
        }
        book.commit(journal).await;
        book.map(machine, journal, (0, 0), 50).await;
        book.commit(journal).await;
    });
    let cut = run.power.commands();
    let machine = Machine::with_disk(run.power.lost(cut, |_, _| true));
    let power = Power::new(Rc::clone(&machine.disk));
    let world = machine.process_on(Rc::clone(&power) as Rc<dyn Device>).0;
    taken_over_in(&machine, world, "b", "a").unwrap();
    run.compare(cut, &machine);
    let mut ends = 0;
    for again in 0..=power.commands() {
        for disk in power.disks_lost(again, 12) {
            let machine = Machine::with_disk(disk);
            taken_over_by(&machine, "c", "b").unwrap_or_else(|error| panic!("cut {again}: {error}"));
            taken_over_by(&machine, "d", "a").unwrap_or_else(|error| panic!("cut {again}: {error}"));
            run.compare(cut, &machine);
            ends += 1;
        }
    }
    assert!(ends > 50);
}

/// Commits and notes, the last of them notes.
async fn commits_and_notes(machine: &Machine, journal: &HostJournal, book: &mut Book) {
    for cluster in 20..23 {
        book.map(machine, journal, (cluster % 2, cluster), cluster).await;
    }
    book.commit(journal).await;
    // A page that no commit says anything of, and one that the commit did.
    for (at, cluster) in [((7, 1), 23), ((0, 30), 24)] {
        book.map(machine, journal, at, cluster).await;
        journal.note().await.unwrap();
    }
    book.commit(journal).await;
    for (at, cluster) in [((9, 1), 25), ((0, 31), 26), ((7, 2), 27)] {
        book.map(machine, journal, at, cluster).await;
        journal.note().await.unwrap();
    }
}

#[test]
fn what_was_noted_is_there_after_its_host_s_death_and_what_was_committed_after_a_loss_of_power() {
    let run = run(commits_and_notes);
    let cut = run.power.commands();
    let machine = run.machine.without_processes(run.power.lost(cut, |_, _| true));
    taken_over_by(&machine, "b", "a").unwrap();
    assert_eq!(run.ledger.found(&machine).unwrap(), run.ledger);
    assert_ne!(&run.ledger, run.everything());
    // Whichever of the notes a loss of power leaves, and whatever of the data behind them: a note behind a gap is no damage.
    assert!(every_end(&run, 12) > 200);
}

#[test]
fn a_replay_of_notes_that_lost_its_power_at_any_command_is_done_again_by_another() {
    let run = run(commits_and_notes);
    let machine = run.machine.without_processes(run.power.lost(run.power.commands(), |_, _| true));
    let power = Power::new(Rc::clone(&machine.disk));
    let world = machine.process_on(Rc::clone(&power) as Rc<dyn Device>).0;
    // Nothing of the dead host's was flushed before this one came.
    taken_over_in(&machine, world, "b", "a").unwrap();
    let mut noted = 0;
    for again in 0..=power.commands() {
        for disk in power.disks_lost(again, 12) {
            let machine = Machine::with_disk(disk);
            taken_over_by(&machine, "c", "b").unwrap_or_else(|error| panic!("cut {again}: {error}"));
            taken_over_by(&machine, "d", "a").unwrap_or_else(|error| panic!("cut {again}: {error}"));
            let found = run.ledger.found(&machine).unwrap_or_else(|error| panic!("cut {again}: {error}"));
            assert!([&run.ledger, run.everything()].contains(&&found), "cut {again}: {found:?}");
            noted += usize::from(found == run.ledger);
        }
    }
    assert!(noted > 50);
}

#[test]
fn a_note_is_one_write_and_behind_a_swap_of_the_header_it_begins_with_a_flush() {
    run(async |machine, journal, book| {
        book.map(machine, journal, (0, 1), 20).await;
        book.checkpoint(journal).await;
        for (cluster, flushes) in [(21, 1), (22, 0)] {
            book.map(machine, journal, (0, cluster), cluster).await;
            let before = book.power.commands();
            journal.note().await.unwrap();
            let logged = book.power.logged(before);
            let writes = logged.iter().filter(|logged| matches!(logged, Logged::Write { .. })).count();
            let first = matches!(logged.first(), Some(Logged::Flush { .. }));
            assert_eq!((writes, logged.len(), first), (1, 1 + flushes, flushes == 1), "{logged:?}");
            journal.note().await.unwrap();
            assert_eq!(book.power.commands(), before + logged.len(), "there was nothing to note");
        }
    });
}

#[test]
fn a_host_that_comes_back_brings_home_what_its_former_life_committed() {
    let run = run(async |machine, journal, book| {
        book.map(machine, journal, (0, 7), 20).await;
        book.commit(journal).await;
    });
    let cut = run.power.commands();
    let machine = Machine::with_disk(run.power.lost(cut, |_, _| true));
    let _host = join(&machine, machine.process().0, "a");
    run.compare(cut, &machine);
    assert_eq!(run.allowed(cut).len(), 1);
}

/// A group's lock goes to another host, which frees a cluster there, and dies; what it left is home.
fn freed_by_another(machine: &Machine, cluster: u16) {
    let space = ledger::superblock(machine).space();
    let header = PageHeader {
        format_id: company::format_id(machine),
        lba: bitmap_page(machine),
        object: 0,
        level: 0,
        epoch: Epoch(2),
        sequence: JournalSequence(0),
    };
    let mut page = BitmapPage::fresh(header, space.head());
    page.mark(ClusterRun { first: ClusterIndex(cluster), count: 1 }, true);
    let bytes = *page.seal(Epoch(2), JournalSequence(0));
    for (sector, block) in bytes.chunks(512).enumerate() {
        machine.disk.put(Lba(bitmap_page(machine).0 + sector as u64), block);
    }
}

#[test]
fn a_replay_leaves_alone_what_was_given_up_before_and_changed_by_another() {
    for epoch_of_the_dead in [None, Some(3)] {
        let run = run(async |machine, journal, book| {
            book.map(machine, journal, (0, 7), 20).await;
            book.commit(journal).await;
            journal.bring_home(GROUP).await.unwrap();
            assert!(journal.pages().close(GROUP));
            assert!(!journal.pages().close(DISK), "what is not home keeps its lock");
            // The lock is released; another has it in epoch 2, and the first one perhaps once more, in epoch 3.
            give(machine, GROUP, epoch_of_the_dead.map(|_| book.owner), epoch_of_the_dead.unwrap_or(2));
            book.power.note_swapped(lock_of(machine, GROUP));
        });
        let cut = run.power.commands();
        let machine = Machine::with_disk(run.power.lost(cut, |_, _| true));
        freed_by_another(&machine, 99);
        taken_over_by(&machine, "b", "a").unwrap();
        let mut expected = run.everything().clone();
        expected.bits = [(20, false), (99, true)].into();
        let found = expected.found(&machine).unwrap();
        expected.bits.remove(&20);
        assert_eq!(found, expected);
    }
}

#[test]
fn what_was_brought_home_before_a_release_is_there_after_every_loss_of_power() {
    let mut released = 0;
    let run = run(async |machine, journal, book| {
        book.map(machine, journal, (0, 7), 20).await;
        book.commit(journal).await;
        book.map(machine, journal, (0, 8), 21).await;
        let begun = book.power.commands();
        journal.bring_home(GROUP).await.unwrap();
        let kept = book.power.commands();
        book.promises.push(Promise { ledger: book.ledger.clone(), begun, kept });
        give(machine, GROUP, None, 1);
        book.power.note_swapped(lock_of(machine, GROUP));
        released = kept;
    });
    for cut in released..=run.power.commands() {
        for disk in run.power.disks_lost(cut, 12) {
            run.judge(cut, &Machine::with_disk(disk));
        }
    }
}

/// A run of three commits, and host `a` dead on the disk that it left.
fn three_commits() -> (Run, Machine, usize) {
    let run = run(async |machine, journal, book| {
        for cluster in 20..23 {
            book.map(machine, journal, (0, cluster), cluster).await;
            book.commit(journal).await;
        }
    });
    let cut = run.power.commands();
    let machine = Machine::with_disk(run.power.lost(cut, |_, _| true));
    (run, machine, cut)
}

#[test]
fn a_journal_that_rotted_before_its_end_refuses_the_takeover_and_nothing_is_written() {
    let (run, machine, _) = three_commits();
    let ring = machine.layout().journal(run.owner.slot, BlockSize::B512);
    // The first commit has three blocks.
    for block in 0..3 {
        let machine = machine.copy();
        let mut bytes = machine.disk.block(ring.lba(block));
        bytes[300] ^= 1;
        machine.disk.put(ring.lba(block), &bytes);
        let home = ledger::page_bytes(&machine, bitmap_page(&machine));
        let refused = taken_over_by(&machine, "b", "a").unwrap_err();
        assert!(refused.contains("is damaged: a commit at block"), "{refused}");
        assert_eq!(ledger::page_bytes(&machine, bitmap_page(&machine)), home);
        let state = ledger::slot_of(&machine, run.owner.slot).state;
        assert!(matches!(state, SlotState::Replaying { .. }), "{state:?}");
        // And check says the same.
        let report = machine.check();
        let finding = report.findings.iter().find(|finding| finding.code.text() == "CHK-0703").unwrap();
        assert!(refused.contains(&finding.message), "{} and {refused}", finding.message);
    }
}

#[test]
fn a_rotten_header_or_lock_refuses_the_takeover() {
    let (run, machine, _) = three_commits();
    for (lba, words) in
        [(run.header, "the header of the journal"), (lock_of(&machine, GROUP), "the lock of Group")]
    {
        let machine = machine.copy();
        let mut bytes = machine.disk.block(lba);
        bytes[300] ^= 1;
        machine.disk.put(lba, &bytes);
        let refused = taken_over_by(&machine, "b", "a").unwrap_err();
        assert!(refused.contains(words), "{refused}");
    }
}

#[test]
fn a_former_life_with_a_rotten_journal_keeps_its_host_out_of_that_slot_only() {
    let (run, machine, _) = three_commits();
    let ring = machine.layout().journal(run.owner.slot, BlockSize::B512);
    let mut bytes = machine.disk.block(ring.lba(0));
    bytes[300] ^= 1;
    machine.disk.put(ring.lba(0), &bytes);
    let host = join(&machine, machine.process().0, "a");
    assert_ne!(host.status().owner.slot, run.owner.slot);
    let state = ledger::slot_of(&machine, run.owner.slot).state;
    assert!(matches!(state, SlotState::Replaying { .. }), "{state:?}");
}

#[test]
fn a_host_that_leaves_has_brought_everything_home() {
    let machine = prepared();
    let host = join(&machine, machine.process().0, "a");
    let journal = take_both(&machine, &host);
    let mut ledger = Ledger::default();
    beside(&machine, &host, async {
        ledger.map(&machine, journal.pages(), (3, 4), 30);
        // Leaving ends the run: that is judged by what it left.
        let deadline = machine.time.now().plus(Duration::from_secs(5));
        let left = host.leave(deadline);
        futures::pin_mut!(left);
        while journal.pages().changed() > 0 {
            let pause = machine.time.sleep_until(machine.time.now().plus(Duration::from_millis(1)));
            left = match futures::future::select(left, pause).await {
                futures::future::Either::Left(_) => break,
                futures::future::Either::Right(((), left)) => left,
            };
        }
    });
    assert_eq!(ledger.found(&machine).unwrap(), ledger);
}

/// What a host that died after a commit left, its slot's record rotten.
fn with_a_rotten_slot() -> (Run, Machine) {
    let run = run(async |machine, journal, book| {
        book.map(machine, journal, (0, 3), 20).await;
        book.commit(journal).await;
    });
    let machine = Machine::with_disk(run.power.lost(run.power.commands(), |_, _| true));
    let slot = machine.layout().slot(run.owner.slot);
    let mut block = machine.disk.block(slot);
    block[40..200].fill(0xaa);
    machine.disk.put(slot, &block);
    (run, machine)
}

#[test]
fn a_repair_frees_a_damaged_slot_only_once_its_journal_is_home() {
    let (run, machine) = with_a_rotten_slot();
    assert_ne!(&run.everything().found(&machine).unwrap(), run.everything());
    let report = machine.repair();
    assert!(report.findings.iter().any(|finding| finding.repaired.is_some()), "{report:?}");
    // The bit came home as well: no layer leads to that cluster, so that the same repair frees it.
    let home = Ledger { bits: BTreeMap::new(), ..run.everything().clone() };
    assert_eq!(run.everything().found(&machine).unwrap(), home);
    let is_leak = |finding: &Finding| finding.code == Code::BitmapLeaks && finding.repaired.is_some();
    assert!(report.findings.iter().any(is_leak), "{report:?}");
}

#[test]
fn a_repair_leaves_a_damaged_slot_alone_whose_journal_it_cannot_replay() {
    let (run, machine) = with_a_rotten_slot();
    machine.disk.put(run.header, &[0xaa; machine::BLOCK]);
    let slot = machine.layout().slot(run.owner.slot);
    let rotten = machine.disk.block(slot);
    let report = machine.repair();
    assert!(report.findings.iter().any(|finding| finding.refused.is_some()), "{report:?}");
    assert_eq!(machine.disk.block(slot), rotten);
}
