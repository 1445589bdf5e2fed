//! What the doctor asks people for, it reads: where volumes lie, which id a host has. And what is everyday is no incident, or is named as what it is.

use oarlock_doctor::{Doctor, Report};

fn judge(log: &str) -> Report {
    let mut doctor = Doctor::new();
    doctor.read("-", &mut log.as_bytes(), &mut |_| {});
    doctor.judge()
}

/// The causes with their confidence.
fn said(report: &Report) -> Vec<(&str, &str)> {
    report.incidents.iter().map(|finding| (finding.cause.as_str(), finding.confidence.as_str())).collect()
}

const OUTAGE: &str = "\
2026-11-02T08:15:01.000Z cpu4:66120)WARNING: iscsi_vmk: iscsivmk_StopConnection:741: vmhba65:CH:1 T:3 CN:0: iSCSI connection is being marked \"OFFLINE\" (Event:6)
2026-11-02T08:15:01.400Z cpu9:32950)NMP: nmp_ThrottleLogForDevice:3872: Cmd 0x89 (0x45d1, 33100) to dev \"naa.6c4a8d90e1b2c3d4\" on path \"vmhba65:C1:T3:L2\" Failed: H:0x2 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0. Act:EVAL
2026-11-02T08:15:14.000Z cpu2:33412)HBX: 2961: 'slate 2': HB at offset 3690496 - Waiting for timed out HB:
";

#[test]
fn each_list_that_tells_where_a_volume_lies_ties_it() {
    let extents = "[root@pit-4:~] esxcli storage vmfs extent list\n\
                   Volume Name  VMFS UUID                            Extent Number  Device Name           Partition\n\
                   -----------  -----------------------------------  -------------  --------------------  ---------\n\
                   slate 2      64c1d0a7-77b0c2d4-19fe-0050561a2b3c              0  naa.6c4a8d90e1b2c3d4          3\n";
    let map = "[root@pit-4:~] esxcfg-scsidevs -m\n\
               naa.6c4a8d90e1b2c3d4:3   /vmfs/devices/disks/naa.6c4a8d90e1b2c3d4:3 64c1d0a7-77b0c2d4-19fe-0050561a2b3c  0  slate 2\n";
    let volume = "[root@pit-4:~] vmkfstools -P \"/vmfs/volumes/slate 2\"\nVMFS-6.81 (Raw Major Version: 24) file system spanning 1 partitions.\n\
                  File system label (if any): slate 2\nMode: public\nCapacity 549487374336 (524032 file blocks * 1048576), 2 blocks avail\n\
                  UUID: 64c1d0a7-77b0c2d4-19fe-0050561a2b3c\nPartitions spanned (on \"lvm\"):\n\tnaa.6c4a8d90e1b2c3d4:3\nIs Native Snapshot Capable: NO\n";
    for list in [extents, map, volume] {
        let report = judge(&(list.to_owned() + OUTAGE));
        assert_eq!(said(&report), [("path-fault", "likely")], "{list}");
        assert_eq!(report.incidents[0].volume.as_deref(), Some("slate 2"));
        assert!(judge(list).incidents.is_empty(), "a list alone is no incident");
    }
    let untied = judge(OUTAGE);
    assert_eq!(said(&untied), [("path-fault", "likely")], "the device's own lines prove it");
    assert_eq!(untied.incidents[0].volume, None, "which no line ties");
}

