//! The decoder of the descriptor record.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oarlock_fuzz::records::check::<oarlock_format::DescriptorRecord>(
    data
));
