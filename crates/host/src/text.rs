//! Times as people and JSON read them.

use oarlock_block::WallTime;

/// RFC 3339 in UTC, to the millisecond: `2026-11-21T03:04:05.678Z`.
pub(crate) fn time_text(time: WallTime) -> String {
    // What lies beyond the year 9999 is a clock that was never set: it is shown as the beginning of time.
    let milliseconds = i64::try_from(time.milliseconds).unwrap_or(0);
    let stamp = jiff::Timestamp::from_millisecond(milliseconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{stamp:.3}")
}

/// Now.
pub(crate) fn now_text() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_rfc_3339_in_utc_whatever_the_clock_says() {
        assert_eq!(time_text(WallTime { milliseconds: 1_795_230_245_678 }), "2026-11-21T03:04:05.678Z");
        assert_eq!(time_text(WallTime { milliseconds: 0 }), "1970-01-01T00:00:00.000Z");
        assert_eq!(time_text(WallTime { milliseconds: u64::MAX }), "1970-01-01T00:00:00.000Z");
    }
}
