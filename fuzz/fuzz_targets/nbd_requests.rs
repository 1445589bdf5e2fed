//! The parser of NBD requests.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oarlock_fuzz::nbd::check_requests(data));
