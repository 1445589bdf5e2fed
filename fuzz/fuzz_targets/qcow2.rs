//! The reader of qcow2 images.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oarlock_fuzz::qcow2::check(data));
