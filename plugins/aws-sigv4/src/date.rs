//! Dates as AWS writes them, in UTC, without a calendar library: days since the epoch to year, month and day and back
//! (the proleptic Gregorian calendar; H. Hinnant, "chrono-compatible low-level date algorithms").

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An instant to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Date {
    /// Days since the epoch.
    pub(crate) day: u64,
    /// Seconds of that day.
    second: u64,
}

impl Date {
    pub(crate) fn of(instant: SystemTime) -> Self {
        let seconds = instant.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Self { day: seconds / 86_400, second: seconds % 86_400 }
    }

    /// `20150830`
    pub(crate) fn date(self) -> [u8; 8] {
        let (year, month, date) = civil(self.day);
        let [[a, b], [c, d], [e, f], [g, h]] = [year / 100, year % 100, month, date].map(two_digits);
        [a, b, c, d, e, f, g, h]
    }

    /// `20150830T123600Z`, of the [`date`](Self::date) that is known by then.
    pub(crate) fn time(self, date: &[u8; 8]) -> [u8; 16] {
        let mut text = *b"00000000T000000Z";
        text[..8].copy_from_slice(date);
        text[9..11].copy_from_slice(&two_digits(self.second / 3600));
        text[11..13].copy_from_slice(&two_digits(self.second / 60 % 60));
        text[13..15].copy_from_slice(&two_digits(self.second % 60));
        text
    }
}

/// Of a number below a hundred.
const fn two_digits(number: u64) -> [u8; 2] {
    let number = (number % 100) as u8;
    [b'0' + number / 10, b'0' + number % 10]
}

/// Year, month and day of a day since the epoch.
const fn civil(day: u64) -> (u64, u64, u64) {
    let shifted = day + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + (month <= 2) as u64, month, date)
}

/// `2026-11-26T12:00:00Z`, with or without a fraction (RFC 3339, UTC).
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    let text = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00"))?;
    let (date, time) = text.split_once('T')?;
    let numbers = |text: &str, separator: char| -> Option<[u64; 3]> {
        let mut parts = text
            .split(separator)
            .map(|part| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten());
        let three = [parts.next()??, parts.next()??, parts.next()??];
        parts.next().is_none().then_some(three)
    };
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time.split('.').next()?, ':')?;
    let in_range = (1970..10_000).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !in_range || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (shifted_year / 400, shifted_year % 400);
    let month = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * month + 2) / 5 + day - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    let days = (era * 146_097 + of_era).checked_sub(719_468)?;
    UNIX_EPOCH.checked_add(Duration::from_secs(days * 86_400 + hour * 3600 + minute * 60 + second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (1_440_938_160, "20150830T123600Z"),
            (4_107_542_399, "21000228T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            let instant = UNIX_EPOCH + Duration::from_secs(seconds);
            let date = Date::of(instant);
            assert_eq!(date.date(), text.as_bytes()[..8]);
            assert_eq!(date.time(&date.date()), text.as_bytes());
            let t = text;
            let iso = format!(
                "{}-{}-{}T{}:{}:{}.25Z",
                &t[..4],
                &t[4..6],
                &t[6..8],
                &t[9..11],
                &t[11..13],
                &t[13..15]
            );
            assert_eq!(parse(&iso), Some(instant), "{iso}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "2026",
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00",
            "a-b-cTd:e:fZ",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
