use bytes::Bytes;
use countersign::Challenge;
use http::{HeaderMap, HeaderName, Method, StatusCode};

use crate::config::{Rejection, Replay};

/// How much of an answer's body a rule looks at, in bytes.
pub(crate) const MOST_BODY: usize = 64 * 1024;

/// When an answer means that the credential was rejected, and whether the call is then made once more.
impl Rejection {
    /// Whether status and header say that the credential was rejected; the body may still have a word.
    pub(crate) fn matches_head(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        let holds = |(name, value): &(HeaderName, String)| {
            let mut found = headers.get_all(name).iter();
            found.any(|found| {
                found
                    .as_bytes()
                    .to_ascii_lowercase()
                    .windows(value.len())
                    .any(|part| part == value.as_bytes())
            })
        };
        self.statuses.contains(&status) && self.headers.iter().all(holds)
    }

    /// Whether the body has to be looked at.
    pub(crate) const fn reads_body(&self) -> bool {
        self.body_contains.is_some()
    }

    /// Whether the body agrees.
    pub(crate) fn matches_body(&self, body: &[u8]) -> bool {
        self.body_contains.as_ref().is_none_or(|text| {
            let text = text.as_bytes();
            text.is_empty() || body.windows(text.len()).any(|window| window == text)
        })
    }

    /// Whether a rejected call may be made once more. `is_demand` is asked of methods that are not idempotent: whether the
    /// API looked at nothing but a signature that lacked something.
    pub(crate) fn allows_replay(
        &self,
        method: &Method,
        body: Option<&Bytes>,
        is_demand: impl FnOnce() -> bool,
    ) -> bool {
        let Some(body) = body else { return false };
        let harmless = match self.replay {
            Replay::Never => false,
            Replay::Always => true,
            Replay::Idempotent => method.is_idempotent() || is_demand(),
        };
        harmless && body.len() <= self.max_replay_body
    }
}

/// What the next `acquire` is told of a rejection: the status and the fields that carry challenges.
pub(crate) fn challenge(status: StatusCode, headers: &HeaderMap) -> Challenge {
    let fields = headers.iter().filter(|(name, _)| {
        matches!(name.as_str(), "www-authenticate" | "authentication-info" | "dpop-nonce" | "date")
    });
    let headers = fields
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    Challenge { status: status.as_u16(), headers }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_given_conditions_have_to_hold() {
        let rule = Rejection {
            statuses: vec![StatusCode::OK, StatusCode::FORBIDDEN],
            headers: vec![(HeaderName::from_static("x-error"), "expired".into())],
            body_contains: Some("token".into()),
            ..Rejection::default()
        };
        let headers: HeaderMap =
            [(HeaderName::from_static("x-error"), "Token Expired".parse().unwrap())].into_iter().collect();
        assert!(rule.matches_head(StatusCode::OK, &headers));
        assert!(!rule.matches_head(StatusCode::UNAUTHORIZED, &headers));
        assert!(!rule.matches_head(StatusCode::OK, &HeaderMap::new()));
        assert!(rule.matches_body(b"the token expired") && !rule.matches_body(b"all well"));
    }

    #[test]
    fn only_what_can_be_sent_twice_is_replayed() {
        let rule = Rejection { max_replay_body: 2, ..Rejection::default() };
        let (short, long) = (Bytes::from_static(b"ab"), Bytes::from_static(b"abc"));
        let allows = |rule: &Rejection, method, body| rule.allows_replay(&method, body, || false);
        assert!(allows(&rule, Method::PUT, Some(&short)));
        assert!(!allows(&rule, Method::PUT, Some(&long)));
        assert!(!allows(&rule, Method::POST, Some(&short)));
        assert!(rule.allows_replay(&Method::POST, Some(&short), || true));
        assert!(!rule.allows_replay(&Method::POST, Some(&long), || true));
        assert!(!allows(&rule, Method::GET, None));
        let always = Rejection { replay: Replay::Always, ..rule };
        assert!(allows(&always, Method::POST, Some(&short)));
    }
}
