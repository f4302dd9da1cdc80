//! Dates as AWS writes them, in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

use countersign::civil_date;

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
        let (year, month, date) = civil_date(self.day);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
        }
    }
}
