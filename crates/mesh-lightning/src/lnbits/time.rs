/// Reads a time as LNbits writes it, `2026-11-25T18:32:07.781946+00:00`: microseconds since 1970, of the server's clock.
///
/// `None` for any other zone than UTC, and for what is no time since 1970.
pub(super) fn read_micros(text: &str) -> Option<u64> {
    let text = text.strip_suffix('Z').or(text.strip_suffix("+00:00"))?;
    let (date, time) = text.split_once('T')?;
    let [year, month, day] = split(date, '-')?.map(number);
    let [hour, minute, second] = split(time, ':')?;
    let (second, fraction) = second.split_once('.').unwrap_or((second, ""));
    let days = days_since_1970(year?, month?, day?)?;
    let seconds = days
        .checked_mul(24)?
        .checked_add(number(hour).filter(|hour| *hour < 24)?)?
        .checked_mul(60)?
        .checked_add(number(minute).filter(|minute| *minute < 60)?)?
        .checked_mul(60)?
        .checked_add(number(second).filter(|second| *second <= 60)?)?;
    seconds
        .checked_mul(1_000_000)?
        .checked_add(micros(fraction)?)
}

/// The days of a date of the Gregorian calendar, counted in years that begin in March, so that a leap day ends one.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month > 2 { year } else { year - 1 };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + day_of_year;
    days.checked_sub(719_468)
}

fn micros(fraction: &str) -> Option<u64> {
    let digits = fraction.get(..6).unwrap_or(fraction);
    let scale = 10_u64.pow(u32::try_from(6 - digits.len()).ok()?);
    if digits.is_empty() {
        return Some(0);
    }
    Some(number(digits)? * scale)
}

fn split(text: &str, by: char) -> Option<[&str; 3]> {
    let parts: Vec<_> = text.splitn(3, by).collect();
    parts.try_into().ok()
}

/// Digits alone, of which `parse` would take a sign, too.
fn number(text: &str) -> Option<u64> {
    let is_number = text.len() <= 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_lnbits_read() {
        let at = |text| read_micros(text).unwrap();
        assert_eq!(at("1970-01-01T00:00:00+00:00"), 0);
        assert_eq!(
            at("2026-11-25T18:32:07.781946+00:00"),
            1_795_631_527_781_946
        );
        assert_eq!(at("2026-11-25T18:32:07Z"), 1_795_631_527_000_000);
        assert_eq!(at("2026-11-25T18:32:07.5Z"), 1_795_631_527_500_000);
        assert_eq!(at("2024-02-29T23:59:59Z"), 1_709_251_199_000_000);
        assert_eq!(at("2000-03-01T00:00:00Z"), 951_868_800_000_000);
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "Z",
            "1795631527",
            "2026-11-25T18:32:07",
            "2026-11-25T18:32:07+02:00",
            "2026-11-25 18:32:07Z",
            "2026-13-25T18:32:07Z",
            "2026-00-25T18:32:07Z",
            "2026-11-25T24:32:07Z",
            "1969-11-25T18:32:07Z",
            "2026-11-25T18:32:0é.é46Z",
            "2026-+1-25T18:32:07Z",
            "99999999999999999999-11-25T18:32:07Z",
            "2026-11-25T18:32:07.aZ",
        ] {
            assert_eq!(read_micros(text), None, "{text}");
        }
    }
}
