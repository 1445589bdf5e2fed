//! The decoder of the descriptor's name.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oarlock_fuzz::records::check::<oarlock_format::DescriptorName>(
    data
));
