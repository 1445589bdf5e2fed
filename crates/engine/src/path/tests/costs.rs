//! What each request costs: the exact list of commands on the device.

use super::supplier::Leaf;
use super::world::World;
use crate::path::*;

const KIB: u64 = 1 << 10;
const CLUSTER: u64 = 64 * KIB;
const WRITE: RequestKind = RequestKind::Write { durable: false };
const TRIM: RequestKind = RequestKind::Trim { durable: false };

/// A disk of 64 clusters whose engine hands out clusters in one run from cluster 1 on, all leaves its own.
fn world() -> World {
    let mut world = World::new(1, 64 << 10, 64, 2, PathMode::default());
    world.map.state().leaves.fill(Leaf::Own);
    world.hand(1..=100);
    world
}

fn cost(world: &mut World, kind: RequestKind, offset: u64, length: u64) -> Vec<(Action, u64)> {
    world.submitted.clear();
    world.run(Request { kind, offset, length }).unwrap();
    world.submitted.iter().map(|segment| (segment.action, segment.length)).collect()
}

fn read(from_byte: u64, at: u64) -> Action {
    Action::Read { from_byte, into: Memory::Request(at) }
}

fn write(to_byte: u64, at: u64) -> Action {
    Action::Write { to_byte, from: Memory::Request(at) }
}

fn from_scratch(to_byte: u64) -> Action {
    Action::Write { to_byte, from: Memory::Scratch(0) }
}

fn into_scratch(from_byte: u64) -> Action {
    Action::Read { from_byte, into: Memory::Scratch(0) }
}

#[test]
fn a_first_write_of_a_mebibyte_is_one_command_and_so_is_its_read() {
    let mut world = world();
    assert_eq!(cost(&mut world, WRITE, 0, 1024 * KIB), [(write(CLUSTER, 0), 1024 * KIB)]);
    assert_eq!(world.map.state().publications, 16);
    assert_eq!(cost(&mut world, RequestKind::Read, 0, 1024 * KIB), [(read(CLUSTER, 0), 1024 * KIB)]);
    assert_eq!(cost(&mut world, RequestKind::Read, 100 * KIB, 512), [(read(CLUSTER + 100 * KIB, 0), 512)]);
}

#[test]
fn a_write_where_it_was_written_is_in_place_and_changes_no_entry() {
    let mut world = world();
    cost(&mut world, WRITE, 0, 4 * KIB);
    let before = world.map.state().publications;
    assert_eq!(cost(&mut world, WRITE, 512, 1024), [(write(CLUSTER + 512, 0), 1024)]);
    assert_eq!(world.map.state().publications, before);
}

#[test]
fn a_first_write_of_a_piece_is_one_command_and_of_less_one_more_only_above_an_ancestor() {
    let mut world = world();
    assert_eq!(cost(&mut world, WRITE, 4 * KIB, 4 * KIB), [(write(CLUSTER + 4 * KIB, 0), 4 * KIB)]);
    let piece = CLUSTER + 8 * KIB;
    assert_eq!(cost(&mut world, WRITE, 8 * KIB + 512, 512), [(from_scratch(piece), 4 * KIB)]);
    world.map.state().disown();
    let new = 2 * CLUSTER + 8 * KIB;
    let both = [(into_scratch(piece), 4 * KIB), (from_scratch(new), 4 * KIB)];
    assert_eq!(cost(&mut world, WRITE, 8 * KIB + 1024, 512), both);
}

#[test]
fn a_read_takes_each_piece_from_where_the_entry_says_and_zeros_from_nowhere() {
    let mut world = world();
    cost(&mut world, WRITE, 0, 12 * KIB);
    world.map.state().disown();
    cost(&mut world, WRITE, 4 * KIB, 4 * KIB);
    let three = [
        (read(CLUSTER, 0), 4 * KIB),
        (read(2 * CLUSTER + 4 * KIB, 4 * KIB), 4 * KIB),
        (read(CLUSTER + 8 * KIB, 8 * KIB), 4 * KIB),
    ];
    assert_eq!(cost(&mut world, RequestKind::Read, 0, 64 * KIB), three);
    assert_eq!(cost(&mut world, RequestKind::Read, 16 * KIB, 4 * KIB), []);
}

#[test]
fn a_hundred_snapshots_cost_a_read_nothing() {
    let mut world = world();
    cost(&mut world, WRITE, 0, 4 * KIB);
    for _ in 0..100 {
        world.map.state().disown();
        world.map.state().leaves.fill(Leaf::Own);
    }
    assert_eq!(cost(&mut world, RequestKind::Read, 0, 4 * KIB), [(read(CLUSTER, 0), 4 * KIB)]);
}

