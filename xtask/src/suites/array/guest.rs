//! A guest that boots from a unit of the array over iSCSI and writes files for ever, while the array is killed and comes back, and grows
//! the unit; after its own death and the array's it boots again, and finds every file that it had synced.

use std::fs;

use super::serving::{Array, TARGET};
use crate::built;
use crate::suites::machine::{Guest, Machines};

pub fn run() -> Result<String, String> {
    let machines = Machines::unpacked()?;
    let (program, folder) = (built::program()?, built::folder("guest-of-array")?);
    let disk = folder.join("disk.raw");
    fs::copy(machines.guest()?, &disk).map_err(|error| format!("{}: {error}", disk.display()))?;
    let unit = format!("0={},thin", disk.display());
    let mut array = Array::start(&program, &folder.join("api"), &["--lun", &unit])?;
    let node = format!("driver=iscsi,transport=tcp,portal={},target={TARGET},lun=0", array.portals[0]);
    let guest = Guest::boot(&machines, &folder, &node)?;
    guest.goes_on("from its unit")?;
    array.kill_and_restart()?;
    guest.goes_on("behind an array that was killed and came back")?;
    array.must(&["lun", "resize", "0", "--size", "192M"])?;
    guest.goes_on("on a unit that grew")?;
    let synced = guest.synced();
    drop(guest);
    array.kill_and_restart()?;
    let guest = Guest::boot(&machines, &folder, &node)?;
    guest.goes_on("after its own death and the array's")?;
    let found = guest.found(synced)?;
    drop((guest, array));
    fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(format!(
        "a guest booted from a unit, wrote {synced} files beside two kills of the array, and found {found} after its death"
    ))
}
