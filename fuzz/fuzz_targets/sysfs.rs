//! What sysfs and /proc say of disks.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| oarlock_fuzz::texts::check_sysfs(text));