#[test]
fn a_scan_that_meets_a_clustered_disk_is_told_as_that() {
    let scan = |opcode: &str| -> String {
        (1..9)
            .map(|second| {
                format!(
                    "2026-11-02T08:2{second}:10.000Z cpu3:33101)ScsiDeviceIO: 3449: Cmd(0x45d1) {opcode}, CmdSN 0x{second} from world 0 to dev \
                     \"naa.6c4a8d90e1b2c3ff\" failed H:0x0 D:0x18 P:0x0 Invalid sense data: 0x0 0x0 0x0.\n2026-11-02T08:2{second}:10.500Z cpu3:33101)Partition: 450: Failed read for \
                     \"naa.6c4a8d90e1b2c3ff\": SCSI reservation conflict\n"
                )
            })
            .collect()
    };
    let report = judge(&scan("0x28"));
    assert_eq!(said(&report), [("reservation", "likely")]);
    let remedies: String = report.incidents[0].remedy.iter().map(|remedy| remedy.text.as_str()).collect();
    assert!(remedies.contains("perennially-reserved") && remedies.contains("Clear nothing"), "{remedies}");
    assert_eq!(report.incidents[0].events, 16, "each line is one event");
    // Whoever writes there, or has a volume there, is kept from work.
    assert_eq!(said(&judge(&scan("0x2a"))), [("reservation", "certain")]);
    let volume = "naa.6c4a8d90e1b2c3ff:1 /vmfs/devices/disks/naa.6c4a8d90e1b2c3ff:1 64c1d0a7-77b0c2d4-19fe-0050561a2b3c 0 marl\n";
    assert_eq!(said(&judge(&(volume.to_owned() + &scan("0x28")))), [("reservation", "certain")]);
}

#[test]
fn races_that_our_own_hosts_lost_are_everyday() {
    let race = |minute: u32, lock: u32| {
        format!(
            "{{\"time\":\"2026-11-02T09:{minute:02}:00.500Z\",\"kind\":\"miscompare\",\"cause\":\"contention\",\"layer\":\"file-system\",\"lba\":{lock},\"record\":\"lock web-{lock}\",\"path\":\"/dev/sdk\",\"action\":\"lost\"}}\n"
        )
    };
    let several: String = (0..7).map(|lock| race(lock * 5, lock)).collect();
    assert!(judge(&several).incidents.is_empty());
    assert_eq!(said(&judge(&race(3, 9))), [("contention", "certain")], "whoever gives one asks about it");
    let storm: String = (0..40).map(|lock| race(lock / 4, lock)).collect();
    assert_eq!(said(&judge(&storm)), [("contention", "certain")], "one note for all");
}

#[test]
fn what_is_certain_stands_above_what_is_not_decided() {
    let race = "2026-11-02T08:40:02.000Z cpu4:33333)DLX: 4333: vol 'marl': [Req mode: 1] Checking liveness of [type 10c00002 offset 41943040 v 7, hb offset 3686400 gen 5, mode 1, owner 64c1d0bb-77b0c2d4-19fe-0050561a2bff mtime 66 num 0 gblnum 0 gblgen 0 gblbrk 0]\n\
                2026-11-02T08:40:18.000Z cpu4:33333)DLX: 4333: vol 'marl': [Req mode: 1] Not free; Lock [type 10c00002 offset 41943040 v 7, hb offset 3686400 gen 5, mode 1, owner 64c1d0bb-77b0c2d4-19fe-0050561a2bff mtime 66 num 0 gblnum 0 gblgen 0 gblbrk 0]\n";
    let open = "2026-11-02T08:50:18.000Z cpu9:32809)ScsiDeviceIO: 4633: Cmd(0x45d1) 0x89, CmdSN 0x77 from world 32814 to dev \"naa.6c4a8d90e1b2c3d4\" failed H:0x5 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0.\n";
    let report = judge(&(race.to_owned() + open));
    assert_eq!(said(&report), [("contention", "certain"), ("cannot-tell", "possible")]);
}

