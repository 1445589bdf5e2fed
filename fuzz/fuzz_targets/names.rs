//! Names of hosts, datastores and locks, and how they stand in a path.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    oarlock_fuzz::texts::check_names(text);
    oarlock_fuzz::answers::check_encoded(text);
    if let Ok(name) = oarlock_format::LockName::new(text) {
        oarlock_fuzz::datastore::check_home(&name, text.len() as u32 * 16);
    }
});
