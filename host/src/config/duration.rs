use std::time::Duration;

/// Reads a duration as the configuration writes it: whole numbers with `ms`, `s`, `m`, `h` or `d`, from the largest
/// unit to the smallest: `250ms`, `30s`, `1h30m`.
///
/// # Errors
/// What is wrong and how to write it; the text itself is not repeated.
pub(crate) fn parse(text: &str) -> Result<Duration, &'static str> {
    const FORM: &str = "is not a duration; write `30s`, `5m`, `1h30m` or `250ms`";
    const UNITS: [(&str, u64); 5] =
        [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

    let mut rest = text;
    let mut units = UNITS.iter();
    let mut milliseconds: u64 = 0;
    while !rest.is_empty() {
        let digits =
            rest.find(|c: char| !c.is_ascii_digit()).ok_or("lacks a unit; write `30s`, `5m` or `250ms`")?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let (_, scale) = units.find(|(name, _)| *name == unit).ok_or(FORM)?;
        let number: u64 = number.parse().map_err(|_| FORM)?;
        milliseconds = number
            .checked_mul(*scale)
            .and_then(|part| milliseconds.checked_add(part))
            .ok_or("is longer than anything here can last")?;
        rest = tail;
    }
    if text.is_empty() { Err(FORM) } else { Ok(Duration::from_millis(milliseconds)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_units() {
        for (text, milliseconds) in [
            ("250ms", 250),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1d1ms", 86_400_001),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in
            ["", "5", "m", "5 m", "-5m", "5x", "1m1h", "1s1s", "99999999999999999999s", "5m3", "1.5s", "٣s"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("18446744073709551615d").is_err());
    }
}
