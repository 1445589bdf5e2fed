//! `oarlock doctor --live` on a made-up machine: a folder with a /sys, a /proc and a /dev of its own.
#![allow(clippy::unwrap_used)] // Its functions are called by tests alone.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use crate::common::{Place, Ran, eventually};

/// The places of two paths to one disk, as sysfs lays them out, and of a local disk.
const SDC: &str = "sys/devices/pci0000:00/host3/rport-3:0-0/target3:0:0/3:0:0:1";
const SDD: &str = "sys/devices/pci0000:00/host4/rport-4:0-0/target4:0:0/4:0:0:1";
const SDA: &str = "sys/devices/pci0000:00/ata1/host0/target0:0:0/0:0:0:0";

struct Machine(Place);

impl Machine {
    fn new() -> Machine {
        let machine = Machine(Place::new());
        machine.file("proc/sys/kernel/hostname", "plover\n");
        machine.file("proc/uptime", "1000.50 900.00\n");
        machine.file("proc/diskstats", "   8  32 sdc 1 0 8 1 1 0 8 1 0 2 2\n");
        machine.file("dev/kmsg", "6,1,900000000,-;Linux version 6\n");
        for (name, place, vendor) in [("sda", SDA, "ATA"), ("sdc", SDC, "IBM"), ("sdd", SDD, "IBM")] {
            machine.disk(name, place, vendor);
        }
        machine.file("sys/module/lpfc/version", "0:14.2.0.13\n");
        machine.file("sys/class/fc_host/host3/port_state", "Online\n");
        machine.file("sys/class/fc_host/host3/symbolic_name", "Emulex LPe FV14.0.505.12 DV14.2.0.13\n");
        machine.file("sys/class/fc_host/host3/statistics/invalid_crc_count", "0x0\n");
        machine.file("sys/class/fc_host/host3/statistics/fpin_cn", "0xffffffffffffffff\n");
        machine.file("sys/class/scsi_host/host3/proc_name", "lpfc\n");
        machine.file("sys/class/nvme/nvme0/transport", "pcie\n");
        machine.file("sys/class/nvme/nvme0/state", "live\n");
        machine
    }

    fn disk(&self, name: &str, place: &str, vendor: &str) {
        for (attribute, value) in [
            ("vendor", vendor),
            ("model", "2145"),
            ("rev", "0000"),
            ("queue_depth", "32"),
            ("timeout", "60"),
            ("eh_timeout", "10"),
            ("state", "running"),
        ] {
            self.file(&format!("{place}/{attribute}"), &format!("{value}  \n"));
        }
        self.caw(place, 1);
        fs::create_dir_all(self.0.path(&format!("sys/block/{name}"))).unwrap();
        symlink(self.0.path(place), self.0.path(&format!("sys/block/{name}/device"))).unwrap();
    }