#[test]
fn a_scratched_disc_a_boot_medium_and_a_counter_at_zero_are_no_incident() {
    let disc: String = (0..6)
        .map(|second| {
            format!(
                "Oct 11 04:00:0{second} kiln kernel: sr 2:0:0:0: [sr1] tag#4 FAILED Result: hostbyte=DID_OK driverbyte=DRIVER_OK cmd_age=3s\n\
                 Oct 11 04:00:0{second} kiln kernel: sr 2:0:0:0: [sr1] tag#4 Sense Key : Medium Error [current]\n\
                 Oct 11 04:00:0{second} kiln kernel: sr 2:0:0:0: [sr1] tag#4 Add. Sense: L-EC uncorrectable error\n\
                 Oct 11 04:00:0{second} kiln kernel: sr 2:0:0:0: [sr1] tag#4 CDB: Read(10) 28 00 00 00 4c 00 00 00 02 00\n\
                 Oct 11 04:00:0{second} kiln kernel: critical medium error, dev sr1, sector 77824 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 0\n"
            )
        })
        .collect();
    assert!(judge(&disc).incidents.is_empty());
    assert!(!judge(&disc.replace("sr1", "sdq")).incidents.is_empty(), "a disk that says so fails");
    let counters = "FcStat:\n   Adapter: vmhba3\n   Credit stall count: 0\n   FPIN Congestion Count: 0\n";
    assert!(judge(counters).incidents.is_empty());
    assert!(!judge("2026-10-11T04:00:00.000Z cpu1:2)StorageFPIN: 1276: Report FC FPIN Congestion Credit Stall event (hostWWPN 1 tgtWWPN 2) to vobd. 5 events have occurred since last report.\n").incidents.is_empty());
    let table = |device: &str| {
        let column = |counter: &str| format!("\"\\\\kiln\\Physical Disk SCSI Device({device})\\{counter}\"");
        let names = ["Commands/sec", "Average Driver MilliSec/Command", "Active Commands", "Queued Commands"]
            .map(column);
        let rows: String = (0..9)
            .map(|row| format!("\"10/11/2026 04:00:0{row}\",\"4.40\",\"71.5\",\"1\",\"0\"\n"))
            .collect();
        format!("\"(PDH-CSV 4.0) (UTC)(0)\",{}\n{rows}", names.join(","))
    };
    assert!(judge(&table("mpx.vmhba33:C0:T0:L0")).incidents.is_empty(), "the stick that a host starts from");
    assert_eq!(said(&judge(&table("naa.6c4a8d90e1b2c3d4"))), [("slow-storage", "likely")]);
}

#[test]
fn what_disks_without_scsi_say_is_told() {
    let taken = "Oct 11 05:10:30 kiln kernel: rbd: rbd7: encountered watch error: -107\nOct 11 05:11:02 kiln kernel: rbd: rbd7: breaking header lock owned by client60221\n";
    let report = judge(taken);
    assert_eq!(said(&report), [("cannot-tell", "possible")]);
    assert!(report.incidents[0].because.contains("Ceph"), "{}", report.incidents[0].because);
    for disk in ["rbd7", "vdc", "nbd3", "xvda"] {
        let report = judge(&format!(
            "Oct 11 05:11:20 kiln kernel: I/O error, dev {disk}, sector 4096 op 0x1:(WRITE) flags 0x800 phys_seg 1 prio class 2\n"
        ));
        assert_eq!(report.incidents[0].device.as_deref(), Some(disk));
    }
}

#[test]
fn a_boot_medium_that_is_gone_is_told_as_that_and_as_no_shared_disk() {
    let report = judge(
        "2026-10-11T04:00:00.000Z esx1 hostd: [esx.problem.visorfs.failure] Bootbank cannot be found at path '/bootbank'\n",
    );
    let explanation = &report.incidents[0].explanation;
    assert!(explanation.contains("the medium that it starts from"), "{explanation}");
    assert_eq!(said(&report), [("device-fault", "possible")]);
}

#[test]
fn a_device_that_is_busy_to_every_write_is_not_called_full() {
    let line = |second: u32, opcode: &str, status: &str| {
        format!(
            "2026-10-11T04:00:0{second}.000Z cpu3:2097)ScsiDeviceIO: 4176: Cmd(0x45b9) {opcode}, CmdSN 0x8{second} from world 20 to dev \"naa.6c4a8d90e1b2c3d4\" failed {status}\n"
        )
    };
    let busy = "H:0x0 D:0x8 P:0x0 Possible sense data: 0x0 0x0 0x0.";
    let log = line(1, "0x2a", busy)
        + &line(2, "0x2a", busy)
        + &line(3, "0x89", "H:0x5 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0.");
    let report = judge(&log);
    let finding = report.incidents.iter().find(|finding| finding.cause == "array-full");
    assert!(
        finding.is_some_and(|finding| finding.explanation.contains("executed none of these writes")),
        "{:?}",
        said(&report)
    );
    assert!(finding.is_some_and(|finding| finding.confidence == "possible"));
    let report = judge(&(log + &line(4, "0x28", busy)));
    assert!(report.incidents.iter().all(|finding| finding.cause != "array-full"), "reads were refused, too");
}
