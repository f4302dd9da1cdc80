use bytes::Bytes;
use countersign::Challenge;
use http::{HeaderMap, HeaderName, Method, StatusCode};

use crate::config::{Rejection, RejectionSign, Replay};

/// How much of an answer's body a rule looks at, in bytes.
pub(crate) const MOST_BODY: usize = 64 * 1024;

/// What an answer's head says about the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is no rejection.
    Accepted,
    /// It is one.
    Rejected,
    /// The body decides.
    AskBody,
}

/// When an answer means that the credential was rejected, and whether the call is then made once more.
impl Rejection {
    /// What status and headers say.
    pub(crate) fn verdict(&self, status: StatusCode, headers: &HeaderMap) -> Verdict {
        self.signs.iter().filter(|sign| sign.is_in_head(status, headers)).fold(
            Verdict::Accepted,
            |verdict, sign| match (verdict, &sign.body_contains) {
                (Verdict::Rejected, _) | (_, None) => Verdict::Rejected,
                _ => Verdict::AskBody,
            },
        )
    }

    /// Whether bodies are looked at, which then have to come as they are.
    pub(crate) fn reads_bodies(&self) -> bool {
        self.signs.iter().any(|sign| sign.body_contains.is_some())
    }

    /// What a body says of an answer with that status and those headers.
    pub(crate) fn matches(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> bool {
        self.signs.iter().any(|sign| sign.is_in_head(status, headers) && sign.is_in_body(body))
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

impl RejectionSign {
    fn is_in_head(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        let holds = |(name, value): &(HeaderName, String)| {
            let mut found = headers.get_all(name).iter();
            found.any(|found| {
                let found = found.as_bytes().to_ascii_lowercase();
                value.is_empty() || found.windows(value.len()).any(|part| part == value.as_bytes())
            })
        };
        self.statuses.contains(&status) && self.headers.iter().all(holds)
    }

    fn is_in_body(&self, body: &[u8]) -> bool {
        self.body_contains.as_ref().is_none_or(|text| {
            let text = text.as_bytes();
            text.is_empty() || body.windows(text.len()).any(|window| window == text)
        })
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
        let sign = RejectionSign {
            statuses: vec![StatusCode::OK, StatusCode::FORBIDDEN],
            headers: vec![(HeaderName::from_static("x-error"), "expired".into())],
            body_contains: Some("token".into()),
        };
        let rule = Rejection { signs: vec![sign], ..Rejection::default() };
        let headers: HeaderMap =
            [(HeaderName::from_static("x-error"), "Token Expired".parse().unwrap())].into_iter().collect();
        assert_eq!(rule.verdict(StatusCode::OK, &headers), Verdict::AskBody);
        assert_eq!(rule.verdict(StatusCode::UNAUTHORIZED, &headers), Verdict::Accepted);
        assert_eq!(rule.verdict(StatusCode::OK, &HeaderMap::new()), Verdict::Accepted);
        assert!(rule.matches(StatusCode::OK, &headers, b"the token expired"));
        assert!(!rule.matches(StatusCode::OK, &headers, b"all well"));
        assert!(!rule.matches(StatusCode::UNAUTHORIZED, &headers, b"the token expired"));
    }

    #[test]
    fn one_of_several_signs_is_enough_and_the_body_is_read_only_where_it_decides() {
        let said = |status, text: &str| RejectionSign {
            statuses: vec![status],
            headers: Vec::new(),
            body_contains: Some(text.into()),
        };
        let signs = vec![
            RejectionSign::default(),
            said(StatusCode::OK, "token_expired"),
            said(StatusCode::OK, "invalid_auth"),
        ];
        let (rule, none) = (Rejection { signs, ..Rejection::default() }, HeaderMap::new());
        assert_eq!(rule.verdict(StatusCode::UNAUTHORIZED, &none), Verdict::Rejected);
        assert_eq!(rule.verdict(StatusCode::OK, &none), Verdict::AskBody);
        assert_eq!(rule.verdict(StatusCode::FORBIDDEN, &none), Verdict::Accepted);
        for (body, rejected) in
            [("{\"error\":\"token_expired\"}", true), ("invalid_auth", true), ("{\"ok\":true}", false)]
        {
            assert_eq!(rule.matches(StatusCode::OK, &none, body.as_bytes()), rejected, "{body}");
        }
        assert!(rule.matches(StatusCode::UNAUTHORIZED, &none, b""));
        assert!(rule.reads_bodies() && !Rejection::default().reads_bodies());
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
