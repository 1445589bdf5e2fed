//! Answers of the daemon, as its client reads them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oarlock_fuzz::answers::check(data));
