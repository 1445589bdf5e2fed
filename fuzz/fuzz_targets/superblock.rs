//! The decoder of the superblock record.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oarlock_fuzz::check::<oarlock_format::Superblock>(data));
