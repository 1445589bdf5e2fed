//! The decoders of SCSI parameter lists and of what targets return.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oarlock_fuzz::scsi::check_parameters(data));
