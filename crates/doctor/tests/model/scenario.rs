//! One scenario for each cause: what hosts, fabric and array write when it happens.

use super::{Lun, World};

/// A scenario: the cause, and what is written.
pub type Scenario = (&'static str, fn(&mut World));

/// Every cause of the catalogue.
pub const SCENARIOS: [Scenario; 25] = [
    ("contention", contention),
    ("delayed-own-write", delayed_own_write),
    ("slow-storage", slow_storage),
    ("stale-cache", stale_cache),
    ("path-fault", path_fault),
    ("paths-disagree", paths_disagree),
    ("array-fault", array_fault),
    ("rollback", rollback),
    ("corrupt-block", corrupt_block),
    ("foreign-block", foreign_block),
    ("fenced", fenced),
    ("queue-depth", queue_depth),
    ("reset-cascade", reset_cascade),
    ("fabric-congestion", fabric_congestion),
    ("hba-fault", hba_fault),
    ("device-fault", device_fault),
    ("ats-unsupported", ats_unsupported),
    ("reservation", reservation),
    ("array-full", array_full),
    ("array-load", array_load),
    ("snapshot-signature", snapshot_signature),
    ("lock-mode-mixed", lock_mode_mixed),
    ("gateway-fault", gateway_fault),
    ("known-advisory", known_advisory),
    ("cannot-tell", cannot_tell),
];

const ATS: u8 = 0x89;
const FALSE: &str = "0xe 0x1d 0x0";

fn uuid(world: &mut World) -> String {
    let [a, b] = [world.dice.next(), world.dice.next()];
    format!("{:08x}-{:08x}-{:04x}-0050560a{:04x}", a >> 32, a & 0xffff_ffff, b & 0xffff, b >> 48)
}

fn waits(world: &mut World, lun: &Lun) {
    let text = format!("HBX: 2956: '{}': HB at offset {} - Waiting for timed out HB:", lun.volume, lun.slot);
    world.say(0, text);
}

fn reclaims(world: &mut World, lun: &Lun) {
    world.pass(500, 4_000);
    let text =
        format!("HBX: 258: '{}': HB at offset {} - Reclaimed heartbeat [Timeout]:", lun.volume, lun.slot);
    world.murmur(0, text);
}

fn is_false(world: &mut World, lun: &Lun) {
    let plugin = if world.dice.chance(50) { 5 } else { 0 };
    world.failed(0, lun, ATS, (0, 2, plugin), FALSE);
}

/// An ATS that nobody answered.
fn is_late(world: &mut World, lun: &Lun) {
    let host = world.dice.pick(&[5, 5, 5, 3, 8]);
    world.failed(0, lun, ATS, (host, 0, 0), "");
}

fn victims(world: &mut World, lun: &Lun) {
    world.pass(600, 1_200);
    for _ in 0..world.dice.between(4, 25) {
        world.pass(1, 40);
        let opcode = world.dice.pick(&[0x28, 0x2a, 0x88, 0x8a]);
        world.failed(0, lun, opcode, (8, 0, 0), "");
    }
}

fn contention(world: &mut World) {
    let lun = world.lun();
    let owner = uuid(world);
    let kind = world.dice.pick(&["10c00001", "10c00002"]);
    let (offset, version, generation) =
        (world.dice.between(1, 90_000) * 2_048, world.dice.between(1, 900), world.dice.between(1, 90));
    let record = format!(
        "[type {kind} offset {offset} v {version}, hb offset {} gen {generation}, mode 1, owner {owner} mtime {} num 0 gblnum 0 gblgen 0 gblbrk 0]",
        lun.slot,
        world.dice.between(1, 99_999)
    );
    let volume = lun.volume;
    for _ in 0..world.dice.between(1, 4) {
        world.murmur(
            0,
            format!("DLX: 4333: vol '{volume}', lock at {offset}: [Req mode 1] Checking liveness: {record}"),
        );
        world.pass(3_900, 4_200);
        world
            .say(0, format!("DLX: 4849: vol '{volume}', lock at {offset}: [Req mode: 1] Not free: {record}"));
        world.pass(100, 9_000);
    }
}

fn delayed_own_write(world: &mut World) {
    let lun = world.lun();
    is_late(world, &lun);
    world.pass(200, 4_000);
    if world.dice.chance(60) {
        waits(world, &lun);
        world.pass(200, 3_000);
    }
    is_false(world, &lun);
    if world.dice.chance(60) {
        let text = format!(
            "HBX: 276: ATS Miscompare detected between test and set HB images at offset {} on vol '{}'.",
            lun.slot, lun.volume
        );
        world.murmur(0, text);
    }
    reclaims(world, &lun);
}

fn slow_storage(world: &mut World) {
    let lun = world.lun();
    for _ in 0..world.dice.between(1, 4) {
        let (usual, now) = (world.dice.between(300, 9_000), world.dice.between(400_000, 9_000_000));
        let text = format!(
            "WARNING: ScsiDeviceIO: 1513: Device {} performance has deteriorated. I/O latency increased from average value of {usual} microseconds to {now} microseconds.",
            lun.device
        );
        world.say(0, text);
        world.pass(500, 5_000);
    }
    if world.dice.chance(70) {
        is_late(world, &lun);
        world.pass(500, 2_500);
        waits(world, &lun);
        reclaims(world, &lun);
    }
}

fn stale_cache(world: &mut World) {
    if world.dice.chance(50) {
        let lba = world.dice.between(1, 9_000);
        let disk = world.dice.pick(&["sdb", "sdq", "sdaa"]);
        let ask = |file: &str| {
            format!("# sg_compare_and_write --lba={lba} --num=1 --xferlen=1024 --in={file} /dev/{disk}\n")
        };
        let paper = format!(
            "{}COMPARE AND WRITE: Sense key: Miscompare\nsg_compare_and_write failed: Sense key: Miscompare\n# dd if=/dev/{disk} iflag=direct skip={lba} count=1 of=fresh.bin\n{}# echo $?\n0\n",
            ask("old.bin"),
            ask("fresh.bin")
        );
        world.papers.push(paper);
        return;
    }
    let lun = world.lun();
    let owner = uuid(world);
    let image = format!(
        "[HB state abcdef02 offset {} gen {} stampUS {} uuid {owner} jrnl <FB 12> drv 24.82]",
        lun.slot,
        world.dice.between(3, 99),
        world.dice.between(1_000_000, 99_000_000_000)
    );
    for _ in 0..world.dice.between(4, 9) {
        let text = format!(
            "HBX: 276: ATS Miscompare detected between test and set HB images at offset {} on vol '{}'. Test: {image}",
            lun.slot, lun.volume
        );
        world.say(0, text);
        world.pass(2_900, 3_200);
    }
}

fn path_fault(world: &mut World) {
    let lun = world.lun();
    let adapter = lun.adapter;
    let text = match world.dice.between(0, 4) {
        0 => format!(
            "lpfc: lpfc_mbx_cmpl_read_topology:3470: vmhba{adapter} 1305 Link Down Event x2bc received Data: x0 x20 x80"
        ),
        1 => format!(
            "qlnativefc: vmhba{adapter}(3b:0.0): qlnativefcAsyncEvent:1016: LOOP DOWN detected mbx1=2h mbx2=0h mbx3=0h."
        ),
        2 => format!(
            "WARNING: NMP: nmp_PathDetermineFailure:2961: Cmd (0x2a) PDL error - path vmhba{adapter}:C0:T0:L{} no working paths to device {}",
            lun.number, lun.device
        ),
        3 => format!(
            "iscsi_vmk: iscsivmk_StopConnection:741: vmhba{adapter}:CH:0 T:0 CN:0: iSCSI connection is being marked \"OFFLINE\" (Event:4)"
        ),
        _ => format!(
            "nfnic: <1>: INFO: fnic_fdls_link_status_change: 98: fnic{adapter}: FDLS link status change link up:0, usefip:0"
        ),
    };
    world.say(0, text);
    world.pass(100, 2_000);
    let host = world.dice.pick(&[0x1, 0xe, 0xf]);
    let path = format!("vmhba{adapter}:C0:T0:L{}", lun.number);
    world.failed_on((0, &path), &lun, ATS, (host, 0, 0), "");
    world.pass(500, 3_000);
    let other = format!("vmhba{}:C0:T0:L{}", adapter + 1, lun.number);
    world.failed_on((0, &other), &lun, ATS, (0, 2, 5), FALSE);
    waits(world, &lun);
    reclaims(world, &lun);
}

fn paths_disagree(world: &mut World) {
    let lun = world.lun();
    let odd = format!("vmhba{}:C0:T3:L{}", lun.adapter, lun.number);
    let even = format!("vmhba{}:C0:T4:L{}", lun.adapter + 1, lun.number);
    let revised = world.dice.chance(60);
    if revised {
        for (path, revision) in [(&odd, "0141"), (&even, "0152")] {
            let text = format!(
                "ScsiScan: 1105: Path '{path}': Vendor: 'ACME    ' Model: 'RAID-9          ' Rev: '{revision}'"
            );
            world.say(0, text);
        }
    }
    for _ in 0..world.dice.between(5, 9) {
        world.failed_on((0, &odd), &lun, ATS, (0, 2, 5), FALSE);
        world.pass(2_000, 4_000);
        world.failed_on((0, &even), &lun, 0x28, (0, 8, 0), "");
        world.pass(500, 4_000);
    }
}

fn array_fault(world: &mut World) {
    if world.dice.chance(50) {
        let lun = world.lun();
        let path = format!("vmhba65:C0:T0:L{}", lun.number);
        world.failed_on((0, &path), &lun, ATS, (0, 0x100a, 0), "");
        return;
    }
    let order = world.dice.pick(&["first", "second"]);
    let number = world.dice.between(500, 999);
    world.papers.push(format!("[2026-03-03 10:20:30.{number}000] ctrlr.c:4{number}:nvmf_ctrlr_process_io_fused_cmd: *ERROR*: failing {order} of fused commands\n"));
}

fn rollback(world: &mut World) {
    let lun = world.lun();
    let owner = uuid(world);
    if world.dice.chance(50) {
        let offset = world.dice.between(1, 90_000) * 2_048;
        let version = world.dice.between(50, 900);
        let back = version - world.dice.between(2, 40);
        for version in [version, back] {
            let text = format!(
                "DLX: 4333: vol '{}', lock at {offset}: [Req mode 1] Checking liveness: [type 10c00001 offset {offset} v {version}, hb offset {} gen 4, mode 1, owner {owner} mtime 77 num 0 gblnum 0 gblgen 0 gblbrk 0]",
                lun.volume, lun.slot
            );
            world.say(0, text);
            world.pass(9_000, 60_000);
        }
        is_false(world, &lun);
        return;
    }
    let stamp = world.dice.between(900_000_000, 99_000_000_000);
    for stamp in [stamp, stamp - world.dice.between(120_000_000, 800_000_000)] {
        let text = format!(
            "HBX: 2956: '{}': HB at offset {} - Waiting for timed out HB: [HB state abcdef02 offset {} gen 9 stampUS {stamp} uuid {owner} jrnl <FB 1> drv 24.82]",
            lun.volume, lun.slot, lun.slot
        );
        world.say(0, text);
        world.pass(9_000, 60_000);
    }
}

fn corrupt_block(world: &mut World) {
    let lun = world.lun();
    let text = format!(
        "HBX: 2034: Corrupt heartbeat detected at offset {}: [HB state 0 offset 0 gen 0 stampUS 0 uuid 00000000-00000000-0000-000000000000 jrnl <FB 0> drv 0.0]",
        lun.slot
    );
    world.say(0, text);
    world.pass(100, 3_000);
    is_false(world, &lun);
}

fn foreign_block(world: &mut World) {
    let marks = [
        "4c 41 42 45 4c 4f 4e 45  01 00 00 00 00 00 00 00",
        "58 46 53 42 00 00 10 00  00 00 00 00 00 0c 80 00",
        "45 46 49 20 50 41 52 54  00 00 01 00 5c 00 00 00",
    ];
    let mark = world.dice.pick(&marks);
    let second = world.dice.between(0x10, 0x99);
    world.papers.push(format!(
        "01400000  02 ef cd ab 00 00 30 00  00 00 00 00 05 00 00 00  |................|\n\
         01400010  00 00 00 00 {second:02x} 00 00 00  00 00 00 00 00 01 02 03  |................|\n\
         01400020  04 05 06 07 08 09 0a 0b  0c 0d 0e 0f 00 00 00 00  |................|\n\
         *\n\
         01400200  {mark}  |................|\n\
         01400210  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n\
         *\n\
         01400400\n"
    ));
}

fn fenced(world: &mut World) {
    let node = world.dice.between(1, 9);
    let text = match world.dice.between(0, 2) {
        0 => format!("!sanlock[911]: s1 renewal error -202 delta_length 10 last_success 89{node}80"),
        1 => "!corosync[2001]: [TOTEM ] A processor failed, forming new configuration.".to_owned(),
        _ => "!sanlock[911]: s1 check_our_lease warning 69 last_success 89980".to_owned(),
    };
    world.murmur(0, text);
    world.pass(5_000, 50_000);
    let text = match world.dice.between(0, 2) {
        0 => format!(
            "!wdmd[700]: test failed rem 58 now 90080 ping 90070 close 0 renewal 89990 expire 90070 client 900 sanlock_store:{node}"
        ),
        1 => format!(
            "!pacemaker-fenced[88]: notice: Operation 'reboot' [431] targeting node{node} using ipmi{node} returned OK"
        ),
        _ => format!(
            "!pacemaker-schedulerd[89]: warning: Cluster node node{node} will be fenced: peer is no longer part of the cluster"
        ),
    };
    world.say(0, text);
}

fn queue_depth(world: &mut World) {
    let lun = world.lun();
    if world.dice.chance(50) {
        for _ in 0..world.dice.between(12, 30) {
            let opcode = world.dice.pick(&[0x28, 0x2a]);
            world.failed(0, &lun, opcode, (0, 0x28, 0), "");
            world.pass(1_100, 4_000);
        }
        return;
    }
    let columns = [
        "Average Driver MilliSec/Command",
        "Average Kernel MilliSec/Command",
        "Average Queue MilliSec/Command",
        "LUN Queue Depth",
        "Queued Commands",
        "Active Commands",
    ];
    let mut paper = "\"(PDH-CSV 4.0) (UTC)(0)\"".to_owned();
    for column in columns {
        paper.push_str(&format!(",\"\\\\esx9\\Physical Disk SCSI Device({})\\{column}\"", lun.device));
    }
    for row in 0..10 {
        let kernel = world.dice.between(9, 80);
        paper.push_str(&format!(
            "\n\"09/09/2026 09:00:{:02}\",\"1.3\",\"{kernel}.5\",\"{kernel}.1\",\"32\",\"{}\",\"32\"",
            row * 2,
            world.dice.between(4, 99)
        ));
    }
    world.papers.push(paper + "\n");
}

fn reset_cascade(world: &mut World) {
    let lun = world.lun();
    if world.dice.chance(50) {
        world.failed(0, &lun, ATS, (5, 0, 0), "");
    } else {
        is_false(world, &lun);
    }
    if world.dice.chance(50) {
        world.pass(100, 500);
        world.murmur(0, format!("VMK Task: LUN_RESET: device {} initiated by world 2097153", lun.device));
    }
    victims(world, &lun);
}

fn fabric_congestion(world: &mut World) {
    let event = world.dice.pick(&["Congestion Credit Stall", "Congestion Oversubscription"]);
    for _ in 0..world.dice.between(3, 8) {
        let port = world.dice.between(1, 4);
        let count = world.dice.between(1, 300);
        world.say(0, format!("StorageFPIN: 1276: Report FC FPIN {event} event (hostWWPN 210000000000000{port} tgtWWPN 5000000000000001) to vobd. {count} events have occurred since last report."));
        world.pass(5_000, 50_000);
    }
    let lun = world.lun();
    world.failed(0, &lun, ATS, (5, 0, 0), "");
    waits(world, &lun);
    reclaims(world, &lun);
}

fn hba_fault(world: &mut World) {
    let lun = world.lun();
    if world.dice.chance(40) {
        let text = world.dice.pick(&[
            "WARNING: lpfc: lpfc_mbox_timeout_handler:4820: vmhba2 0310 Mailbox command x5 timeout Data: x0 x700 x41",
            "WARNING: qlnativefc: vmhba3(3b:0.1): ISP System Error - mbx1=4ebh mbx2=10h mbx3=0h.",
            "WARNING: lpfc: lpfc_get_xri:2107: no XRI left",
        ]);
        world.say(0, text.to_owned());
        world.pass(500, 3_000);
        is_late(world, &lun);
        return;
    }
    let path = format!("vmhba{}:C0:T0:L{}", lun.adapter, lun.number);
    for _ in 0..world.dice.between(8, 30) {
        let opcode = world.dice.pick(&[0x28, 0x2a]);
        world.failed_on((0, &path), &lun, opcode, (0xb, 0, 0), "");
        world.pass(100, 1_500);
    }
    waits(world, &lun);
}

fn device_fault(world: &mut World) {
    let mut lun = world.lun();
    if world.dice.chance(50) {
        lun.device = format!(
            "t10.ATA_____SSD_MODEL_{}__________{}",
            world.dice.between(1, 9),
            world.dice.next() >> 40
        );
    }
    for _ in 0..world.dice.between(3, 9) {
        let sense = world.dice.pick(&["0x3 0x11 0x0", "0x4 0x44 0x0", "0x3 0xc 0x0"]);
        world.failed(0, &lun, 0x28, (0, 2, 0), sense);
        world.pass(500, 9_000);
    }
    waits(world, &lun);
}

fn ats_unsupported(world: &mut World) {
    let lun = world.lun();
    let sense = world.dice.pick(&["0x5 0x20 0x0", "0x5 0x24 0x0"]);
    for _ in 0..world.dice.between(1, 5) {
        world.failed(0, &lun, ATS, (0, 2, 0), sense);
        world.pass(500, 9_000);
    }
}

fn reservation(world: &mut World) {
    let lun = world.lun();
    for _ in 0..world.dice.between(2, 9) {
        let opcode = world.dice.pick(&[0x28, 0x2a, 0x16]);
        let plugin = world.dice.pick(&[0, 3]);
        world.failed(0, &lun, opcode, (0, 0x18, plugin), "");
        world.pass(500, 9_000);
    }
}

fn array_full(world: &mut World) {
    let lun = world.lun();
    for _ in 0..world.dice.between(2, 9) {
        let opcode = world.dice.pick(&[0x2a, 0x8a, ATS]);
        world.failed(0, &lun, opcode, (0, 2, 0), "0x7 0x27 0x7");
        world.pass(500, 9_000);
    }
}

fn array_load(world: &mut World) {
    let lun = world.lun();
    for _ in 0..world.dice.between(6, 20) {
        world.failed(0, &lun, 0x42, (5, 0, 0), "");
        world.pass(200, 1_500);
    }
    waits(world, &lun);
    reclaims(world, &lun);
}

fn snapshot_signature(world: &mut World) {
    let lun = world.lun();
    let text = if world.dice.chance(50) {
        format!("LVM: 8445: Device {}:1 detected as a snapshot:", lun.device)
    } else {
        format!(
            "LVM: 11136: Device {}:1 may be snapshot: disabling access. See resignaturing section in the guide.",
            lun.device
        )
    };
    world.say(0, text);
}

fn lock_mode_mixed(world: &mut World) {
    let lun = world.lun();
    if world.dice.chance(50) {
        let id = uuid(world);
        for mode in ["ATS", "ATS+SCSI"] {
            world.papers.push(format!(
                "Volume Name  UUID  Type  Locking Mode  ATS Compatible\n-----------  ----  ----  ------------  --------------\n{}  {id}  VMFS-5  {mode}  true\n",
                lun.volume
            ));
        }
        return;
    }
    world.hosts = world.hosts.max(2);
    for _ in 0..world.dice.between(2, 6) {
        world.failed(1, &lun, 0x16, (0, 0x18, 0), "");
        world.pass(500, 3_000);
        world.failed(0, &lun, ATS, (0, 0x18, 0), "");
        world.pass(500, 3_000);
    }
}

fn gateway_fault(world: &mut World) {
    let image = world.dice.between(1, 99);
    let mut paper = String::new();
    for second in 0..world.dice.between(6, 20) {
        let text = if second % 2 == 0 { "Acquired exclusive lock." } else { "Async lock drop. Old state 1" };
        paper.push_str(&format!(
            "2026-01-22 14:18:{second:02}.102 813 [WARN] tcmu_rbd_lock:757 rbd/rbd.disk{image}: {text}\n"
        ));
    }
    world.papers.push(paper);
}

fn known_advisory(world: &mut World) {
    let lun = world.lun();
    let minor = world.dice.between(10, 19);
    world.say(
        0,
        format!("lpfc: lpfc_probe:901: vmhba{} Emulex LPe12002 driver version 10.0.{minor}.1", lun.adapter),
    );
    world.pass(5_000, 60_000);
    world.failed(0, &lun, ATS, (5, 0, 0), "");
}

fn cannot_tell(world: &mut World) {
    let lun = world.lun();
    if world.dice.chance(60) {
        is_false(world, &lun);
        return;
    }
    let id = uuid(world);
    world.say(0, format!("!hostd[2099001]: [Originator@6876 sub=Vimsvc.ha-eventmgr] Event 33 : Lost access to volume {id} ({}) due to connectivity issues. Recovery attempt is in progress", lun.volume));
}
