//! Connections that say nothing.

use std::io::Read;
use std::net::TcpStream;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::initiator::{DEADLINE, Flow, cdb};
use crate::place::Place;

/// Descriptors of other tests of this process at the same time.
const OTHERS: u64 = 2000;
/// What the target keeps of connections that have not logged in.
const LOGINS_MAX: usize = 512;

/// As many connections as the descriptors of this process allow, 10,000 at most: each takes one here, and those that the target
/// keeps another.
fn as_many_as_allowed() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let allowed = maximum.unwrap_or(1 << 20).saturating_sub(OTHERS + LOGINS_MAX as u64);
    usize::try_from(allowed).unwrap().min(10_000)
}

#[test]
fn ten_thousand_connections_that_say_nothing_keep_nobody_out_and_are_not_kept() {
    let place = Place::new();
    let count = as_many_as_allowed();
    assert!(count >= 2 * LOGINS_MAX, "{count} connections show nothing");
    let mut session = place.session("one");
    let mut silent = Vec::new();
    for number in 0..count {
        silent.push(TcpStream::connect_timeout(&place.portal(), DEADLINE).unwrap());
        if number % 500 == 0 {
            place.serves();
        }
    }
    session.run(0, cdb::write(0, 1), Flow::Out(&[1; 512])).good();
    place.serves();
    // All but the youngest ones were hung up on.
    for socket in &silent[..count - LOGINS_MAX] {
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        assert_eq!((&mut &*socket).read(&mut [0; 1]).unwrap(), 0);
    }
    drop(silent);
    session.run(0, cdb::read(0, 1), Flow::In(512)).good();
    place.serves();
}
