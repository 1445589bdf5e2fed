//! One line of a log, explained field by field.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oarlock_fuzz::check_explain(data));
