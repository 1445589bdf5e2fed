//! An ATS is atomic, whatever happens to commands, replies and hosts.

mod common;

use common::{COUNTER, count_in, counting_world, second};
use oarlock_sim::{FaultKind, FaultPlan};

#[test]
fn hosts_that_count_by_ats_lose_no_update_under_any_ordinary_fault() {
    let (mut swapped, mut repeats, mut unknown) = (0, 0, 0);
    for seed in 0..100 {
        let faults = FaultPlan::draw(seed, FaultKind::ORDINARY);
        let (world, told, swaps) = counting_world(seed, 5, faults);
        world.run_until(second(300));
        let images = swaps.images.borrow();
        let mut stands = vec![0; 512];
        for (before, after) in images.iter() {
            assert_eq!(before[..], stands[..], "seed {seed}: a swap starts from what the last one left");
            assert_eq!(count_in(after), count_in(before) + 1, "seed {seed}");
            stands = after.to_vec();
        }
        let count = count_in(&world.content(COUNTER));
        assert_eq!(count, u64::try_from(images.len()).expect("a count"), "seed {seed}");
        assert!(count >= told.swapped.get(), "seed {seed}: what was answered as swapped happened");
        assert!(
            count <= told.swapped.get() + told.unknown.get(),
            "seed {seed}: and else only what is unknown"
        );
        swapped += told.swapped.get();
        repeats += swaps.repeats.get();
        unknown += told.unknown.get();
    }
    assert!(swapped > 100_000 && repeats > 100 && unknown > 100, "{swapped} {repeats} {unknown}");
}

#[test]
fn a_disk_without_faults_answers_an_uncontended_ats_with_two_events_and_two_polls() {
    use oarlock_block::{Answer, Device};
    use oarlock_sim::{HostSetup, Lane, World, WorldOptions};

    let world = World::seeded(WorldOptions::calm(1));
    let life = world.start_life(world.add_host(HostSetup::MEMBER));
    let device = life.device(Lane::Beat);
    let (answer, _) = world.run_to_end(&life, second(1), async move {
        device.compare_and_write(COUNTER, &[0; 512], &[1; 512]).await.outcome
    });
    assert_eq!(answer, Some(Ok(Answer::Swapped)));
    let statistics = world.statistics();
    assert_eq!((statistics.commands, statistics.executions, statistics.replies), (1, 1, 1));
    assert_eq!((statistics.events, statistics.polls), (2, 2));
}

#[test]
fn a_miscompare_says_where_the_first_difference_is() {
    use oarlock_block::{Answer, Device, Lba, Refusal};
    use oarlock_sim::{HostSetup, Lane, World, WorldOptions};

    let world = World::seeded(WorldOptions::calm(1));
    let life = world.start_life(world.add_host(HostSetup::MEMBER));
    let device = life.device(Lane::Work);
    let mut stands = [7; 512];
    stands[300] = 8;
    world.put_content(COUNTER, &stands);
    let beyond = Lba(device.geometry().blocks.0);
    let (answers, _) = world.run_to_end(&life, second(1), async move {
        let differs = device.compare_and_write(COUNTER, &[7; 512], &[1; 512]).await.outcome;
        (differs, device.compare_and_write(beyond, &[0; 512], &[1; 512]).await.outcome)
    });
    let miscompared = Ok(Answer::Miscompared { first_difference: Some(300) });
    assert_eq!(answers, Some((miscompared, Err(Refusal::OutOfRange))));
    assert_eq!(world.content(COUNTER)[..], stands[..], "nothing was written");
}
