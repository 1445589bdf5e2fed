//! What things cost: the exact list of commands of an uncontended lock, and of a host that does nothing.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{
    Answer, BlockCount, BlockSize, ByteCount, Clock, CommandKind, Lba, Outcome, Recorded, SlotIndex,
};
use oarlock_engine::{CreateRequest, Host, Want, World, create};
use oarlock_format::{GroupNumber, HostName, Label, LockName, Timing, home};

use crate::machine::{Machine, SMALL};

/// Runs `story` while a host lives whose commands are recorded.
fn beside_a_recorded_host<T>(machine: &Machine, story: impl AsyncFnOnce(&Host, &Recorded) -> T) -> T {
    let (world, recorded) = machine.recorded();
    machine.time.run(async {
        let host = join(world).await;
        let (run, story) = (host.run(), story(&host, &recorded));
        futures::pin_mut!(run, story);
        match futures::future::select(story, run).await {
            futures::future::Either::Left((value, _)) => value,
            futures::future::Either::Right((ended, _)) => panic!("the host ended: {ended}"),
        }
    })
}

async fn join(world: World) -> Host {
    Host::join(world, &HostName::new("a").unwrap(), Rc::new(|_| {})).await.unwrap()
}

/// Kind, block, length and outcome of everything that was recorded.
fn taken(recorded: &Recorded) -> Vec<(CommandKind, Lba, BlockCount, Option<Outcome>)> {
    assert_eq!(recorded.missed(), 0);
    let commands = recorded.take().into_iter();
    commands.map(|command| (command.kind, command.lba, command.blocks, command.outcome)).collect()
}

fn swapped(lba: Lba) -> (CommandKind, Lba, BlockCount, Option<Outcome>) {
    (CommandKind::Ats, lba, BlockCount(1), Some(Outcome::Answered(Answer::Swapped)))
}

#[test]
fn an_uncontended_acquire_and_release_are_two_swaps_of_one_block_and_nothing_else() {
    let machine = Machine::new(SMALL);
    let superblock = machine.format();
    let name = LockName::new("nightly").unwrap();
    let position = home(&superblock.stamp.format_id, &name, machine.layout().lock_positions());
    let lock = machine.layout().lock(position);
    for want in [Want::Exclusive, Want::Shared] {
        let pair = beside_a_recorded_host(&machine, async |host, recorded| {
            let pair = async || {
                let deadline = machine.time.now().plus(Duration::from_secs(5));
                host.lock(&name, want, deadline).await.unwrap().release().await;
            };
            // The first finds the record, and puts it where it belongs.
            pair().await;
            taken(recorded);
            pair().await;
            taken(recorded)
        });
        assert_eq!(pair, [swapped(lock), swapped(lock)], "{want:?}");
    }
}

#[test]
fn a_format_writes_its_records_in_large_runs_and_a_group_s_head_with_one_write() {
    let machine = Machine::new(2 << 30);
    let (world, recorded) = machine.recorded();
    let request = CreateRequest {
        label: Label::new("store").unwrap(),
        slots: 4,
        cluster_size: ByteCount(65_536),
        timing: Timing::DEFAULT,
        force: false,
    };
    let told = std::cell::Cell::new((0, 0));
    let progress = |done, total| told.set((done, total));
    let made = machine.time.run(create(&world, &request, &progress)).unwrap().record;
    assert!(made.has_disks());
    let layout = made.layout;
    let writes: Vec<(Lba, u64)> = taken(&recorded)
        .into_iter()
        .filter(|(kind, ..)| *kind == CommandKind::Write)
        .map(|(_, lba, blocks, _)| (lba, blocks.0))
        .collect();
    let groups = (0..4).map(|group| (made.space().record(GroupNumber(group)), 16));
    let header = |slot| layout.journal(SlotIndex(slot), BlockSize::B512).header;
    // 16,384 locks are 8 MiB; directory, descriptors and the first journal's header follow within less than another.
    let locks = (0..8).map(|mebibyte| (Lba(layout.locks.start.0 + mebibyte * 2_048), 2_048));
    let names = header(0).0 + 1 - layout.directory.start.0;
    let expected: Vec<(Lba, u64)> = std::iter::once((layout.scratch.start, layout.scratch.blocks.0))
        .chain([(layout.slots.start, 8)])
        .chain(locks)
        .chain([(layout.directory.start, names)])
        .chain((1..4).map(|slot| (header(slot), 1)))
        .chain(groups)
        .chain([(layout.shadow.start, 1)])
        .collect();
    assert_eq!(writes, expected);
    assert_eq!(told.get().0, told.get().1);
}

#[test]
fn an_idle_host_sends_one_swap_of_its_slot_per_beat_and_nothing_else() {
    let machine = Machine::new(SMALL);
    machine.format();
    let beats = 50;
    let (slot, sent) = beside_a_recorded_host(&machine, async |host, recorded| {
        let beat = Timing::DEFAULT.beat;
        // From the middle between two beats to the middle between two others.
        machine.time.sleep_until(machine.time.now().plus(beat * 3 / 2)).await;
        taken(recorded);
        machine.time.sleep_until(machine.time.now().plus(beat * beats)).await;
        (host.status().owner.slot, taken(recorded))
    });
    let slot = machine.layout().slot(slot);
    assert_eq!(sent, vec![swapped(slot); beats as usize]);
}
