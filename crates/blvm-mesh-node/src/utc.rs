use blvm_mesh::UnixTime;
use std::{fmt, str::FromStr};

/// A point in time as people write it, to the second, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Utc {
    year: u64,
    month: u64,
    day: u64,
    second_of_day: u64,
}

const SECONDS_A_DAY: u64 = 86_400;

/// Days of four centuries: after them the calendar begins anew.
const DAYS_OF_400_YEARS: u64 = 146_097;

impl Utc {
    /// Writes it as a spreadsheet reads it: `2026-11-22T15:58:15Z`.
    pub(crate) fn iso(self) -> String {
        let Self {
            year, month, day, ..
        } = self;
        let (hour, minute, second) = self.clock();
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }

    const fn clock(self) -> (u64, u64, u64) {
        let second = self.second_of_day;
        (second / 3_600, second / 60 % 60, second % 60)
    }
}

/// The beginning of a day, as people write it: `2026-11-25`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Date(pub(crate) UnixTime);

impl FromStr for Date {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no day: expected one as 2026-11-25");
        let number = |part: Option<&str>| part.and_then(|part| part.parse::<u32>().ok());
        let mut parts = text.splitn(3, '-');
        let (year, month, day) = (parts.next(), parts.next(), parts.next());
        let year = number(year).filter(|year| (1970..=9_999).contains(year));
        let year = year.ok_or_else(wrong)?;
        let (month, day) = number(month).zip(number(day)).ok_or_else(wrong)?;
        // At most so far from there: each month has 31 days at most, and each day is tried.
        let from = u64::from(year.saturating_sub(1_970)) * 365;
        let about = (from..from.saturating_add(3_000))
            .map(|days| UnixTime::from_secs(days * SECONDS_A_DAY));
        let written = format!("{year:04}-{month:02}-{day:02}T00:00:00Z");
        let mut found = about.filter(|time| Utc::from(*time).iso() == written);
        found.next().map(Self).ok_or_else(wrong)
    }
}

impl From<UnixTime> for Utc {
    fn from(time: UnixTime) -> Self {
        let days = time.to_secs() / SECONDS_A_DAY;
        let mut year = 1970 + days / DAYS_OF_400_YEARS * 400;
        let mut day = days % DAYS_OF_400_YEARS;
        while day >= days_of(year) {
            day -= days_of(year);
            year += 1;
        }
        let february = days_of(year) - 337;
        let mut month = 1;
        for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
            if day < days {
                break;
            }
            day -= days;
            month += 1;
        }
        Self {
            year,
            month,
            day: day + 1,
            second_of_day: time.to_secs() % SECONDS_A_DAY,
        }
    }
}

impl fmt::Display for Utc {
    /// Writes it for a table: `2026-11-22 15:58:15`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let iso = self.iso();
        f.pad(&iso.replace('T', " ").replace('Z', ""))
    }
}

const fn days_of(year: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    if is_leap { 366 } else { 365 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_read_as_it_is_written_and_nothing_else_is() {
        for days in [0, 58, 59, 789, 11_016, 20_782, 365 * 400, 2_932_896] {
            let time = UnixTime::from_secs(days * SECONDS_A_DAY);
            let iso = Utc::from(time).iso();
            let date = iso.split('T').next().unwrap();
            assert_eq!(date.parse(), Ok(Date(time)), "{date}");
        }
        for text in [
            "",
            "2026",
            "2026-13-01",
            "2026-02-29",
            "2026-00-01",
            "1969-12-31",
            "2026-1-1-1",
            "x-1-1",
        ] {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
    }

    fn iso(secs: u64) -> String {
        Utc::from(UnixTime::from_secs(secs)).iso()
    }

    #[test]
    fn known_times_are_written_as_everybody_writes_them() {
        for (secs, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_231_006_505, "2009-01-03T18:15:05Z"),
            (1_709_164_799, "2024-02-28T23:59:59Z"),
            (1_790_000_000, "2026-09-21T14:13:20Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(iso(secs), expected);
        }
        let time = Utc::from(UnixTime::from_millis(1_231_006_505_999));
        assert_eq!(time.to_string(), "2009-01-03 18:15:05");
        assert!(iso(u64::MAX).ends_with('Z'));
    }

    #[test]
    fn every_day_of_five_centuries_follows_the_one_before() {
        let (mut year, mut month, mut day) = (1970_u64, 1_u64, 0_u64);
        for days in 0..182_622 {
            day += 1;
            let february = if year % 400 == 0 || (year % 4 == 0 && year % 100 != 0) {
                29
            } else {
                28
            };
            let last = match month {
                2 => february,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            if day > last {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
            let expected = format!("{year:04}-{month:02}-{day:02}T00:00:00Z");
            assert_eq!(iso(days * SECONDS_A_DAY), expected);
        }
    }
}
