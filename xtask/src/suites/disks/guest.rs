//! A guest that boots from a disk and writes files for ever, while the disk's host is killed, stopped, restarted and replaced; after its own
//! death and its host's it boots again elsewhere, and finds every file that it had synced. Refused for good, it is paused and goes on later.

use std::thread;
use std::time::Duration;

use super::stack::{DISK, Hosts, LIMIT};
use crate::ground::eventually;
use crate::suites::machine::{Guest, Machines};

/// Longer than the hosts' lease.
const STOP: Duration = Duration::from_millis(3_000);

pub fn run() -> Result<String, String> {
    let machines = Machines::unpacked()?;
    let disk = machines.guest()?;
    let mut hosts = Hosts::with_pool("guest", "1G")?;
    hosts.must(&["disk", "import", &disk.display().to_string(), DISK])?;
    hosts.attach()?;
    println!("guest: it boots");
    let guest = boot(&machines, &hosts)?;
    guest.goes_on("from its disk")?;
    hosts.kill_and_restart()?;
    guest.goes_on("behind a host that was killed and came back")?;
    hosts.stop_for(STOP)?;
    guest.goes_on("behind a host that stood still")?;
    hosts.kill_and_take_over()?;
    guest.goes_on("behind a host that took over")?;
    hosts.leave_and_restart()?;
    guest.goes_on("behind a host that left and came back")?;
    refuse(&mut hosts, &guest)?;
    let synced = guest.synced();
    hosts.kill_with(|| drop(guest))?;
    let guest = boot(&machines, &hosts)?;
    guest.goes_on("after its own death and its host's")?;
    let found = guest.found(synced)?;
    drop(guest);
    hosts.close()?;
    Ok(format!(
        "a guest wrote {synced} files beside a kill, a stop, a takeover and a restart, was paused when it was refused, and found {found} after its death"
    ))
}

/// The disk is taken away from a host that stands still. What the guest asks of it then is refused for good, and QEMU pauses the guest, as
/// it was told to; it goes on where it was, once the disk is back.
fn refuse(hosts: &mut Hosts, guest: &Guest) -> Result<(), String> {
    hosts.have_it_taken_away()?;
    eventually("the guest is paused", LIMIT, || {
        guest.qemu.ask("info status").is_ok_and(|said| said.contains("paused (io-error)"))
    })?;
    hosts.give_it_back()?;
    let reconnected = || {
        guest.qemu.ask("cont").is_ok() && {
            thread::sleep(Duration::from_millis(200));
            guest.qemu.ask("info status").is_ok_and(|said| said.contains("VM status: running"))
        }
    };
    eventually("the guest runs again", LIMIT, reconnected)?;
    guest.goes_on("where it was paused")
}

fn boot(machines: &Machines, hosts: &Hosts) -> Result<Guest, String> {
    let disk = format!(
        "driver=nbd,server.type=unix,server.path={},export={DISK},reconnect-delay=30,open-timeout=60",
        hosts.door()
    );
    Guest::boot(machines, &hosts.ground.folder, &disk)
}
