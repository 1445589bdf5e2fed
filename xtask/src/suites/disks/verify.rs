//! fio writes a disk and reads back what it wrote, while the disk's host is killed, stopped, restarted and replaced by another.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::stack::{Hosts, Shown};
use crate::ground::{Process, succeeds};

const DISK: &str = "128M";
/// What fio writes in a second at most, so that its work lasts through some faults on a quick machine too.
const RATE: &str = "12m";
/// Between one fault and the next.
const PAUSE: Duration = Duration::from_millis(2_500);
/// Longer than the hosts' lease.
const STOP: Duration = Duration::from_millis(3_000);

pub fn run() -> Result<String, String> {
    let mut hosts = Hosts::with_disk("verify", "1G", DISK)?;
    let shown = Shown::of(&hosts)?;
    let mut writer = Process::start(&mut fio(&shown, "--do_verify=1"))?;
    let faults = disturb(&mut hosts, || writer.ended().is_none())?;
    if writer.ended() != Some(true) {
        return Err(format!("fio failed; see {}", hosts.ground.folder.display()));
    }
    // All of it was flushed: another host has every byte.
    hosts.kill_and_take_over()?;
    succeeds(&mut fio(&shown, "--verify_only"))?;
    drop(shown);
    hosts.close()?;
    Ok(format!("{DISK} written twice over and read back right beside {faults}, and again at another host"))
}

/// fio writes each place once a turn, in sizes of all kinds, and knows what it wrote.
fn fio(shown: &Shown, verify: &str) -> Command {
    let mut fio = Command::new("fio");
    fio.args([
        "--name=verify",
        &format!("--filename={}", shown.file),
        &format!("--size={DISK}"),
        "--direct=1",
    ]);
    fio.args(["--ioengine=libaio", "--iodepth=16", "--rw=randwrite", "--bsrange=4k-128k", "--loops=2"]);
    fio.args([&format!("--rate={RATE}"), "--end_fsync=1", "--verify=crc32c", "--verify_fatal=1", verify]);
    fio.args(["--verify_state_save=0", "--output-format=terse"]);
    fio.stdin(Stdio::null()).stdout(Stdio::null());
    fio
}

/// One fault after another for as long as the work lasts, and each at least once; what was done.
pub fn disturb(hosts: &mut Hosts, mut at_work: impl FnMut() -> bool) -> Result<String, String> {
    let mut done = [0_u32; 4];
    while at_work() {
        thread::sleep(PAUSE);
        let turn = done.iter().sum::<u32>() as usize % done.len();
        let began = Instant::now();
        let what = match turn {
            0 => hosts.kill_and_restart().map(|()| "killed, and is back"),
            1 => hosts.stop_for(STOP).map(|()| "stood still"),
            2 => hosts.kill_and_take_over().map(|()| "killed, and the other has its disk"),
            _ => hosts.leave_and_restart().map(|()| "left, and is back"),
        }?;
        println!("a host {what}, in {:.1} s", began.elapsed().as_secs_f64());
        done[turn] += 1;
    }
    let [kills, stops, takeovers, restarts] = done;
    if restarts == 0 {
        return Err(format!("the work was over after {} faults", done.iter().sum::<u32>()));
    }
    Ok(format!("{kills} kills, {stops} stops, {takeovers} takeovers, {restarts} restarts"))
}
