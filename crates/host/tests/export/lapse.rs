//! What clients see of a lease that ends: a hold, and either all goes on or all fails (R7).

use std::time::{Duration, Instant};

use oarlock_block::Clock;
use oarlock_engine::path::Demand;
use oarlock_nbd::{Command, CommandFlags, Errno, Request};

use crate::client::Client;
use crate::world::{MIB, World, wait_until};

/// So long a test looks whether something that must not happen happens.
const A_WHILE: Duration = Duration::from_millis(100);

/// A lease within which a starved test still gets its first requests through.
const SHORT: Duration = Duration::from_secs(5);

fn lease(world: &World, length: Duration) {
    world.disk.path.extend(world.disk.clock.now().plus(length));
}

fn wait_for_lapse(world: &World) {
    wait_until("the lease's end", || world.disk.clock.now() >= world.disk.path.lease_end());
}

fn assert_nothing_comes(client: &mut Client, request: &Request) {
    client.stream.set_read_timeout(Some(A_WHILE)).unwrap();
    assert!(client.answer(request).is_err(), "nothing is given out");
    client.stream.set_read_timeout(Some(crate::client::ANSWER_LIMIT)).unwrap();
}

#[test]
fn an_export_without_a_lease_yet_holds_what_it_is_asked_until_there_is_one() {
    let world = World::without_lease(8 * MIB, Duration::ZERO);
    let mut client = world.client();
    let write = client.request(Command::WRITE, 0, 4096);
    client.send(&write, &[5; 4096]);
    world.wait_until("a request that is held", |status| status.requests == 1);
    // Longer than a tick: no hold time runs for who never had a lease.
    client.stream.set_read_timeout(Some(Duration::from_millis(1500))).unwrap();
    assert!(client.answer(&write).is_err());
    lease(&world, Duration::from_secs(60));
    assert_eq!(client.answer(&write).unwrap().failed, None);
}

#[test]
fn at_the_lease_s_end_requests_are_held_and_a_confirmed_beat_lets_them_go_on() {
    let world = World::without_lease(8 * MIB, Duration::from_secs(60));
    lease(&world, SHORT);
    let mut client = world.client();
    assert_eq!(client.write(0, &[5; 4096]).failed, None);
    wait_for_lapse(&world);
    let write = client.request(Command::WRITE, 4096, 4096);
    client.send(&write, &[6; 4096]);
    let read = client.request(Command::READ, 0, 4096);
    client.send(&read, &[]);
    let flush = client.request(Command::FLUSH, 0, 0);
    client.send(&flush, &[]);
    world.wait_until("requests that are held", |status| status.requests == 3);
    assert_nothing_comes(&mut client, &read);
    lease(&world, Duration::from_secs(60));
    assert_eq!(client.answer(&read).unwrap().data, vec![5; 4096]);
    assert_eq!(client.answer(&write).unwrap().failed, None);
    assert_eq!(client.answer(&flush).unwrap().failed, None);
    assert_eq!(client.read(4096, 4096).data, vec![6; 4096]);
}

#[test]
fn what_ends_after_the_lease_is_not_given_out_before_the_next_beat() {
    let world = World::without_lease(8 * MIB, Duration::from_secs(60));
    lease(&world, SHORT);
    let mut client = world.client();
    assert_eq!(client.write(0, &[1; 4096]).failed, None);
    // Its data lands, and its commit is under way when the lease ends.
    world.disk.supplier.fall_silent();
    let durable = client.request(Command::WRITE, 0, 4096);
    let durable = Request { flags: CommandFlags::FUA, ..durable };
    client.send(&durable, &[2; 4096]);
    let supplier = &world.disk.supplier;
    let is_asked = || supplier.unanswered().iter().any(|(_, demand)| *demand == Demand::Commit);
    wait_until("a commit that is asked for", is_asked);
    wait_for_lapse(&world);
    supplier.speak();
    assert_nothing_comes(&mut client, &durable);
    lease(&world, Duration::from_secs(60));
    assert_eq!(client.answer(&durable).unwrap().failed, None);
}

#[test]
fn when_the_hold_time_is_over_everything_fails_for_good() {
    let hold = Duration::from_secs(1);
    let world = World::without_lease(8 * MIB, hold);
    lease(&world, SHORT);
    let lease_end = world.disk.path.lease_end();
    let mut client = world.client();
    assert_eq!(client.write(0, &[5; 4096]).failed, None);
    wait_for_lapse(&world);
    let began = Instant::now();
    let read = client.request(Command::READ, 0, 4096);
    client.send(&read, &[]);
    let write = client.request(Command::WRITE, 0, 4096);
    client.send(&write, &[6; 4096]);
    assert_eq!(client.answer(&read).unwrap().failed, Some(Errno::EIO));
    assert_eq!(client.answer(&write).unwrap().failed, Some(Errno::EIO));
    assert!(world.disk.clock.now() >= lease_end.plus(hold), "it was held until then");
    assert!(began.elapsed() < Duration::from_secs(20), "and not much longer: {:?}", began.elapsed());
    lease(&world, Duration::from_secs(60));
    assert_eq!(client.read(0, 512).failed, Some(Errno::EIO), "a beat that comes too late helps nobody");
    assert_eq!(world.client().tell(Command::FLUSH, CommandFlags::NONE, 0, 0).failed, Some(Errno::EIO));
}
