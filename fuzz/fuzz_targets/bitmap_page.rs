//! The decoder of the bitmap page, and what changes it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oarlock_fuzz::pages::check_bitmap_page(data));
