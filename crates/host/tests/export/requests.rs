//! What polite clients ask for, and get.

use oarlock_nbd::{Allocation, Command, CommandFlags, Errno, Extent, TransmissionFlags};

use crate::memory::{Beginning, CLUSTER};
use crate::world::{MIB, World, pattern};

const NONE: CommandFlags = CommandFlags::NONE;

#[test]
fn what_is_written_on_one_connection_is_read_on_another() {
    let world = World::empty(8 * MIB);
    let (mut one, mut other) = (world.client(), world.client());
    assert!(one.session.flags.has(TransmissionFlags::CAN_MULTI_CONN));
    for (seed, (offset, length)) in
        [(0, 512), (4096, 4096), (64 << 10, 65_536), (130_560, 3 * 65_536), (MIB, 5 << 20)]
            .into_iter()
            .enumerate()
    {
        let data = pattern(seed as u64, length as usize);
        assert_eq!(one.write(offset, &data).failed, None);
        let read = other.read(offset, length);
        assert_eq!((read.failed, read.hole_bytes), (None, 0));
        assert!(read.data == data, "{length} bytes at {offset}");
    }
    assert_eq!(other.tell(Command::FLUSH, NONE, 0, 0).failed, None);
}

#[test]
fn many_requests_on_one_connection_are_all_answered_with_their_own_data() {
    let world = World::empty(16 * MIB);
    let mut client = world.client();
    let data = pattern(7, 16 << 20);
    for (index, piece) in data.chunks(1 << 20).enumerate() {
        assert_eq!(client.write(index as u64 * MIB, piece).failed, None);
    }
    let requests: Vec<_> = (0..100_u64)
        .map(|number| client.request(Command::READ, number * 37 % 255 * CLUSTER + 512 * (number % 64), 4096))
        .collect();
    requests.iter().for_each(|request| client.send(request, &[]));
    for request in requests.iter().rev() {
        let (start, read) = (request.offset as usize, client.answer(request).unwrap());
        assert!(read.data == data[start..start + 4096], "{request:?}");
    }
    world.wait_until("each request's end", |status| status.requests == 0);
}

#[test]
fn a_place_that_was_never_written_comes_as_a_hole_without_any_memory_for_it() {
    let world = World::empty(64 * MIB);
    let mut client = world.client();
    let read = client.read(0, 32 << 20);
    assert_eq!((read.failed, read.hole_bytes), (None, 32 << 20));
    // A read that must not be cut into pieces gets its zeros as bytes.
    let whole = client.request(Command::READ, 0, 4096);
    let whole = oarlock_nbd::Request { flags: CommandFlags::DF, ..whole };
    let read = client.ask(&whole, &[]);
    assert_eq!((read.hole_bytes, read.data), (0, vec![0; 4096]));
}

#[test]
fn no_read_shows_what_other_requests_left_in_memory() {
    let world = World::empty(16 * MIB);
    let (mut other, mut client) = (world.client(), world.client());
    for length in [512, 4096, 65_536, 1 << 20] {
        let secret = vec![0xEE; length];
        (0..4).for_each(|at| assert_eq!(other.write(at * MIB, &secret).failed, None));
        // A part of a piece is written, and the rest of its cluster never was.
        let start = 8 * MIB + length as u64;
        assert_eq!(client.write(start, &[1; 512]).failed, None);
        let from = start / CLUSTER * CLUSTER;
        let whole = client.request(Command::READ, from, length.max(CLUSTER as usize) as u32);
        let whole = oarlock_nbd::Request { flags: CommandFlags::DF, ..whole };
        let read = client.ask(&whole, &[]);
        assert!(read.failed.is_none() && read.data.iter().all(|byte| *byte <= 1), "{length}");
        assert_eq!(read.data[(start - from) as usize..][..512], [1; 512]);
    }
}

