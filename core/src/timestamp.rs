use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An instant as servers and programs write it in what they answer: RFC 3339 (`2026-11-26T12:00:00+01:00`; a fraction, a
/// space in place of `T` and a zone without colon are taken, too), an HTTP date (RFC 9110 §5.6.7), or a number since the epoch: of
/// seconds, or, where it is so large that it can be nothing else, of milliseconds.
///
/// A time without a zone is none, for it may be anybody's; nor is one before 1970 or after 9999.
///
/// # Example
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let noon = Some(UNIX_EPOCH + Duration::from_secs(1_795_694_400));
/// for text in ["2026-11-26T12:00:00Z", "2026-11-26T13:00:00.000+01:00", "Thu, 26 Nov 2026 12:00:00 GMT", "1795694400000"] {
///     assert_eq!(countersign::timestamp(text), noon, "{text}");
/// }
/// ```
pub fn timestamp(text: &str) -> Option<SystemTime> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        // 1e11 seconds are the year 5138, 1e11 milliseconds are 1973.
        let seconds = if number.abs() < 1e11 { number } else { number / 1000.0 };
        return (0.0..LAST).contains(&seconds).then(|| UNIX_EPOCH + Duration::from_secs_f64(seconds));
    }
    rfc_3339(text).or_else(|| httpdate::parse_http_date(text).ok())
}

/// Year, month and day of a day since the epoch, in UTC: the other way round, for types that write dates. `(1970, 1, 1)` for 0.
#[inline]
pub const fn civil_date(day: u64) -> (u64, u64, u64) {
    let shifted = day + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + (month <= 2) as u64, month, day)
}

/// The year 10000.
const LAST: f64 = 253_402_300_800.0;

fn rfc_3339(text: &str) -> Option<SystemTime> {
    let (date, time) = (text.get(..10)?, text.get(11..)?);
    if !matches!(text.as_bytes().get(10)?, b'T' | b't' | b' ') {
        return None;
    }
    let (clock, offset) = match time.find(['Z', 'z', '+', '-']) {
        Some(zone) => (time.get(..zone)?, offset(time.get(zone..)?)?),
        None => return None,
    };
    let [year, month, day] = numbers(date, '-')?;
    let (clock, nanos) = match clock.split_once('.') {
        Some((clock, digits)) => (clock, fraction(digits)?),
        None => (clock, 0),
    };
    let [hour, minute, second] = numbers(clock, ':')?;
    let in_range = (1970..10_000).contains(&year) && (1..=12).contains(&month) && day >= 1;
    if !in_range || day > days_of(year, month) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    Some(UNIX_EPOCH + Duration::new(u64::try_from(seconds).ok()?, nanos))
}

/// Seconds east of UTC.
fn offset(zone: &str) -> Option<i64> {
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("Z" | "z", "") => return Some(0),
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest.len() {
        5 => rest.split_once(':')?,
        4 => rest.split_at_checked(2)?,
        2 => (rest, "00"),
        _ => return None,
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Nanoseconds.
fn fraction(digits: &str) -> Option<u32> {
    let known: String = digits.chars().chain("000000000".chars()).take(9).collect();
    (!digits.is_empty() && number(&known).is_some()).then(|| known.parse().ok()).flatten()
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = text.split(separator).map(number);
    let three = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(three)
}

fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

const fn days_of(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since the epoch, in the proleptic Gregorian calendar (H. Hinnant, "chrono-compatible low-level date algorithms").
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let month = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_an_instant_is_read() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0.0),
            ("2000-02-29T00:00:00Z", 951_782_400.0),
            ("2100-03-01T00:00:00Z", 4_107_542_400.0),
            ("2015-11-07T01:58:43.578929Z", 1_446_861_523.578_929),
            ("2026-11-26 13:00:00+0100", 1_795_694_400.0),
            ("2026-11-26t06:30:00-05:30", 1_795_694_400.0),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777.0),
            ("1795694400", 1_795_694_400.0),
            (" 1795694400.5 ", 1_795_694_400.5),
            ("1795694400500", 1_795_694_400.5),
        ] {
            let read = timestamp(text).unwrap_or_else(|| panic!("{text}"));
            let of = read.duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
            assert!((of - seconds).abs() < 1e-3, "{text}: {of}");
        }
    }

    #[test]
    fn a_day_is_its_date_in_the_calendar_and_back() {
        for (day, date) in
            [(0, (1970, 1, 1)), (11_016, (2000, 2, 29)), (47_540, (2100, 2, 28)), (47_541, (2100, 3, 1))]
        {
            assert_eq!(civil_date(day), date);
        }
        for day in 0..200_000 {
            let (year, month, date) = civil_date(day);
            let signed = |number: u64| i64::try_from(number).unwrap();
            assert_eq!(days(signed(year), signed(month), signed(date)), signed(day));
        }
    }

    #[test]
    fn what_is_no_instant_is_none() {
        for text in [
            "",
            "soon",
            "NaN",
            "inf",
            "-5",
            "1e300",
            "2026-11-26",
            "2026-11-26T12:00:00",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+25:00",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+01:00",
            "a-b-cTd:e:fZ",
            "2026-01-01é00:00:00Z",
        ] {
            assert_eq!(timestamp(text), None, "{text}");
        }
    }
}
