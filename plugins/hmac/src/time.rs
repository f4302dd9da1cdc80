//! Instants as APIs want them written, in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

use countersign::civil_date;

use crate::sink::Sink;

/// An instant to the microsecond.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time {
    seconds: u64,
    micros: u32,
}

impl Time {
    pub(crate) fn of(instant: SystemTime) -> Self {
        let since = instant.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { seconds: since.as_secs(), micros: since.subsec_micros() }
    }
}

/// How an instant is written, and by how much it is moved before.
#[derive(Debug)]
pub(crate) struct Form {
    parts: Vec<Part>,
    /// In seconds.
    pub(crate) moved: i64,
}

#[derive(Debug)]
enum Part {
    Text(String),
    Unix,
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Millis,
    Micros,
    Weekday,
    MonthName,
}

/// The forms that have names.
pub(crate) const NAMED: [(&str, &str); 8] = [
    ("timestamp", "%s"),
    ("timestamp.compact", "%Y%m%dT%H%M%SZ"),
    ("timestamp.date", "%Y-%m-%d"),
    ("timestamp.http", "%a, %d %b %Y %H:%M:%S GMT"),
    ("timestamp.iso", "%Y-%m-%dT%H:%M:%SZ"),
    ("timestamp.iso_ms", "%Y-%m-%dT%H:%M:%S.%LZ"),
    ("timestamp.ms", "%s%L"),
    ("timestamp.us", "%s%f"),
];

impl Form {
    /// Reads a form such as `%Y-%m-%d`; `None` if it has an unknown `%`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            let part = match c {
                '%' => match chars.next()? {
                    '%' => {
                        plain.push('%');
                        continue;
                    }
                    's' => Part::Unix,
                    'Y' => Part::Year,
                    'm' => Part::Month,
                    'd' => Part::Day,
                    'H' => Part::Hour,
                    'M' => Part::Minute,
                    'S' => Part::Second,
                    'L' => Part::Millis,
                    'f' => Part::Micros,
                    'a' => Part::Weekday,
                    'b' => Part::MonthName,
                    _ => return None,
                },
                c => {
                    plain.push(c);
                    continue;
                }
            };
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(part);
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Some(Self { parts, moved: 0 })
    }

    pub(crate) fn write(&self, time: Time, sink: &mut dyn Sink) {
        const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let seconds = time.seconds.saturating_add_signed(self.moved);
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        // Most forms are a number.
        let is_date = |part: &Part| matches!(part, Part::Year | Part::Month | Part::Day | Part::MonthName);
        let (year, month, day) = if self.parts.iter().any(is_date) { civil_date(days) } else { (0, 1, 1) };
        for part in &self.parts {
            match part {
                Part::Text(text) => sink.put(text.as_bytes()),
                Part::Unix => number(seconds, 1, sink),
                Part::Year => number(year, 4, sink),
                Part::Month => number(month, 2, sink),
                Part::Day => number(day, 2, sink),
                Part::Hour => number(second / 3600, 2, sink),
                Part::Minute => number(second / 60 % 60, 2, sink),
                Part::Second => number(second % 60, 2, sink),
                Part::Millis => number(u64::from(time.micros / 1000), 3, sink),
                Part::Micros => number(u64::from(time.micros), 6, sink),
                Part::Weekday => sink.put(name(&WEEKDAYS, days % 7)),
                Part::MonthName => sink.put(name(&MONTHS, month - 1)),
            }
        }
    }
}

fn name(names: &[&'static str], index: u64) -> &'static [u8] {
    usize::try_from(index).ok().and_then(|index| names.get(index)).map_or(b"", |name| name.as_bytes())
}

/// Writes a number with at least so many digits.
pub(crate) fn number(mut number: u64, least: usize, sink: &mut dyn Sink) {
    let mut digits = [b'0'; 20];
    let mut written = 0;
    // Two at a time: to divide takes longest.
    for pair in digits.as_chunks_mut().0.iter_mut().rev() {
        if number == 0 && written >= least {
            break;
        }
        let two = (number % 100) as u8;
        *pair = [b'0' + two / 10, b'0' + two % 10];
        number /= 100;
        written += 2;
    }
    let text = digits.get(digits.len() - written..).unwrap_or_default();
    // The first of a pair may be one too many.
    sink.put(if written > least { text.strip_prefix(b"0").unwrap_or(text) } else { text });
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn written(form: &str, seconds: u64, micros: u64, moved: i64) -> String {
        let instant = UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_micros(micros);
        let mut form = Form::parse(form).unwrap();
        form.moved = moved;
        let mut text = Vec::new();
        form.write(Time::of(instant), &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn named_forms_are_those_of_the_standards() {
        // RFC 9110 §5.6.7 has this date.
        for (name, text) in [
            ("timestamp", "784111777"),
            ("timestamp.ms", "784111777004"),
            ("timestamp.us", "784111777004005"),
            ("timestamp.date", "1994-11-06"),
            ("timestamp.iso", "1994-11-06T08:49:37Z"),
            ("timestamp.iso_ms", "1994-11-06T08:49:37.004Z"),
            ("timestamp.compact", "19941106T084937Z"),
            ("timestamp.http", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ] {
            let form = NAMED.iter().find(|(known, _)| *known == name).unwrap().1;
            assert_eq!(written(form, 784_111_777, 4005, 0), text, "{name}");
        }
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "Thu 1970-01-01 00:00:00"),
            (951_782_399, "Mon 2000-02-28 23:59:59"),
            (951_782_400, "Tue 2000-02-29 00:00:00"),
            (4_107_542_399, "Sun 2100-02-28 23:59:59"),
            (4_107_542_400, "Mon 2100-03-01 00:00:00"),
        ] {
            assert_eq!(written("%a %Y-%m-%d %H:%M:%S", seconds, 0, 0), text);
        }
    }

    #[test]
    fn an_instant_can_be_moved_and_what_is_unknown_is_none() {
        assert_eq!(written("%s", 1000, 0, 300), "1300");
        assert_eq!(written("%s%%", 1000, 0, -1300), "0%");
        for text in ["%", "%Q", "%Y-%"] {
            assert!(Form::parse(text).is_none(), "{text}");
        }
    }
}