#[test]
fn block_status_tells_data_from_holes_and_kept_places() {
    let world = World::empty(MIB);
    let mut client = world.client();
    client.write(CLUSTER, &pattern(1, 8192));
    client.write(2 * CLUSTER, &pattern(2, CLUSTER as usize));
    client.tell(Command::WRITE_ZEROES, CommandFlags::NO_HOLE, 2 * CLUSTER, CLUSTER as u32);
    let status = client.tell(Command::BLOCK_STATUS, NONE, 0, MIB as u32);
    let hole = Allocation::HOLE | Allocation::ZERO;
    let extent = |length: u64, status| Extent { length: length as u32, status };
    let expected = [
        extent(CLUSTER, hole),
        extent(8192, Allocation::NONE),
        extent(CLUSTER - 8192 + CLUSTER, Allocation::ZERO),
        extent(MIB - 3 * CLUSTER, hole),
    ];
    assert_eq!(status.extents, expected);
}

#[test]
fn trimmed_and_zeroed_places_read_as_zeros_and_trims_give_clusters_back() {
    let world = World::empty(MIB);
    let mut client = world.client();
    client.write(0, &pattern(3, 4 * CLUSTER as usize));
    assert_eq!(world.disk.supplier.map().mapped(), 4);
    assert_eq!(client.tell(Command::TRIM, NONE, 0, CLUSTER as u32).failed, None);
    assert_eq!(client.tell(Command::WRITE_ZEROES, NONE, CLUSTER, CLUSTER as u32).failed, None);
    assert_eq!(world.disk.supplier.map().mapped(), 2);
    let fast = client.tell(Command::WRITE_ZEROES, CommandFlags::FAST_ZERO, 2 * CLUSTER, 512);
    assert_eq!(fast.failed, Some(Errno::ENOTSUP), "a part of a piece is written");
    assert_eq!(client.tell(Command::WRITE_ZEROES, CommandFlags::FUA, 2 * CLUSTER, 512).failed, None);
    let read = client.read(0, 4 * CLUSTER as u32);
    let zeros = 2 * CLUSTER as usize + 512;
    assert!(read.data[..zeros].iter().all(|byte| *byte == 0));
    assert!(read.data[zeros..] == pattern(3, 4 * CLUSTER as usize)[zeros..]);
}

#[test]
fn long_zeroing_in_place_is_done_in_parts_and_in_full() {
    let size = 80 * MIB;
    let world = World::with(size, Beginning::Full, size / CLUSTER, (false, None));
    let mut client = world.client();
    client.write(0, &pattern(4, 65_536));
    client.write(size - 65_536, &pattern(5, 65_536));
    let zeroed = client.tell(Command::WRITE_ZEROES, CommandFlags::NO_HOLE, 512, (size - 1024) as u32);
    assert_eq!(zeroed.failed, None);
    let first = client.read(0, 65_536).data;
    assert!(first[..512] == pattern(4, 512) && first[512..].iter().all(|byte| *byte == 0));
    let last = client.read(size - 65_536, 65_536).data;
    assert!(last[65_024..] == pattern(5, 65_536)[65_024..] && last[..65_024].iter().all(|byte| *byte == 0));
}

#[test]
fn a_read_only_export_says_so_and_refuses_to_write() {
    let world = World::with(MIB, Beginning::Full, MIB / CLUSTER, (true, None));
    let mut client = world.client();
    assert!(client.session.flags.has(TransmissionFlags::READ_ONLY));
    assert_eq!(client.write(0, &[1; 512]).failed, Some(Errno::EPERM));
    assert_eq!(client.tell(Command::TRIM, NONE, 0, 512).failed, Some(Errno::EPERM));
    assert_eq!(client.tell(Command::WRITE_ZEROES, NONE, 0, 512).failed, Some(Errno::EPERM));
    assert_eq!(client.read(0, 512).failed, None);
    assert_eq!(client.tell(Command::FLUSH, NONE, 0, 0).failed, None);
    assert_eq!(client.tell(Command::CACHE, NONE, 0, MIB as u32).failed, None);
}

