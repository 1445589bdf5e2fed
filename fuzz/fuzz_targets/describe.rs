//! `describe`, which shows any block to people.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oarlock_fuzz::records::check_describe(data));
