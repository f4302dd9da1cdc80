//! The issuer of credentials: down, or not well.

use super::super::cause::{Cause, CauseId};
use super::super::evidence::Problem;
use super::Case;

pub(super) fn causes(case: &Case<'_>) -> Vec<Cause> {
    let Some((profile, exchange)) = case.evidence.failed_exchange() else { return Vec::new() };
    let remedy = || {
        format!(
            "try it from this machine: `curl -v {}`; mind proxies (`HTTPS_PROXY`, `[http] proxy`) and firewalls",
            exchange.url
        )
    };
    let down = |weight, why: &str| {
        vec![
            Cause::new(
                CauseId::IssuerDown,
                weight,
                format!("the issuer of the profile {} cannot be reached", profile.name),
            )
            .because(format!("{}: {why}", exchange.url))
            .remedy(remedy()),
        ]
    };
    match (&exchange.trouble, exchange.status) {
        (Some(Problem::Refused), _) => down(97, "nobody listens there"),
        (Some(Problem::Unresolved), _) => down(97, "the host's name has no address"),
        (Some(Problem::Late), _) => down(95, "no answer in time"),
        (Some(Problem::Cut), _) => down(90, "the connection was closed without an answer"),
        (Some(Problem::Other), _) => down(80, "no answer"),
        (_, Some(429)) => vec![
            Cause::new(CauseId::RateLimit, 96, "the issuer wants fewer requests")
                .because(format!("{} answered 429", exchange.url))
                .remedy("wait; share credentials between hosts, so that fewer are obtained"),
        ],
        (_, Some(status @ 500..)) => vec![
            Cause::new(
                CauseId::IssuerDown,
                94,
                format!("the issuer of the profile {} is not well", profile.name),
            )
            .because(format!("{} answered {status}", exchange.url))
            .remedy("wait, or ask its owner"),
        ],
        (_, Some(status @ 300..=399)) => vec![
            Cause::new(CauseId::Config, 92, "the issuer's URL is not the final one")
                .because(format!("{} answered {status}, and such redirects are never followed", exchange.url))
                .remedy(format!(
                    "give the profile {} the URL that it redirects to, if you trust that",
                    profile.name
                )),
        ],
        (_, Some(404 | 405)) => vec![
            Cause::new(CauseId::Config, 90, "the issuer's URL is not right")
                .because(format!("{} answered {}", exchange.url, exchange.status.unwrap_or_default()))
                .remedy(format!(
                    "compare it with the issuer's documentation: `token_url` of the profile {}",
                    profile.name
                )),
        ],
        (_, Some(status @ 400..)) => vec![
            Cause::new(CauseId::IssuerRefused, 50, "the issuer refuses the request of the profile")
                .because(format!("{} answered {status}", exchange.url))
                .remedy(format!(
                    "compare the settings of the profile {} with what is registered there",
                    profile.name
                )),
        ],
        (_, Some(200..=299)) => vec![
            Cause::new(CauseId::Config, 85, "what the issuer answers is not what the profile expects")
                .because(format!("{} answered {}", exchange.url, exchange.status.unwrap_or_default()))
                .remedy(format!(
                    "is the URL of the profile {} that of the token endpoint? a page for people is not",
                    profile.name
                )),
        ],
        _ => Vec::new(),
    }
}
