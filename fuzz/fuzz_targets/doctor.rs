//! The doctor, from bytes to the report, and every form of it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oarlock_fuzz::check_doctor(data));
