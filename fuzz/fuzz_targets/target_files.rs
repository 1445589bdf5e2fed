//! The files that an array has beside a unit.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oarlock_fuzz::target::check_files(data));
