//! What `format` recognises on a device.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oarlock_fuzz::texts::check_device(data));
