//! open-iscsi finds the array, proves itself and has it proved, and follows what comes, grows and goes.

use super::{PROOFS, Place, TARGET};

pub const INITIATOR: &str = "iqn.2026-11.org.example:guest";

/// What open-iscsi is told of this array, and not to wait as long as on a real network.
fn settings(secret: &str) -> Vec<String> {
    let [(guest, _), (array, array_secret)] = PROOFS;
    let mut lines = Vec::new();
    for kind in ["discovery.sendtargets.auth", "node.session.auth"] {
        lines.push(format!("{kind}.authmethod = CHAP"));
        lines.push(format!("{kind}.username = {guest}"));
        lines.push(format!("{kind}.password = {secret}"));
        lines.push(format!("{kind}.username_in = {array}"));
        lines.push(format!("{kind}.password_in = {array_secret}"));
        lines.push(format!("{kind}.chap_algs = SHA3-256,SHA256,SHA1,MD5"));
    }
    lines.push("node.conn[0].iscsi.HeaderDigest = CRC32C,None".to_owned());
    lines.push("node.conn[0].iscsi.DataDigest = CRC32C,None".to_owned());
    // While the array answers its NOPs the kernel gives a command more time, and more.
    lines.push("node.conn[0].timeo.noop_out_interval = 0".to_owned());
    lines.push("node.conn[0].timeo.noop_out_timeout = 0".to_owned());
    lines.push("node.session.timeo.replacement_timeout = 4".to_owned());
    lines
}

pub fn log_in(place: &mut Place) -> Result<(), String> {
    let shell = &mut place.shell;
    shell.must(&format!("echo InitiatorName={INITIATOR} >/etc/iscsi/initiatorname.iscsi"))?;
    shell.must("cp /etc/iscsi/iscsid.conf /tmp/")?;
    let [(_, secret), _] = PROOFS;
    let find = format!("iscsiadm --mode discovery --type sendtargets --portal {}", place.portals[0]);
    for (line, file) in settings("not the secret")
        .iter()
        .map(|line| (line, "iscsid.conf.wrong"))
        .chain(settings(secret).iter().map(|line| (line, "iscsid.conf.right")))
    {
        shell.must(&format!("[ -e {file} ] || cp iscsid.conf {file}; echo \"{line}\" >>{file}"))?;
    }
    shell.must("cp iscsid.conf.wrong /etc/iscsi/iscsid.conf; iscsid")?;
    // ISCSI_ERR_LOGIN_AUTH_FAILED.
    shell.must_end(&find, 24)?;
    shell.must("cp iscsid.conf.right /etc/iscsi/iscsid.conf")?;
    let found = shell.must(&find)?;
    for (index, portal) in place.portals.iter().enumerate() {
        let line = format!("{portal},{} {TARGET}", index + 1);
        if !found.lines().any(|found| found == line) {
            return Err(format!("discovery does not say \"{line}\", but:\n{found}"));
        }
    }
    shell.must("iscsiadm --mode node --login")?;
    let session = shell.must("iscsiadm --mode session --print 2")?;
    for wanted in ["HeaderDigest: CRC32C", "DataDigest: CRC32C", "iSCSI Session State: LOGGED_IN"] {
        if session.matches(wanted).count() != 2 {
            return Err(format!("two sessions should say \"{wanted}\":\n{session}"));
        }
    }
    link_all(place)
}

/// From now on it asks by NOPs whether the array is there; for that it logs in again.
pub fn log_in_watchful(place: &mut Place) -> Result<(), String> {
    for setting in ["interval", "timeout"] {
        let name = format!("node.conn[0].timeo.noop_out_{setting}");
        place.shell.must(&format!("iscsiadm --mode node --op update --name {name} --value 2"))?;
    }
    place.shell.must("iscsiadm --mode node --logout && iscsiadm --mode node --login; rm /dev/a? /dev/b?")?;
    link_all(place)
}

fn link_all(place: &mut Place) -> Result<(), String> {
    for (portal, name) in ["a", "b"].iter().enumerate() {
        for unit in 0..3 {
            link(place, portal, unit, &format!("/dev/{name}{unit}"))?;
        }
    }
    Ok(())
}

/// A short name for a unit, by that portal.
fn link(place: &mut Place, portal: usize, unit: u32, name: &str) -> Result<(), String> {
    let path = format!("/dev/disk/by-path/ip-{}-iscsi-{TARGET}-lun-{unit}", place.portals[portal]);
    place.shell.until(&format!("udevadm settle --timeout 20; ls {path}; readlink -f {path}"), "/dev/sd")?;
    place.shell.must(&format!("ln -s $(readlink -f {path}) {name}")).map(drop)
}

/// Units come, grow and go while the array serves.
pub fn change(place: &mut Place) -> Result<(), String> {
    let rescan = "iscsiadm --mode session --rescan";
    let size = "cat /sys/class/block/$(basename $(readlink /dev/a1))/size";
    place.array.must(&["lun", "resize", "1", "--size", "320M"])?;
    place.shell.until(&format!("{rescan}; {size}"), &(320 * 2048).to_string())?;
    let unit = format!("7={},size=64M,thin", place.folder.join("new.img").display());
    place.array.must(&["lun", "add", &unit])?;
    place.shell.must(rescan)?;
    link(place, 0, 7, "/dev/a7")?;
    place.says("sg_readcap /dev/a7", &["Device size: 67108864 bytes"])?;
    place.array.must(&["lun", "remove", "7"])?;
    let (status, said) = place.shell.run(
        "sg_turs -v /dev/a7; sg_turs -v /dev/a7; dd if=/dev/a7 of=/dev/null bs=4k count=1 iflag=direct",
    )?;
    match status {
        0 => Err(format!("a unit that was removed is read:\n{said}")),
        _ => Ok(()),
    }
}

pub fn log_out(place: &mut Place) -> Result<(), String> {
    place.shell.must("iscsiadm --mode node --logout")?;
    let left = place.array.must(&["sessions"])?;
    if left.contains(INITIATOR) {
        return Err(format!("both sessions were logged out, and the array has:\n{left}"));
    }
    let complaints = "dmesg | grep -iE \"sense not available|unsupported|bug:|warning:|call trace|stall\"";
    match place.shell.run(complaints)? {
        (1, _) => Ok(()),
        (_, said) => Err(format!("the kernel complains:\n{said}")),
    }
}
