//! ext4 on two paths to one unit: files are written and synced while each path is cut and mended, and while the array is killed.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::Place;
use crate::ground::eventually;

/// What docs/OPERATING.md tells users to say of the array, and not to look as rarely as they do.
const MULTIPATH: &str = "defaults {\\n user_friendly_names no\\n find_multipaths no\\n polling_interval 1\\n max_polling_interval 1\\n}\\n\
    devices {\\n device {\\n  vendor OARLOCK\\n  product ARRAY\\n  path_grouping_policy group_by_prio\\n  prio alua\\n  failback immediate\\n\
      no_path_retry queue\\n }\\n}\\n";
/// Each step is over once so many files more were synced.
const STEP: u64 = 10;

/// Writes and syncs files until it is told to stop; says how many there are.
const WRITER: &str = "i=0; while [ ! -e stop ]; do yes \"file $i\" | head -c 20000 >/mnt/$i && sync && i=$((i + 1)) && echo $i >synced; \
                      sleep 0.05; done; echo $i >stopped";
/// Each file is as it was written.
const CHECK: &str = "i=0; while [ -e /mnt/$i ]; do yes \"file $i\" | head -c 20000 | cmp - /mnt/$i || exit 1; i=$((i + 1)); done; echo $i";

pub fn run(place: &mut Place) -> Result<(), String> {
    let shell = &mut place.shell;
    shell.must(&format!("printf '{MULTIPATH}' >/etc/multipath.conf; multipathd"))?;
    shell.until("multipathd show paths format %d:%t:%T:%w; multipath -ll", "dm-2")?;
    shell
        .must("ln -s /dev/$(basename /sys/class/block/$(basename $(readlink /dev/a0))/holders/*) /dev/m0")?;
    paths(place, "active ready running", 2)?;
    place.shell.must("mkfs.ext4 -q -F /dev/m0 && mount -t ext4 /dev/m0 /mnt")?;
    place.shell.must(&format!("({WRITER}) >/dev/null 2>&1 &"))?;
    goes_on(place, "on both paths")?;
    for card in 0..2 {
        place.cable(card, false)?;
        paths(place, "failed faulty", 1)?;
        goes_on(place, "on one path")?;
        place.cable(card, true)?;
        paths(place, "active ready running", 2)?;
    }
    place.array.kill_and_restart()?;
    goes_on(place, "behind an array that was killed and came back")?;
    paths(place, "active ready running", 2)?;
    place.shell.must("touch stop")?;
    place.shell.until("test -e stopped && echo it stopped", "it stopped")?;
    settle(place)
}

/// So many paths of unit 0 are in that state.
fn paths(place: &mut Place, state: &str, count: usize) -> Result<(), String> {
    let (shell, mut said, mut trouble) = (&mut place.shell, String::new(), None);
    let waited = eventually(&format!("{count} paths are {state}"), super::LIMIT, || {
        match shell.must("multipath -ll /dev/m0") {
            Ok(now) => said = now,
            Err(now) => trouble = Some(now),
        }
        trouble.is_some() || said.matches(state).count() == count
    });
    trouble.map_or(waited, Err).map_err(|trouble| format!("{trouble}:\n{said}"))
}

fn goes_on(place: &mut Place, how: &str) -> Result<(), String> {
    let mut synced = || {
        let said = place.shell.run("cat synced").map(|(_, said)| said);
        said.ok().and_then(|said| said.trim().parse::<u64>().ok()).unwrap_or(0)
    };
    let before = synced();
    eventually(&format!("files are written {how}"), super::LIMIT, || synced() >= before + STEP).map_err(
        |trouble| {
            let log = place.shell.run("dmesg | tail -20; multipath -ll").map(|(_, said)| said);
            format!("{trouble}; the machine says:\n{}", log.unwrap_or_default())
        },
    )
}

/// Every file is there, the file system is sound, and what is deleted and trimmed is stored no more.
fn settle(place: &mut Place) -> Result<(), String> {
    let stored = |place: &Place| {
        let file = place.folder.join("thin.img");
        fs::metadata(&file)
            .map(|metadata| metadata.blocks() * 512)
            .map_err(|error| format!("{}: {error}", file.display()))
    };
    let shell = &mut place.shell;
    shell.must("umount /mnt && e2fsck -f -n /dev/m0 && mount -t ext4 /dev/m0 /mnt")?;
    let (wanted, found) = (shell.must("cat stopped")?, shell.must(CHECK)?);
    if wanted.trim() != found.trim() {
        return Err(format!("{} files were synced, and {} are there", wanted.trim(), found.trim()));
    }
    shell.must("dd if=/dev/urandom of=/mnt/big bs=1M count=64 && sync")?;
    let before = stored(place)?;
    place.shell.must("rm /mnt/big && sync && fstrim /mnt")?;
    let after = stored(place)?;
    if after + (48 << 20) > before {
        return Err(format!(
            "64 MiB were deleted and trimmed: {before} bytes were stored before, {after} are now"
        ));
    }
    place.shell.must("umount /mnt && e2fsck -f -n /dev/m0 && multipath -F").map(drop)
}
