//! The decoder of PDUs.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oarlock_fuzz::iscsi::check_pdus(data));
