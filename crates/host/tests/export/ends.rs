//! How an export ends, holds, breaks, and comes back.

use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use oarlock_block::Clock;
use oarlock_engine::path::Passage;
use oarlock_host::HostError;
use oarlock_host::export::{Door, Export, ExportOptions, Place, Stopped};
use oarlock_nbd::{Command, Errno};

use crate::client::Client;
use crate::world::{MIB, World, export_of, pattern, wait_until};

const LONG: Duration = Duration::from_secs(30);

#[test]
fn a_stopped_export_answers_what_is_under_way_and_removes_its_socket() {
    let mut world = World::empty(8 * MIB);
    let mut client = world.client();
    let data = pattern(1, 1 << 20);
    world.disk.path.hold();
    let write = client.request(Command::WRITE, 0, 1 << 20);
    client.send(&write, &data);
    world.wait_until("a request under way", |status| status.requests == 1);
    let (door, export) = (world.door.take().unwrap(), world.export.take().unwrap());
    drop(door);
    assert!(!world.socket().exists());
    let path = std::sync::Arc::clone(&world.disk.path);
    let stopping = std::thread::spawn(move || export.stop(LONG));
    path.resume();
    assert_eq!(stopping.join().unwrap(), Stopped::Drained);
    assert_eq!(client.answer(&write).unwrap().failed, None);
    assert!(client.is_cut_off(), "the connection is closed");
    // The same disk, exported anew at the same place.
    world.export = Some(export_of(&world.disk, false));
    world.door = Some(Door::open(&Place::Unix(world.socket()), None).unwrap());
    world.door.as_ref().unwrap().offer(world.export()).unwrap();
    assert!(world.client().read(0, 1 << 20).data == data);
}

#[test]
fn what_comes_after_a_stop_gets_no_answer_and_no_error_of_its_disk() {
    let mut world = World::empty(8 * MIB);
    let mut client = world.client();
    world.disk.path.hold();
    let before = client.request(Command::READ, 0, 512);
    client.send(&before, &[]);
    world.wait_until("a request under way", |status| status.requests == 1);
    let (export, path) = (world.export.take().unwrap(), std::sync::Arc::clone(&world.disk.path));
    let stopping = std::thread::spawn(move || export.stop(LONG));
    // One that is read before the stop is heard is answered as any other.
    std::thread::sleep(Duration::from_millis(50));
    let after = client.request(Command::READ, 512, 512);
    client.send(&after, &[]);
    path.resume();
    assert_eq!(client.answer(&before).unwrap().failed, None);
    assert!(client.answer(&after).ok().is_none_or(|answer| answer.failed.is_none()));
    assert_eq!(stopping.join().unwrap(), Stopped::Drained);
    assert!(client.is_cut_off());
}

#[test]
fn a_stop_ends_in_time_although_the_disk_is_held_and_the_requests_end_with_the_disk() {
    let mut world = World::empty(8 * MIB);
    let mut client = world.client();
    assert_eq!(client.write(0, &[1; 512]).failed, None);
    world.disk.path.hold();
    let read = client.request(Command::READ, 0, 512);
    client.send(&read, &[]);
    world.wait_until("a request under way", |status| status.requests == 1);
    let began = Instant::now();
    let stopped = world.export.take().unwrap().stop(Duration::from_millis(100));
    assert_eq!(stopped, Stopped::UnderWay(1));
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(client.answer(&read).is_err(), "its client was cut off");
    world.door = None;
    world.disk.path.die();
    let path = &world.disk.path;
    wait_until("the end of its thread", || std::sync::Arc::strong_count(path) == 1 && path.operations() == 0);
}

#[test]
fn a_dropped_export_cuts_its_clients_off_and_its_thread_ends() {
    let mut world = World::empty(8 * MIB);
    let mut client = world.client();
    world.door = None;
    world.export = None;
    let read = client.request(Command::READ, 0, 512);
    assert!(client.answer(&read).is_err());
    let path = &world.disk.path;
    wait_until("the end of its thread", || std::sync::Arc::strong_count(path) == 1);
}

