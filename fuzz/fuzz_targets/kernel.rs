//! Texts of the kernel's and the system's.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| oarlock_fuzz::texts::check_kernel(text));
