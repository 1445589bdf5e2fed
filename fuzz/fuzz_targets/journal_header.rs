//! The decoder of the journal's header.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oarlock_fuzz::records::check::<oarlock_format::JournalHeader>(
    data
));
