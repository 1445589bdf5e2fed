//! The decoder of the superblock.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oarlock_fuzz::records::check_superblock(data));
