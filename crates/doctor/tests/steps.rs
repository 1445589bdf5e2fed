//! What the first screen tells to do: what fits the kind of disk and of cluster, and nothing that takes something away for a cause that is only possible.

use oarlock_doctor::Doctor;
use oarlock_doctor::report::terminal::Page;

/// What stands under `What to do now`.
fn steps(log: &str) -> String {
    let mut doctor = Doctor::new();
    doctor.read("-", &mut log.as_bytes(), &mut |_| {});
    let page = Page { width: 4000, colours: false }.report(&doctor.judge());
    let now = page.split("What to do now").nth(1).and_then(|rest| rest.split("What not to do").next());
    now.unwrap_or_else(|| panic!("no step: {page}")).to_owned()
}

#[test]
fn for_what_is_only_possible_nobody_replaces_a_part() {
    let one = "2026-06-02T05:00:00.000Z reed vmkwarning: cpu26:4316)WARNING: NMP: nmp_DeviceStartLoop:722:NMP Device \"naa.60b1aa00000000000000000000000001\" is blocked. Not starting I/O from device.\n";
    assert!(!steps(one).contains("Replace"), "{}", steps(one));
    assert!(steps(one).contains("error counters"), "{}", steps(one));
}

#[test]
fn a_disk_in_its_hosts_case_has_no_switch_and_no_array() {
    let local = [
        "Jun  2 05:00:00 reed kernel: nvme nvme2: I/O tag 12 (300c) opcode 0x2 (Read) QID 4 timeout, aborting req_op:READ(0) size:4096\nJun  2 05:00:01 reed kernel: nvme nvme2: I/O tag 12 (300c) opcode 0x2 (Read) QID 4 timeout, reset controller\n",
        "Jun  2 05:00:00 reed kernel: sd 7:0:0:0: [sdm] tag#3 uas_eh_abort_handler 0 uas-tag 4 inflight: CMD\nJun  2 05:00:00 reed kernel: sd 7:0:0:0: [sdm] tag#3 CDB: opcode=0x28 28 00 04 b4 78 18 00 01 00 00\nJun  2 05:00:00 reed kernel: scsi host7: uas_eh_device_reset_handler start\n",
    ];
    for log in local {
        let told = steps(log);
        assert!(
            told.contains("smartctl") && !told.contains("switch") && !told.contains("array"),
            "{log}{told}"
        );
    }
    let far = "Jun  2 05:00:00 reed kernel: mptscsih: ioc0: attempting task abort! (sc=ffff88011c0ffe00)\nJun  2 05:00:00 reed kernel: sd 7:0:4:0: [sdm] CDB: Read(10): 28 00 07 1a 6c 00 00 04 00 00\n";
    assert!(steps(far).contains("switch"), "which way that is, nobody knows");
}

#[test]
fn a_cluster_that_misses_a_member_is_asked_for_its_network() {
    let log = "Jun  2 05:00:07 rook corosync[911]: [TOTEM ] A processor failed, forming new configuration.\n";
    let told = steps(log);
    assert!(told.contains("fenced") && !told.contains("lease"), "{told}");
}

/// Kernels before 2.6.28 print a conflict as a byte of their own number, too: that is no other kind of reservation.
#[test]
fn a_conflict_on_linux_is_asked_for_its_keys_by_whatever_line_it_is_told() {
    let log = "Jun  2 05:00:07 rook kernel: sd 7:0:4:0: reservation conflict\nJun  2 05:00:07 rook kernel: sd 7:0:4:0: SCSI error: return code = 0x00000018\n";
    assert!(!steps(log).contains("clear the reservation"), "{}", steps(log));
}

/// Two hosts of one name end each other's sessions by turns, and the page asked for frames and optics.
#[test]
fn a_connection_that_is_closed_by_turns_is_asked_for_a_second_host_of_that_name() {
    let closed = |times: u32, number: u32| -> String {
        (0..times)
            .map(|turn| {
                format!(
                    "Jun  2 05:00:{:02} reed kernel:  connection4:0: detected conn error ({number})\n",
                    turn * 5
                )
            })
            .collect()
    };
    assert!(steps(&closed(4, 1020)).contains("initiatorname.iscsi"), "{}", steps(&closed(4, 1020)));
    assert!(!steps(&closed(4, 1011)).contains("initiatorname.iscsi"));
    assert!(!steps(&closed(1, 1020)).contains("initiatorname.iscsi"));
}

#[test]
fn a_target_that_was_sent_no_data_is_no_host_with_a_late_test() {
    let log = "Jun  2 05:00:07 reed kernel: Unable to recover from DataOut timeout while in ERL=0, closing iSCSI connection for I_T Nexus iqn.1994-05.com.example:a1,i,0x00023d000001\n";
    assert!(steps(log).contains("send no data") && !steps(log).contains("0x89"), "{}", steps(log));
}
