//! A file's identity attribute.
#![no_main]

libfuzzer_sys::fuzz_target!(|value: &[u8]| oarlock_fuzz::texts::check_attribute(value));
