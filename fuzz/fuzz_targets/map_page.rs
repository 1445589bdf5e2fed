//! The decoder of the map page, and what changes it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oarlock_fuzz::pages::check_map_page(data));
