//! What sg3_utils and the kernel read of the units.

use super::Place;

/// A command, and what its answer must have.
type Reading = (&'static str, &'static [&'static str]);

const READINGS: &[Reading] = &[
    ("sg_inq /dev/a0", &["version=0x06", "TPGS=2", "3PC=1", "CmdQue=1", "Vendor identification: OARLOCK"]),
    ("sg_vpd --all /dev/a0", &["Device Identification VPD page", "Third party copy", "Relative port=2"]),
    (
        "sg_vpd --page=bl /dev/a0",
        &["Maximum compare and write length: 128 blocks", "Maximum unmap block descriptor count: 256"],
    ),
    ("sg_vpd --page=bl /dev/a1", &["Unmap command not implemented"]),
    ("sg_vpd --page=lbpv /dev/a0", &["Provisioning type: 2 (thin provisioned)", "(LBPU): 1"]),
    ("sg_vpd --page=sv /dev/a1", &["Block limits", "Block device characteristics"]),
    (
        "sg_opcodes /dev/a0",
        &["Compare and write", "Unmap", "Extended copy(LID1)", "Write same(16)", "Orwrite(16)", "Sanitize"],
    ),
    ("sg_opcodes --opcode=0x89 /dev/a0", &["Usage data: 89"]),
    ("sg_opcodes --tmf /dev/a0", &["Abort task", "Logical unit reset"]),
    ("sg_luns /dev/b2", &["3 lun entries"]),
    ("sg_readcap --long /dev/a0", &["Logical block length=512 bytes", "lbpme=1, lbprz=1"]),
    ("sg_readcap --long /dev/a2", &["Logical block length=4096 bytes", "Device size: 134217728 bytes"]),
    ("sg_get_lba_status /dev/a0", &["blocks:     524288  deallocated"]),
    ("sg_rtpg --decode /dev/b0", &["group id : 0x1", "group id : 0x2", "0x00 (active/optimized)"]),
    ("sg_modes --all /dev/a0", &["Caching", "Control", "Informational exceptions"]),
    ("sg_logs --all /dev/a0", &["Logical block provisioning page", "number of read commands"]),
    ("sg_requests /dev/a0", &[]),
    ("sg_turs /dev/b1", &[]),
    ("sg_sync /dev/a0", &[]),
    ("cat /sys/class/block/$(basename $(readlink /dev/a0))/queue/write_cache", &["write back"]),
    ("cat /sys/class/block/$(basename $(readlink /dev/a0))/queue/fua", &["1"]),
    ("cat /sys/class/block/$(basename $(readlink /dev/a0))/queue/discard_max_bytes", &["536870912"]),
    ("cat /sys/class/block/$(basename $(readlink /dev/a2))/queue/logical_block_size", &["4096"]),
];

pub fn read(place: &mut Place) -> Result<(), String> {
    for (command, wanted) in READINGS {
        place.says(command, wanted)?;
    }
    // A unit is one disk by both portals, and no other unit is.
    let mut name =
        |device: &str| place.shell.must(&format!("/lib/udev/scsi_id --whitelisted --device={device}"));
    let (first, second, other) = (name("/dev/a0")?, name("/dev/b0")?, name("/dev/a1")?);
    if first.trim().is_empty() || first != second || first == other {
        return Err(format!("unit 0 is {first} by one portal and {second} by the other, unit 1 is {other}"));
    }
    let discard = "cat /sys/class/block/$(basename $(readlink /dev/a1))/queue/discard_max_bytes";
    match place.shell.must(discard)?.trim() {
        "0" => Ok(()),
        some => Err(format!("the thick unit takes discards of {some} bytes")),
    }
}
