//! The profile failed before it asked anybody, or for a reason of its own.

use super::super::cause::{Cause, CauseId};
use super::super::evidence::{Evidence, Obtained};
use super::Case;

pub(super) fn causes(case: &Case<'_>) -> Vec<Cause> {
    let Some((name, kind, message, field)) = failed(case.evidence) else {
        return unplaced(case.evidence);
    };
    let exchange = case.evidence.failed_exchange().map(|(_, exchange)| exchange);
    // What an exchange shows is told better by those rules that look at exchanges: here it would be said a second time.
    let seen = exchange.is_some_and(|exchange| exchange.status.is_some() || exchange.trouble.is_some());
    if seen && matches!(kind, "unavailable" | "rate-limited") {
        return Vec::new();
    }
    let is_refusal = exchange.and_then(|exchange| exchange.status).is_some_and(|status| status >= 400);
    let (cause, weight, remedy) = match kind {
        "config" => (CauseId::Config, 95, "mend the setting"),
        "unsupported" => (CauseId::Config, 90, "use another setting, type or host version"),
        "login-required" => (CauseId::LoginRequired, 90, "log in anew"),
        "internal" => (CauseId::Profile, 88, "tell the type's author"),
        "rate-limited" => (CauseId::RateLimit, 60, "wait"),
        "denied" => (
            CauseId::IssuerRefused,
            40,
            "compare the profile's settings with what is registered at the issuer",
        ),
        _ => (CauseId::IssuerDown, 35, "try it again later"),
    };
    let weight =
        if seen && !matches!(kind, "config" | "internal" | "login-required") { weight / 2 } else { weight };
    let at = field.map(|field| format!("`{field}` of ")).unwrap_or_default();
    let cause = Cause::new(cause, weight, format!("the profile {name} has no credential"))
        .because(format!("{at}the profile {name}: {message}"));
    // What to do about a refusal, the rule on what issuers answer says.
    vec![if kind == "denied" && is_refusal { cause } else { cause.remedy(remedy) }]
}

fn failed(evidence: &Evidence) -> Option<(&str, &str, &str, Option<&str>)> {
    evidence.profiles.iter().find_map(|profile| match &profile.outcome {
        Some(Obtained::Failed { kind, message, field }) => {
            Some((profile.name.as_str(), kind.as_str(), message.as_str(), field.as_deref()))
        }
        _ => None,
    })
}

/// All credentials were had, and yet nothing was sent.
fn unplaced(evidence: &Evidence) -> Vec<Cause> {
    match &evidence.failure {
        Some(failure) if evidence.attempts.is_empty() => vec![
            Cause::new(CauseId::Config, 80, "the request could not be authorized")
                .because(failure.clone())
                .remedy("mend what the host complains of"),
        ],
        _ => Vec::new(),
    }
}
