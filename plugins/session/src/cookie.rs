use std::time::{Duration, SystemTime};

use countersign::{HttpResponse, Lifetime, Secret, timestamp};

/// A cookie that an answer sets (RFC 6265 §5.2).
pub(crate) struct Cookie {
    pub(crate) value: Secret,
    max_age: Option<i64>,
    expires: Option<SystemTime>,
}

impl Cookie {
    /// The last one of that name. One without a value, or that has expired, takes the cookie away.
    pub(crate) fn find(response: &HttpResponse, name: &str) -> Option<Self> {
        let mut lines = response.headers.iter().rev().filter(|header| header.name == "set-cookie");
        let cookie = lines.find_map(|header| Self::parse(header.value.expose(), name))?;
        let date = response.header("date").and_then(timestamp);
        let is_over = match (cookie.max_age, cookie.expires, date) {
            (Some(seconds), ..) => seconds <= 0,
            (None, Some(expires), now) => expires <= now.unwrap_or(SystemTime::UNIX_EPOCH),
            (None, None, _) => false,
        };
        (!is_over).then_some(cookie)
    }

    /// How long it says it lives; `Max-Age` goes before `Expires` (RFC 6265 §4.1.2.2).
    pub(crate) fn lifetime(&self) -> Option<Lifetime> {
        let max_age = self.max_age.and_then(|seconds| u64::try_from(seconds).ok());
        max_age
            .map(|seconds| Lifetime::For(Duration::from_secs(seconds)))
            .or(self.expires.map(Lifetime::Until))
    }

    fn parse(line: &str, wanted: &str) -> Option<Self> {
        let mut parts = line.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        if name.trim() != wanted {
            return None;
        }
        let mut cookie = Self { value: value.trim().into(), max_age: None, expires: None };
        for attribute in parts {
            let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            match (name.trim(), value.trim()) {
                (name, value) if name.eq_ignore_ascii_case("max-age") => {
                    cookie.max_age = value.parse().ok().or(cookie.max_age);
                }
                // As Netscape had it, with hyphens in the date, too.
                (name, value) if name.eq_ignore_ascii_case("expires") => {
                    cookie.expires =
                        timestamp(value).or_else(|| timestamp(&value.replace('-', " "))).or(cookie.expires);
                }
                _ => {}
            }
        }
        Some(cookie)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign::HttpHeader;

    fn found(lines: &[&str]) -> Option<(String, Option<Lifetime>)> {
        let date = [("date", "Thu, 26 Nov 2026 12:00:00 GMT")];
        let headers = lines.iter().map(|line| ("set-cookie", *line)).chain(date);
        let headers =
            headers.map(|(name, value)| HttpHeader { name: name.into(), value: value.into() }).collect();
        let cookie = Cookie::find(&HttpResponse { status: 200, headers, body: Secret::default() }, "SID")?;
        Some((cookie.value.expose().clone(), cookie.lifetime()))
    }

    #[test]
    fn the_last_of_the_name_counts_and_says_how_long() {
        let hour = Some(Lifetime::For(Duration::from_secs(3600)));
        let one = Lifetime::Until(timestamp("2026-11-26T13:00:00Z").unwrap());
        for (lines, value, lifetime) in [
            (&["SID=a; Path=/; HttpOnly"][..], "a", None),
            (&["SID=a", "other=b", "SID=c; max-age=3600"], "c", hour),
            (&["SID=a=b==; Expires=Thu, 26 Nov 2026 13:00:00 GMT"], "a=b==", Some(one)),
            (&["SID=a; expires=Thu, 26-Nov-2026 13:00:00 GMT"], "a", Some(one)),
            (&["SID=a; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=3600"], "a", hour),
            (&["SID=a; Max-Age=soon; Secure"], "a", None),
        ] {
            assert_eq!(found(lines), Some((value.to_owned(), lifetime)), "{lines:?}");
        }
    }

    #[test]
    fn a_cookie_that_is_taken_away_is_none() {
        for line in [
            "sid=a",
            "SID",
            "SID=a; Max-Age=0",
            "SID=a; Max-Age=-1",
            "SID=deleted; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            "SID=a; Expires=Thu, 26 Nov 2026 11:59:59 GMT",
        ] {
            assert_eq!(found(&[line]), None, "{line}");
        }
    }
}
