//! JSON of the API, and the file of events.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oarlock_fuzz::documents::check(data));