#[test]
fn a_taken_socket_a_taken_name_and_a_taken_port_are_refused_clearly() {
    let world = World::empty(MIB);
    let again = Door::open(&Place::Unix(world.socket()), None);
    assert!(matches!(again, Err(HostError::SocketTaken { .. })));
    let other = world.folder.path().join("other.sock");
    let _listener = UnixListener::bind(&other).unwrap();
    assert!(matches!(Door::open(&Place::Unix(other), None), Err(HostError::SocketTaken { .. })));
    let taken = world.door.as_ref().unwrap().offer(world.export());
    assert!(matches!(taken, Err(HostError::ExportTaken { .. })));
    let port = Door::open(&"tcp:127.0.0.1:0".parse().unwrap(), None).unwrap();
    assert!(matches!(Door::open(port.place(), None), Err(HostError::Address { .. })));
}

#[test]
fn several_exports_stand_behind_one_door_by_name_and_a_withdrawn_one_is_not_found() {
    let world = World::empty(MIB);
    let door = world.door.as_ref().unwrap();
    let other = World::empty(2 * MIB);
    let second = Export::start(ExportOptions {
        name: "vm/second".to_owned(),
        description: String::new(),
        read_only: false,
        path: std::sync::Arc::clone(&other.disk.path),
        device: other.disk.device.clone(),
        clock: other.disk.clock.clone(),
        hold: LONG,
    })
    .unwrap();
    door.offer(&second).unwrap();
    assert_eq!(door.exports(), 2);
    assert_eq!(world.client().session.size_bytes, MIB);
    assert!(door.withdraw("disk"));
    assert!(Client::dial(&world.socket()).is_err());
    assert!(!door.withdraw("disk"));
}

#[test]
fn a_lost_disk_answers_everything_with_an_error_even_where_its_engine_is_silent() {
    let world = World::empty(8 * MIB);
    let mut client = world.client();
    world.disk.supplier.fall_silent();
    let write = client.request(Command::WRITE, 0, 4096);
    client.send(&write, &[1; 4096]);
    world.wait_until("a request that waits for the engine", |status| status.requests == 1);
    world.disk.path.die();
    assert_eq!(client.answer(&write).unwrap().failed, Some(Errno::EIO));
    assert_eq!(client.read(0, 512).failed, Some(Errno::EIO));
}

#[test]
fn where_an_export_s_thread_breaks_the_disk_is_lost_and_nobody_waits() {
    let world = World::empty(8 * MIB);
    let (mut client, mut idle) = (world.client(), world.client());
    assert_eq!(client.write(0, &[1; 512]).failed, None);
    world.disk.supplier.map().break_it();
    let read = client.request(Command::READ, 0, 512);
    client.send(&read, &[]);
    assert!(client.is_cut_off() && idle.is_cut_off());
    assert_eq!(world.disk.path.passage(world.disk.clock.now()), Passage::Dead);
    assert_eq!(world.status().connections, 0);
    // Who comes later is cut off as well, with its handshake done.
    let late = Client::dial(&world.socket()).map(|mut late| late.is_cut_off());
    assert!(late.is_err() || late == Ok(true));
}

#[test]
fn a_client_that_connects_again_is_not_served_before_what_it_sent_on_the_broken_connection_ended() {
    let world = World::empty(8 * MIB);
    let mut first = world.client();
    first.write(0, &[0; 4096]);
    world.disk.path.hold();
    let old = first.request(Command::WRITE, 0, 4096);
    first.send(&old, &[1; 4096]);
    world.wait_until("the first write", |status| status.requests == 1);
    drop(first);
    let mut second = world.client();
    let new = second.request(Command::WRITE, 0, 4096);
    second.send(&new, &[2; 4096]);
    // A third one shows that the thread saw the second one's request, had it been let in: both wait.
    let mut third = world.client();
    let read = third.request(Command::READ, 0, 4096);
    third.send(&read, &[]);
    let until = Instant::now() + Duration::from_millis(200);
    while Instant::now() < until {
        assert_eq!(world.status().requests, 1, "the broken connection's request is still under way");
    }
    world.disk.path.resume();
    assert_eq!(second.answer(&new).unwrap().failed, None);
    assert_eq!(second.read(0, 4096).data, vec![2; 4096]);
    assert_eq!(third.answer(&read).unwrap().failed, None);
}
