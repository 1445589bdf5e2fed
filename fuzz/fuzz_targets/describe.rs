//! `describe`, which shows any block to people.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oarlock_fuzz::check_describe(data));