#[test]
fn a_resized_disk_is_seen_by_the_next_client() {
    let world = World::empty(2 * MIB);
    let mut before = world.client();
    world.disk.path.resize(MIB);
    assert_eq!(before.session.size_bytes, 2 * MIB);
    assert_eq!(world.client().session.size_bytes, MIB);
    assert_eq!(before.read(MIB, 512).failed, Some(Errno::EINVAL), "what is gone cannot be read");
    assert_eq!(before.write(MIB, &[1; 512]).failed, Some(Errno::ENOSPC));
}

#[test]
fn requests_out_of_range_or_off_the_block_fail_alone() {
    let world = World::empty(MIB);
    let mut client = world.client();
    assert_eq!(client.read(MIB, 512).failed, Some(Errno::EINVAL));
    assert_eq!(client.write(MIB - 512, &[1; 1024]).failed, Some(Errno::ENOSPC));
    assert_eq!(client.read(1, 512).failed, Some(Errno::EINVAL));
    assert_eq!(client.read(0, u32::MAX).failed, Some(Errno::EOVERFLOW), "four gibibytes at once");
    assert_eq!(client.tell(Command(77), NONE, 0, 0).failed, Some(Errno::EINVAL));
    assert_eq!(client.read(0, 512).failed, None);
}

#[test]
fn a_full_datastore_is_told_to_the_guest_and_reads_go_on() {
    let world = World::with(4 * MIB, Beginning::Empty, 8, (false, None));
    let mut client = world.client();
    let failed = (0..16).filter_map(|cluster| client.write(cluster * CLUSTER, &[7; 4096]).failed);
    let failed: Vec<Errno> = failed.collect();
    assert_eq!(failed, vec![Errno::ENOSPC; 8]);
    assert_eq!(client.read(0, 4096).data, vec![7; 4096]);
    // What is given back can be used again.
    client.tell(Command::TRIM, NONE, 0, CLUSTER as u32);
    client.tell(Command::FLUSH, NONE, 0, 0);
    assert_eq!(client.write(15 * CLUSTER, &[8; 4096]).failed, None);
}

#[test]
fn a_flush_on_one_connection_makes_the_writes_of_all_others_durable() {
    let world = World::empty(8 * MIB);
    let mut clients: Vec<_> = (0..4).map(|_| world.client()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.write(number as u64 * CLUSTER, &[1; 512]).failed, None);
    }
    let map = world.disk.supplier.map();
    assert_eq!(oarlock_engine::path::DiskMap::durable(map).0, 0);
    assert_eq!(world.client().tell(Command::FLUSH, NONE, 0, 0).failed, None);
    assert_eq!(oarlock_engine::path::DiskMap::durable(map).0, 4);
}

#[test]
fn what_a_disk_grew_by_can_be_used_at_once_by_who_connected_before() {
    let world = World::empty(4 * MIB);
    world.disk.path.resize(MIB);
    let mut before = world.client();
    assert_eq!(before.write(2 * MIB, &[1; 512]).failed, Some(Errno::ENOSPC));
    world.disk.path.resize(4 * MIB);
    assert_eq!(before.session.size_bytes, MIB);
    assert_eq!(before.write(2 * MIB, &[1; 512]).failed, None);
    assert_eq!(before.read(2 * MIB, 512).data, vec![1; 512]);
}

#[test]
fn a_durable_write_is_answered_after_the_map_is_durable() {
    let world = World::empty(MIB);
    let mut client = world.client();
    let write = client.request(Command::WRITE, 0, 512);
    let write = oarlock_nbd::Request { flags: CommandFlags::FUA, ..write };
    assert_eq!(client.ask(&write, &[9; 512]).failed, None);
    let map = world.disk.supplier.map();
    assert_eq!(oarlock_engine::path::DiskMap::durable(map).0, 1);
}