#[test]
fn pieces_that_only_the_old_below_has_are_copied_and_nothing_else_is() {
    let mut world = world();
    cost(&mut world, WRITE, 0, 8 * KIB);
    world.map.state().disown();
    cost(&mut world, WRITE, 4 * KIB, 8 * KIB);
    world.map.state().disown();
    // Own: pieces 1 and 2 of cluster 2; below: piece 0 of cluster 1. Written: piece 5.
    let all = [
        (into_scratch(CLUSTER), 4 * KIB),
        (write(3 * CLUSTER + 20 * KIB, 0), 4 * KIB),
        (from_scratch(3 * CLUSTER), 4 * KIB),
    ];
    assert_eq!(cost(&mut world, WRITE, 20 * KIB, 4 * KIB), all);
    world.check_at_rest_contents();
}

#[test]
fn a_trim_of_whole_clusters_touches_only_entries() {
    let mut world = world();
    cost(&mut world, WRITE, 0, 256 * KIB);
    let before = world.map.state().publications;
    assert_eq!(cost(&mut world, TRIM, 0, 256 * KIB), []);
    assert_eq!(world.map.state().publications, before + 4);
    assert_eq!(cost(&mut world, TRIM, 0, 256 * KIB), []);
    assert_eq!(world.map.state().publications, before + 4, "what is empty is not changed again");
    assert_eq!(world.path.waiting_to_be_free(), 4);
}

#[test]
fn only_the_ragged_ends_of_a_zeroing_are_written_and_only_where_something_is_read() {
    let mut world = world();
    cost(&mut world, WRITE, 0, 64 * KIB);
    let zeros = RequestKind::WriteZeroes { durable: false, keep: false, fast: true };
    let head = (Action::WriteZeroes { to_byte: CLUSTER + 512 }, 3_584);
    let tail = (Action::WriteZeroes { to_byte: CLUSTER + 8 * KIB }, 512);
    let mut found = cost(&mut world, zeros, 512, 8 * KIB);
    found.sort_by_key(|(_, length)| std::cmp::Reverse(*length));
    assert_eq!(found, [head, tail]);
    assert_eq!(cost(&mut world, zeros, 100 * KIB + 512, 16 * KIB), []);
}

#[test]
fn a_zeroing_that_keeps_its_place_takes_clusters_and_writes_nothing() {
    let mut world = world();
    let zeros = RequestKind::WriteZeroes { durable: false, keep: true, fast: true };
    assert_eq!(cost(&mut world, zeros, 0, 128 * KIB), []);
    cost(&mut world, RequestKind::BlockStatus, 0, 256 * KIB);
    let kept = Extent { length: 128 * KIB, status: Status::ZeroKept };
    let rest = Extent { length: 128 * KIB, status: Status::Zero };
    assert_eq!(world.clients[0].operation.extents(), [kept, rest]);
    assert_eq!(cost(&mut world, WRITE, 0, 4 * KIB), [(write(CLUSTER, 0), 4 * KIB)], "into the kept cluster");
}

#[test]
fn block_status_tells_here_from_an_ancestor_from_zeros() {
    let mut world = world();
    cost(&mut world, WRITE, 0, 64 * KIB);
    world.map.state().disown();
    cost(&mut world, WRITE, 8 * KIB, 4 * KIB);
    assert_eq!(cost(&mut world, RequestKind::BlockStatus, 4 * KIB, 124 * KIB), []);
    let extent = |length, status| Extent { length: length * KIB, status };
    let expected = [
        extent(4, Status::Ancestor),
        extent(4, Status::Here),
        extent(52, Status::Ancestor),
        extent(64, Status::Zero),
    ];
    assert_eq!(world.clients[0].operation.extents(), expected);
}

#[test]
fn a_flush_commits_where_entries_are_pending_and_else_only_flushes() {
    let mut world = world();
    cost(&mut world, WRITE, 0, 4 * KIB);
    let durable = world.map.state().durable;
    assert_eq!(cost(&mut world, RequestKind::Flush, 0, 0), [], "the commit flushes");
    assert!(world.map.state().durable > durable);
    assert_eq!(cost(&mut world, RequestKind::Flush, 0, 0), [(Action::Flush, 0)]);
    let durable_write = RequestKind::Write { durable: true };
    assert_eq!(cost(&mut world, durable_write, 0, 512), [(write(CLUSTER, 0), 512), (Action::Flush, 0)]);
}
