//! What an array keeps beside a unit's medium: FILE.reservations and FILE.atomic.

/// The first byte says which file the rest is.
pub fn check_files(data: &[u8]) {
    let Some((which, rest)) = data.split_first() else { return };
    match which % 2 {
        0 => {
            if let Ok(body) = std::str::from_utf8(rest) {
                oarlock_target::fuzzing::check_saved(body);
            }
        }
        _ => oarlock_target::fuzzing::check_record(rest),
    }
}
