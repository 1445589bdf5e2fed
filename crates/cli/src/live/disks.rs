//! Disks, NVMe controllers and drivers, as sysfs tells them.

use oarlock_doctor::{MachineLine, Part};

use super::{Gathered, View};

/// Drivers whose versions advisories name, or that carry shared disks.
const DRIVERS: [&str; 12] = [
    "lpfc", "qla2xxx", "qla4xxx", "fnic", "nfnic", "bfa", "be2iscsi", "bnx2i", "qedi", "qedf", "mpt3sas",
    "smartpqi",
];
/// VPD pages that say what a disk is and may.
const PAGES: [&str; 5] = ["80", "83", "b0", "b1", "b2"];

/// Every SCSI disk, every NVMe controller, every driver.
pub fn gather(view: View) -> Gathered {
    let mut gathered = Gathered::default();
    let (host, now) = (view.host(), View::now_us());
    let blocks = view.names("sys/block");
    for name in blocks.iter().filter(|name| name.starts_with("sd")) {
        let line = disk(&view, name, MachineLine::new(now, &host, Part::Disk, name), &mut gathered);
        gathered.line(&line);
    }
    for name in view.names("sys/class/nvme") {
        gathered.line(&nvme(&view, &name, MachineLine::new(now, &host, Part::Nvme, &name)));
    }
    if gathered.text.is_empty() {
        gathered.unread("disks", "/sys shows no SCSI disk and no NVMe controller here");
    }
    for name in DRIVERS {
        if let Some(version) = view.value(&format!("sys/module/{name}/version")) {
            gathered.line(&MachineLine::new(now, &host, Part::Driver, name).with("version", version));
        }
    }
    gathered
}

fn disk(view: &View, name: &str, line: MachineLine, gathered: &mut Gathered) -> MachineLine {
    let folder = format!("sys/block/{name}/device");
    let value = |attribute: &str| view.value(&format!("{folder}/{attribute}"));
    let pages = view.names(&folder);
    let has = |page: &&&str| pages.iter().any(|known| known.strip_prefix("vpd_pg") == Some(page));
    let present: Vec<&str> = PAGES.iter().filter(has).copied().collect();
    let line = line
        .with_known("hctl", place(view, &folder).as_deref().and_then(nexus))
        .with("transport", transport(view, name, &folder))
        .with_known("vendor", value("vendor"))
        .with_known("model", value("model"))
        .with_known("revision", value("rev"))
        .with_known("wwid", value("wwid"))
        .with_known("state", value("state"))
        .with_known("queue_depth", value("queue_depth"))
        .with_known("requests", view.value(&format!("sys/block/{name}/queue/nr_requests")))
        .with_known("timeout_s", value("timeout"))
        .with_known("eh_timeout_s", value("eh_timeout"))
        .with_known("errors", view.number(&format!("{folder}/ioerr_cnt")))
        .with_known("timeouts", view.number(&format!("{folder}/iotmo_cnt")))
        .with("vpd", present.join(","));
    if !present.contains(&"b0") {
        return line;
    }
    match view.bytes(&format!("{folder}/vpd_pgb0")) {
        Ok(page) => line.with_known("caw_blocks", compare_and_write_blocks(&page)),
        Err(error) => {
            gathered.unread(format!("VPD page B0h of {name}"), error);
            line
        }
    }
}

/// MAXIMUM COMPARE AND WRITE LENGTH, in blocks (SBC-4, Block Limits VPD page); `None` where the page is another or is cut.
fn compare_and_write_blocks(page: &[u8]) -> Option<u8> {
    (page.get(1) == Some(&0xb0)).then(|| page.get(5).copied())?
}

/// Where a disk hangs in the tree of devices.
fn place(view: &View, folder: &str) -> Option<String> {
    let real = std::fs::canonicalize(view.path(folder)).ok()?;
    Some(real.to_string_lossy().into_owned())
}

/// `2:0:0:1`, the last part of its place.
fn nexus(place: &str) -> Option<&str> {
    place.rsplit('/').next().filter(|last| last.split(':').count() == 4)
}

/// How the disk is reached: a disk that several hosts may share is not `local`.
fn transport(view: &View, name: &str, folder: &str) -> &'static str {
    let place = place(view, folder).unwrap_or_default();
    let through = |start: &str| {
        place.split('/').any(|part| {
            part.strip_prefix(start)
                .is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()))
        })
    };
    if through("rport-") {
        "fc"
    } else if through("session") {
        "iscsi"
    } else if view.names(&format!("sys/block/{name}/holders")).iter().any(|holder| is_multipath(view, holder))
    {
        // Who has several paths to a disk has them to something that others may reach too.
        "multipath"
    } else {
        "local"
    }
}

/// Whether a device of the device mapper is one of multipath.
pub fn is_multipath(view: &View, name: &str) -> bool {
    view.value(&format!("sys/block/{name}/dm/uuid")).is_some_and(|uuid| uuid.starts_with("mpath-"))
}

fn nvme(view: &View, name: &str, line: MachineLine) -> MachineLine {
    let value = |attribute: &str| view.value(&format!("sys/class/nvme/{name}/{attribute}"));
    line.with_known("model", value("model"))
        .with_known("firmware", value("firmware_rev"))
        .with_known("transport", value("transport"))
        .with_known("state", value("state"))
        .with_known("queues", value("queue_count"))
        .with_known("queue_size", value("sqsize"))
        .with_known("keep_alive_s", value("kato"))
        .with_known("loss_s", value("ctrl_loss_tmo"))
        .with_known("fast_fail_s", value("fast_io_fail_tmo"))
}