    fn caw(&self, place: &str, blocks: u8) {
        let page = [0, 0xb0, 0, 60, 0, blocks, 0, 0];
        fs::write(self.0.path(&format!("{place}/vpd_pgb0")), page).unwrap();
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.0.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn doctor(&self, more: &[&str]) -> Ran {
        let root = self.0.path("");
        let mut arguments = vec!["doctor", "--live", "--root", root.to_str().unwrap()];
        arguments.extend(more);
        self.0.run(&arguments)
    }
}

#[test]
fn a_healthy_machine_is_listed_and_calls_for_nothing() {
    let machine = Machine::new();
    let began = Instant::now();
    let report = machine.doctor(&["--json"]).succeeds().json();
    assert!(began.elapsed() < Duration::from_secs(30), "every wait ends");
    assert_eq!((&report["incidents"], report.get("suggestions")), (&serde_json::json!([]), None));
    assert_eq!(report["problems"], serde_json::json!([]));
    let parts = report["machine"].as_array().unwrap();
    let part = |name: &str| &parts.iter().find(|part| part["name"] == name).unwrap()["values"];
    assert_eq!((&part("sdc")["hctl"], &part("sdc")["transport"]), (&"3:0:0:1".into(), &"fc".into()));
    assert_eq!((&part("sdc")["queue_depth"], &part("sdc")["timeout_s"]), (&"32".into(), &"60".into()));
    assert_eq!((&part("sdc")["eh_timeout_s"], &part("sdc")["caw_blocks"]), (&"10".into(), &"1".into()));
    assert_eq!((&part("sda")["transport"], &part("sdc")["vpd"]), (&"local".into(), &"b0".into()));
    assert_eq!((&part("host3")["firmware"], part("host3").get("fpin_cn")), (&"14.0.505.12".into(), None));
    assert_eq!((&part("nvme0")["state"], &part("lpfc")["version"]), (&"live".into(), &"0:14.2.0.13".into()));
}

#[test]
fn what_is_wrong_is_named_with_its_remedy_and_its_source() {
    let machine = Machine::new();
    machine.caw(SDC, 0);
    machine.caw(SDA, 0);
    machine.file(&format!("{SDD}/timeout"), "5\n");
    machine.file(&format!("{SDD}/state"), "transport-offline\n");
    machine.file("sys/class/fc_host/host3/statistics/invalid_crc_count", "0x11\n");
    let report = machine.doctor(&["--json"]).succeeds().json();
    let told = report["suggestions"].as_array().unwrap();
    let told: Vec<_> =
        told.iter().map(|one| (one["subject"].as_str().unwrap(), one["cause"].as_str().unwrap())).collect();
    let wanted = [
        ("sdc", "ats-unsupported"),
        ("sdd", "path-fault"),
        ("sdd", "reset-cascade"),
        ("host3", "path-fault"),
    ];
    assert_eq!(told, wanted);
    for one in report["suggestions"].as_array().unwrap() {
        assert!(one["source"].as_str().is_some_and(|source| !source.is_empty()), "{one}");
    }
}

#[test]
fn the_kernel_s_log_is_judged_by_the_same_rules_and_quoted() {
    let machine = Machine::new();
    let sd = |sequence: u32, text: &str| format!("3,{sequence},990000000,-;sd 3:0:0:1: [sdc] tag#3 {text}\n");
    let log = [
        "6,1,980000000,-;lpfc 0000:00:01.0: 0:1305 Link Down Event x2 received\n".to_owned(),
        sd(2, "FAILED Result: hostbyte=DID_TRANSPORT_DISRUPTED driverbyte=DRIVER_OK"),
        sd(3, "CDB: opcode=0x89 89 00 00 00"),
        sd(4, "FAILED Result: hostbyte=DID_OK driverbyte=DRIVER_OK"),
        sd(5, "Sense Key : Miscompare [current]"),
        sd(6, "CDB: opcode=0x89 89 00 00 00"),
    ];
    machine.file("dev/kmsg", &log.concat());
    let report = machine.doctor(&["--json"]).succeeds().json();
    let incident = &report["incidents"][0];
    assert_eq!((&incident["cause"], &incident["hosts"][0]), (&"path-fault".into(), &"plover".into()));
    assert_eq!(
        (&incident["device"], &incident["evidence"][0]["file"]),
        (&"sdc".into(), &"kernel log".into())
    );
    assert!(incident["first"].as_str().unwrap().starts_with("20"), "times are in UTC: {incident}");
}

#[test]
fn what_cannot_be_read_is_told_with_its_why_and_the_rest_is_judged() {
    let machine = Machine::new();
    fs::remove_file(machine.0.path("dev/kmsg")).unwrap();
    fs::remove_file(machine.0.path("proc/diskstats")).unwrap();
    machine.file("sys/block/dm-0/dm/uuid", "mpath-36005\n");
    machine.file("sys/block/dm-0/dm/name", "mpatha\n");
    fs::create_dir_all(machine.0.path("sys/block/dm-0/slaves/sdc")).unwrap();
    let report = machine.doctor(&["--json"]).succeeds().json();
    let problems = report["problems"].as_array().unwrap();
    for part in ["kernel log: ", "load of the disks", "states of the paths: "] {
        let told = problems.iter().any(|problem| problem.as_str().unwrap().starts_with(part));
        assert!(told, "{part}: {problems:?}");
    }
    let parts = report["machine"].as_array().unwrap();
    assert!(parts.iter().any(|part| part["name"] == "mpatha" && part["values"]["paths"] == "1"), "{parts:?}");
}

#[test]
fn every_form_of_the_report_has_the_machine_and_a_shared_one_names_nobody() {
    let machine = Machine::new();
    machine.file(&format!("{SDC}/wwid"), "naa.60050768018000aa0000000000000009\n");
    let plain = machine.doctor(&["--html", "plain.html"]).succeeds().stdout.clone();
    let shared = machine.doctor(&["--html", "shared.html", "--redact"]).succeeds().stdout.clone();
    let page = |name: &str| fs::read_to_string(machine.0.path(name)).unwrap();
    for form in [&plain, &page("plain.html")] {
        assert!(
            form.contains("queue_depth=32") && form.contains("sdc") && form.contains("node/690413"),
            "{form}"
        );
    }
    for form in [&shared, &page("shared.html")] {
        assert!(form.contains("queue_depth=32"), "{form}");
        for name in ["60050768018000", "plover", "3:0:0:1", "sdc", "sdd", "host3"] {
            assert!(!form.contains(name), "{name}: {form}");
        }
    }
}

#[test]
fn this_very_machine_can_be_looked_at_and_nothing_fails() {
    let report = Place::new().run(&["doctor", "--live", "--json"]).succeeds().json();
    assert!(report["files"].as_u64().is_some() && report["problems"].is_array());
}

#[test]
fn a_root_is_for_a_living_machine_alone() {
    Place::new().run(&["doctor", "x.log", "--root", "/"]).fails(2, "OAR-0501");
}

#[test]
fn a_running_host_s_events_are_heard_through_its_api() {
    let place = Place::new();
    place.format();
    let _a = place.up_with("a", &["--fault", "late-reply:op=ats,record=slot,delay=500ms,after=2,count=1"]);
    eventually("the host met its own image", || {
        place.run(&["events", "--json"]).stdout.contains("\"cause\":\"delayed-own-write\"")
    });
    let report = place.run(&["doctor", "--live", "--json"]).succeeds().json();
    let incidents = report["incidents"].as_array().unwrap();
    let own = incidents.iter().find(|incident| incident["cause"] == "delayed-own-write").unwrap();
    let quoted = own["evidence"].as_array().unwrap().iter().any(|line| line["file"] == "events");
    assert!(quoted && own["confidence"] == "certain", "{own}");
}
