//! The calendar: from year, month and day to microseconds since 1970 and back, in the proleptic Gregorian calendar.

/// Microseconds of a day.
pub const DAY_US: i64 = 86_400_000_000;

/// Days from 1970-01-01 to that day. Months and days out of range count on, as in a calendar without ends.
#[must_use]
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years that start in March have their leap day last: the length of the months before it is then one formula.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a day that is counted from 1970-01-01.
#[must_use]
pub fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The month that an English abbreviation means, from 1.
#[must_use]
pub fn month(name: &str) -> Option<i64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    (1..).zip(MONTHS).find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_leads_to_its_date_and_back() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2000, 3, 1), 11_017);
        assert_eq!(days(2026, 3, 29), 20_541);
        for day in (-800_000..800_000).step_by(97) {
            let (year, month, number) = date(day);
            assert_eq!(days(year, month, number), day);
            assert!((1..=12).contains(&month) && (1..=31).contains(&number));
        }
    }

    #[test]
    fn a_month_is_known_by_three_letters() {
        assert_eq!((month("Apr"), month("dec"), month("Foo")), (Some(4), Some(12), None));
    }
}
