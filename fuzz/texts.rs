//! Texts that people and the kernel give: faults, sizes, times, names, process tables, what stands on a device already.

use oarlock_block::DeviceIdentity;
use oarlock_block::fault_spec::{FAULT_DELAY_MAX, Fault, FaultSpec};
use oarlock_format::{HostName, Label, LockName};

/// The program's own parsers of its command line; the program is no library.
#[path = "../crates/cli/src/values.rs"]
#[allow(dead_code, clippy::all)]
mod values;

/// Names in texts of the kernel are chosen by whoever runs a process.
const FIELD_MAX: usize = 64;

/// A fault that is taken is shown so that it reads back as the same one, within its bounds.
pub fn check_fault(text: &str) {
    let Ok(spec) = text.parse::<FaultSpec>() else { return };
    assert_eq!(spec.to_string().parse::<FaultSpec>().as_ref(), Ok(&spec), "{text:?} is shown as {spec}");
    assert!(spec.every > 0 && spec.count != Some(0));
    if let Fault::Delay(delay) | Fault::LateReply(delay) | Fault::LateExecution(delay) = spec.fault {
        assert!(delay <= FAULT_DELAY_MAX);
    }
    assert!(spec.selector.lba.is_none_or(|(first, end)| first < end));
}

/// Sizes and times: what is taken is what a reader would calculate; nothing wraps round.
pub fn check_values(text: &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number = number.parse::<u64>().ok();
    let of = |units: &[(&str, u64)]| {
        let (_, size) = units.iter().find(|(name, _)| *name == unit)?;
        number?.checked_mul(*size)
    };
    let upper = [("", 1), ("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30), ("T", 1 << 40)];
    let lower = [("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30), ("t", 1 << 40)];
    assert_eq!(values::size(text).ok().map(|size| size.0), of(&upper).or_else(|| of(&lower)), "{text:?}");
    let times = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
    let time = values::time(text).ok().map(|time| time.as_millis());
    assert_eq!(time, of(&times).map(u128::from), "{text:?}");
    if let Ok(block_size) = values::block_size(text) {
        assert_eq!(values::size(text).ok().map(|size| size.0), Some(u64::from(block_size.bytes())));
    }
    if let Ok(cluster) = values::cluster_size(text) {
        assert!(cluster.0.is_power_of_two() && (4096..=1 << 20).contains(&cluster.0));
        assert_eq!(values::size(text), Ok(cluster));
    }
    if let Ok(device) = values::device(text) {
        assert_eq!(device.to_str(), Some(text));
    }
}

/// Names: what is taken stays as it is, fits its field, and cannot be mistaken for a path out of its folder.
pub fn check_names(text: &str) {
    let held = |name: &str, length_max: usize| {
        assert_eq!(name, text);
        assert!(!name.is_empty() && name.len() <= length_max);
        assert!(!name.contains('@') && !name.chars().any(char::is_control));
        assert!(name.split('/').all(|part| !matches!(part, "" | "." | "..")));
    };
    if let Ok(name) = HostName::new(text) {
        held(name.as_str(), HostName::LENGTH_MAX);
        assert!(!text.contains('/'));
    }
    if let Ok(name) = Label::new(text) {
        held(name.as_str(), Label::LENGTH_MAX);
        assert!(!text.contains('/'));
    }
    if let Ok(name) = LockName::new(text) {
        held(name.as_str(), LockName::LENGTH_MAX);
    }
    if let Some(identity) = DeviceIdentity::new(text) {
        assert_eq!(identity.as_str(), text);
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic()) && text.len() <= DeviceIdentity::LENGTH_MAX);
    }
}

/// What a process calls itself moves none of its own facts in /proc/PID/stat; and a group's name none in /etc/group.
pub fn check_kernel(text: &str) {
    let _ = oarlock_device::fuzzing::stat(text);
    let name: String = text.chars().take(FIELD_MAX).collect();
    let stat =
        format!("77 ({name}) R {}\n", (4..=52).map(|field| field.to_string()).collect::<Vec<_>>().join(" "));
    assert_eq!(oarlock_device::fuzzing::stat(&stat), Some((77, 22)), "{name:?}");
    let _ = oarlock_host::fuzzing::group_in(text, "oarlock");
    let with_group = format!("oarlock:x:77:\n{text}");
    assert_eq!(oarlock_host::fuzzing::group_in(&with_group, "oarlock"), Some(77));
}

/// What sysfs and /proc say of a disk: numbers do not wrap round, a node lies in /dev, and two parts of one disk are never
/// one device.
pub fn check_sysfs(text: &str) {
    use oarlock_device::fuzzing;
    let number = text.trim().parse::<u64>().ok();
    assert_eq!(fuzzing::bytes_of_sectors(text), number.and_then(|number| number.checked_mul(512)));
    if let Some((major, minor)) = fuzzing::device_number(text) {
        assert_eq!(fuzzing::device_number(&format!("{major}:{minor}")), Some((major, minor)));
    }
    for uevent in [text.to_owned(), format!("MAJOR=1\nDEVNAME={text}\nDEVTYPE=disk\n")] {
        if let Some(node) = fuzzing::node_of(&uevent) {
            let below = node.strip_prefix("/dev").expect("a node in /dev");
            assert!(
                below.components().all(|part| matches!(part, std::path::Component::Normal(_))),
                "{node:?}"
            );
        }
    }
    let base = number.unwrap_or(text.len() as u64);
    let (whole, part) = (fuzzing::disk_called(text, 0), fuzzing::disk_called(text, base));
    assert!(base == 0 || whole != part, "{whole:?}");
    assert_ne!(part, fuzzing::disk_called(text, base.wrapping_add(1)));
    if let Some(boot_id) = fuzzing::boot_id(text) {
        assert_eq!(fuzzing::boot_id(&format!("{boot_id:032x}")), Some(boot_id));
    }
    // Whatever else is mounted, and whatever its lines say.
    let mounts = format!("22 1 0:6 / /dev rw shared:2 - devtmpfs devtmpfs rw\n{text}");
    assert!(fuzzing::is_devtmpfs(&mounts, (0, 6)));
    let one_line = text.replace('\n', " ");
    assert!(!fuzzing::is_devtmpfs(&format!("22 1 0:7 {one_line}"), (0, 6)));
    let _ = oarlock_host::fuzzing::is_told_virtual(text, text);
    assert!(oarlock_host::fuzzing::is_told_virtual(&format!("flags\t\t: hypervisor\n{text}"), text));
}

/// A file's attribute is Oarlock's only as Oarlock writes it: it becomes a part of the file's identity.
pub fn check_attribute(value: &[u8]) {
    match oarlock_device::fuzzing::own_attribute(value) {
        Ok(text) => {
            assert_eq!(text.as_bytes(), value);
            assert!(value.len() == 32 && text.chars().all(|digit| digit.is_ascii_hexdigit()));
        }
        Err(_) => assert!(value.len() != 32 || !value.iter().all(u8::is_ascii_hexdigit)),
    }
    let digits = value.iter().fold(0_u128, |digits, byte| digits.rotate_left(8) ^ u128::from(*byte));
    let written = format!("{digits:032x}");
    assert_eq!(oarlock_device::fuzzing::own_attribute(written.as_bytes()).ok(), Some(written));
}

/// What is recognised on a device stands on the device.
pub fn check_device(data: &[u8]) {
    let (head, tail) = data.split_at(data.len() / 2);
    for size in [data.len(), tail.len(), 0] {
        if let Some(found) = oarlock_device::recognise(head, tail, size as u64) {
            assert!(found.at < (head.len() as u64).max(size as u64), "{found:?}");
        }
    }
}
