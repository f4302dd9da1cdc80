//! The API itself: down, busy, another path.

use super::super::cause::{Cause, CauseId};
use super::super::evidence::Problem;
use super::Case;

pub(super) fn causes(case: &Case<'_>) -> Vec<Cause> {
    let Some(sent) = case.evidence.last().filter(|_| !case.evidence.as_expected) else { return Vec::new() };
    let down = |weight, why: &str| {
        vec![
            Cause::new(CauseId::ApiDown, weight, "the API cannot be reached")
                .because(format!("{}: {why}", case.evidence.base_url))
                .remedy(format!(
                    "try it from this machine: `curl -v {}`; mind proxies, firewalls and `ca_file`",
                    case.evidence.base_url
                )),
        ]
    };
    match &sent.trouble {
        Some(Problem::Refused) => return down(97, "nobody listens there"),
        Some(Problem::Unresolved) => return down(97, "the host's name has no address"),
        Some(Problem::Late) => return down(95, "no answer in time"),
        // Some end the connection instead of asking for a certificate.
        Some(Problem::Cut) => return down(85, "the connection was closed without an answer"),
        Some(Problem::Other) => return down(80, "no answer"),
        _ => {}
    }
    let one = |cause, weight, title: &str, remedy: &str| {
        let why = format!("it answers {}", case.status().unwrap_or_default());
        vec![Cause::new(cause, weight, title).because(why).remedy(remedy)]
    };
    match case.status() {
        Some(429) => one(
            CauseId::RateLimit,
            97,
            "the API wants fewer requests",
            "wait; `Retry-After` may say how long",
        ),
        Some(404) => one(
            CauseId::Path,
            60,
            "there is no such path, or it is hidden from this account",
            "compare `base_url` and the path with the API's documentation: `[connectors.NAME.probe]`",
        ),
        Some(405) => {
            one(CauseId::Path, 85, "the path does not take the method", "set the probe's `method` or `path`")
        }
        Some(status @ 500..) => {
            let title = if matches!(status, 502..=504) {
                "the API's gateway cannot reach the API"
            } else {
                "the API is not well"
            };
            one(CauseId::ApiDown, 90, title, "wait, or ask its owner")
        }
        Some(400..=499) if !case.is_refused() => one(
            CauseId::Request,
            45,
            "the API does not like the request itself",
            "compare the probe with the API's documentation",
        ),
        Some(401 | 403)
            if case.evidence.attempts.iter().all(|sent| sent.placed.is_empty()) && !sent.certificate =>
        {
            one(
                CauseId::Placement,
                70,
                "nothing was placed on the request",
                "look at what the profiles place",
            )
        }
        Some(401) if case.is_silent() => one(
            CauseId::Token,
            20,
            "the API does not accept the credential, and does not say why",
            "ask its owner for the log of this call",
        ),
        Some(401 | 403) => one(
            CauseId::Token,
            15,
            "the API refuses the credential, in words that are not known here",
            "read them below, and ask its owner",
        ),
        Some(_) => one(
            CauseId::Request,
            30,
            "the answer is not the one that the probe expects",
            "set the probe's `status`",
        ),
        None => Vec::new(),
    }
}
