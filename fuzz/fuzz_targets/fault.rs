//! Faults on the command line.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| oarlock_fuzz::texts::check_fault(text));
