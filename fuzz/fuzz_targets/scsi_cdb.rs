//! The decoder of CDBs.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oarlock_fuzz::scsi::check_cdb(data));
