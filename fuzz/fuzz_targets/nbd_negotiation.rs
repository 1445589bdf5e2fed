//! The server's handshake of the NBD protocol.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oarlock_fuzz::nbd::check_negotiation(data));
