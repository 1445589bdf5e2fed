//! A target's login, request by request.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oarlock_fuzz::iscsi::check_login(data));
