//! What becomes of volumes on purpose: a copy that is given an identity of its own is no accident.

use crate::fact::{Fact, Kind, VolumeEvent};
use crate::scene::{gap_us, same_host};

/// From the finding of a copy to its new identity: somebody looks at it, or a program of backup or of a failover test does it at once.
const SOON_US: i64 = 900_000_000;

/// Copies that were found and then given an identity of their own by the same host are what was wanted. The facts stand in the order of time.
pub fn settle(facts: &mut [Fact]) {
    const REACH: usize = 4_096;
    let named: Vec<usize> = facts
        .iter()
        .enumerate()
        .filter(|(_, fact)| fact.kind == Kind::Volume(VolumeEvent::Resignatured))
        .map(|(at, _)| at)
        .collect();
    for at in named {
        let (before, rest) = facts.split_at_mut(at);
        let Some(named) = rest.first() else { continue };
        for fact in before.iter_mut().rev().take(REACH) {
            let soon = gap_us(fact, named).is_none_or(|gap| gap <= SOON_US);
            if !soon {
                break;
            }
            let of_one_log = gap_us(fact, named).is_some() || fact.place.input == named.place.input;
            if fact.kind == Kind::Snapshot && same_host(fact, named) && of_one_log {
                fact.kind = Kind::Volume(VolumeEvent::WantedCopy);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Doctor;

    fn causes(log: &str) -> Vec<String> {
        let mut doctor = Doctor::new();
        doctor.read("log", &mut log.as_bytes(), &mut |_| {});
        doctor.judge().incidents.iter().map(|finding| finding.cause.clone()).collect()
    }

    #[test]
    fn a_copy_that_is_mounted_on_purpose_is_no_incident() {
        let found =
            "2026-06-01T02:10:00.000Z cpu3:209)LVM: 11136: Device naa.60aa01:1 detected to be a snapshot:\n";
        let named =
            "2026-06-01T02:10:02.000Z cpu3:209)LVM: 15234: Snapshot LV resignatured 'snap-1a2b3c4d-gold'\n";
        assert_eq!(causes(found), ["snapshot-signature"]);
        assert_eq!(causes(&format!("{found}{named}")), [""; 0]);
        let older = named.replace(
            "LVM: 15234: Snapshot LV resignatured 'snap-1a2b3c4d-gold'",
            "Vol3: 952: End resignaturing volume label: snap-1a2b3c4d-gold, uuid: 65aa0001-bb000002-3333-0050560a0b0c",
        );
        assert_eq!(causes(&format!("{found}{older}")), [""; 0], "in the words of older releases");
        let next_day = named.replace("06-01", "06-02");
        assert_eq!(causes(&format!("{found}{next_day}")), ["snapshot-signature"], "for a day it was one");
    }

    #[test]
    fn a_label_that_was_given_to_another_device_ties_no_longer() {
        let tie = "2026-05-01T02:00:00.000Z cpu1:2)vobd: [esx.problem.storage.redundancy.lost] Lost path redundancy to storage device naa.60aa0a. Path \
                   vmhba2:C0:T0:L6 is down. Affected datastores: \"gold\".\n";
        let made = "2026-05-20T09:00:00.000Z cpu3:209)Vol3: 1234: Formatted new VMFS-6 volume 'gold' on naa.60aa0b:1\n";
        let full = "2026-06-01T02:20:00.000Z cpu3:209)ScsiDeviceIO: 4176: Cmd(0x45) 0x2a, CmdSN 0x13 from world 20 to dev \"naa.60aa0a\" failed H:0x0 D:0x2 \
                    P:0x0 Valid sense data: 0x7 0x27 0x7.\n";
        let beat = "2026-06-01T02:20:08.000Z cpu3:209)HBX: 2832: Waiting for timed out [HB state abcdef02 offset 3530752 gen 45 stampUS 3298743290 uuid \
                    5a1b2c3d-11111111-2222-333344445555 jrnl <FB 0> drv 24.82 lockImpl 4] on vol 'gold'\n";
        let volume_of_the_full = |log: String| {
            let mut doctor = Doctor::new();
            doctor.read("log", &mut log.as_bytes(), &mut |_| {});
            let report = doctor.judge();
            let full = report.incidents.iter().find(|finding| finding.cause == "array-full");
            full.and_then(|finding| finding.volume.clone())
        };
        assert_eq!(volume_of_the_full(format!("{tie}{full}{beat}")).as_deref(), Some("gold"));
        assert_eq!(volume_of_the_full(format!("{tie}{made}{full}{beat}")), None);
    }
}
