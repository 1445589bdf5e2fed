//! The reader of a journal's commits, and what it finds in them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oarlock_fuzz::pages::check_journal(data));
