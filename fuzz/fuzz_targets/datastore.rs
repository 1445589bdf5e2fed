//! A whole datastore with damage in it, under `check --repair`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oarlock_fuzz::datastore::check_damaged(data));
