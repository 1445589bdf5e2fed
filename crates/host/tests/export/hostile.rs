//! Clients that break the rules, break off, or ask for more than there is: others are served, and nothing is left behind.

use std::io::Write;
use std::time::Instant;

use oarlock_host::export::limits::{CONNECTIONS_MAX, NEGOTIATIONS_MAX, REQUEST_BYTES_MAX};
use oarlock_nbd::{Command, CommandFlags, Cookie, Request};

use crate::client::{Client, connect, is_ended};
use crate::world::{MIB, World, pattern};

fn assert_served(client: &mut Client) {
    let data = pattern(99, 4096);
    assert_eq!(client.write(MIB, &data).failed, None);
    assert!(client.read(MIB, 4096).data == data);
}

fn assert_nothing_left(world: &World, connections: usize) {
    world.wait_until("an export without anything left behind", |status| {
        (status.connections, status.requests, status.bytes) == (connections, 0, 0)
    });
    assert_eq!(world.disk.path.operations(), 0);
}

#[test]
fn rubbish_ends_its_own_connection_and_nobody_else_s() {
    let world = World::empty(8 * MIB);
    let mut polite = world.client();
    for seed in 0..20 {
        let mut stream = connect(&world.socket());
        // The server may have hung up before all of it was written.
        let _ = stream.write_all(&pattern(seed, 3000));
        assert!(is_ended(&mut stream));
        let mut client = world.client();
        let _ = client.stream.write_all(&pattern(seed, 3000));
        assert!(client.is_cut_off());
        assert_served(&mut polite);
    }
    assert_nothing_left(&world, 1);
}

#[test]
fn a_client_that_breaks_off_in_the_middle_leaves_nothing_behind() {
    let world = World::empty(64 * MIB);
    let mut polite = world.client();
    for cut in [1, 27, 28, 29, 5000, (1 << 20) + 27] {
        let mut client = world.client();
        let mut bytes = client.request(Command::WRITE, 0, 1 << 20).encode().to_vec();
        bytes.extend(pattern(1, 1 << 20));
        client.stream.write_all(&bytes[..cut]).unwrap();
        drop(client);
        // One that has all of its requests out, and takes no answer.
        let mut client = world.client();
        for number in 0..32 {
            let request = client.request(Command::READ, number * MIB, 1 << 20);
            client.send(&request, &[]);
        }
        drop(client);
        assert_served(&mut polite);
    }
    assert_nothing_left(&world, 1);
}

#[test]
fn a_write_of_four_gibibytes_ends_its_connection_before_any_memory_is_taken() {
    let world = World::empty(8 * MIB);
    let mut polite = world.client();
    let mut client = world.client();
    let request = Request {
        command: Command::WRITE,
        flags: CommandFlags::NONE,
        cookie: Cookie(1),
        offset: 0,
        length: u32::MAX,
    };
    client.stream.write_all(&request.encode()).unwrap();
    assert!(client.is_cut_off());
    assert_served(&mut polite);
    assert_nothing_left(&world, 1);
}

#[test]
fn a_thousand_clients_that_say_nothing_keep_nobody_out() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    let world = World::empty(8 * MIB);
    let mut polite = world.client();
    let mut silent = Vec::new();
    for _ in 0..1000 {
        silent.push(connect(&world.socket()));
    }
    assert_served(&mut world.client());
    assert_served(&mut polite);
    // Those beyond the bound were closed: the first one at least.
    assert!(silent.len() > NEGOTIATIONS_MAX && is_ended(&mut silent[0]));
    drop(silent);
    assert_nothing_left(&world, 1);
}

#[test]
fn one_connection_too_many_is_refused_in_words_and_the_others_are_served() {
    let world = World::empty(8 * MIB);
    let mut clients: Vec<Client> = (0..CONNECTIONS_MAX).map(|_| world.client()).collect();
    let refused = Client::dial(&world.socket()).err().unwrap();
    assert!(refused.contains("as many connections"), "{refused}");
    clients.iter_mut().for_each(assert_served);
    clients.truncate(1);
    world.wait_until("room again", |status| status.connections == 1);
    assert_served(&mut world.client());
}

#[test]
fn one_who_takes_no_answers_holds_no_more_than_the_bound_and_is_cut_off_when_others_wait() {
    let world = World::empty(64 * MIB);
    let mut polite = world.client();
    for piece in 0..64 {
        polite.write(piece * MIB, &pattern(piece, 1 << 20));
    }
    let mut greedy = world.client();
    for number in 0..200 {
        let request = greedy.request(Command::READ, number % 64 * MIB, 1 << 20);
        greedy.send(&request, &[]);
    }
    world.wait_until("the bound's use", |status| status.bytes + (2 << 20) > REQUEST_BYTES_MAX);
    let began = Instant::now();
    let read = polite.read(0, 32 << 20);
    assert!(read.failed.is_none() && read.data[..1 << 20] == pattern(0, 1 << 20));
    assert!(began.elapsed().as_secs() < 30);
    assert!(world.status().bytes <= REQUEST_BYTES_MAX);
    assert_nothing_left(&world, 1);
}

#[test]
fn more_requests_than_a_connection_may_have_wait_and_are_all_answered() {
    let world = World::empty(8 * MIB);
    let mut client = world.client();
    let requests: Vec<Request> = (0..1000).map(|_| client.request(Command::FLUSH, 0, 0)).collect();
    world.disk.path.hold();
    client.send_together(&requests);
    world.wait_until("as many as may be", |status| status.requests == 128);
    assert_eq!(world.disk.path.operations(), 0, "a lapsed disk begins nothing");
    world.disk.path.resume();
    assert_eq!(client.answer(&requests[999]).unwrap().failed, None);
    world.wait_until("each of them", |status| status.served == 1000);
}
