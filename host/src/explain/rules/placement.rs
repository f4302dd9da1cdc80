//! Where the credential was placed, against where the API looks.

use super::super::cause::{Cause, CauseId};
use super::super::evidence::Placed;
use super::Case;
use super::telling::list;

pub(super) fn causes(case: &Case<'_>) -> Vec<Cause> {
    let (Some(sent), Some(answer)) = (case.evidence.last(), case.evidence.answer()) else {
        return Vec::new();
    };
    if case.status() != Some(401) || sent.placed.is_empty() {
        return Vec::new();
    }
    let authorization = sent.placed.iter().find(|placed| placed.name == "authorization");
    let wanted: Vec<&str> = answer.challenges.iter().map(|challenge| challenge.scheme.as_str()).collect();
    let placed = list(&sent.placed.iter().map(|placed| placed.name.as_str()).collect::<Vec<_>>());
    let first = sent.placed.first().map(|placed| placed.profile.clone()).unwrap_or_default();
    let remedy = format!(
        "see where the API's documentation wants it, and set the profile {first} accordingly, or use another type"
    );
    let cause = |weight, title: &str, why: String| {
        vec![Cause::new(CauseId::Placement, weight, title).because(why).remedy(remedy.clone())]
    };
    // Schemes of API gateways that say nothing about `Authorization`.
    let standard: Vec<&str> = wanted.iter().copied().filter(|scheme| known(scheme)).collect();
    if standard.is_empty() {
        return Vec::new();
    }
    match authorization {
        None => cause(
            86,
            "the API looks for the credential in `Authorization`, and it was placed elsewhere",
            format!("the API asks for {}; placed was {placed}", list(&standard)),
        ),
        Some(Placed { scheme, .. }) => {
            let ours = scheme.as_deref().unwrap_or("no scheme");
            let asked =
                standard.iter().any(|wanted| wanted.eq_ignore_ascii_case(ours) || alike(wanted, ours));
            if !asked {
                return cause(
                    88,
                    "the API wants another scheme of authentication",
                    format!("the API asks for {}; placed was `{ours}` in `Authorization`", list(&standard)),
                );
            }
            // RFC 6750 §3: a challenge without an error answers a request without a credential.
            let bare = answer
                .challenges
                .iter()
                .any(|challenge| challenge.is("bearer") && challenge.parameter("error").is_none());
            if bare && case.is_silent() && ours.eq_ignore_ascii_case("bearer") {
                return cause(
                    34,
                    "the API may not have seen the credential",
                    "its challenge names no error, as if there had been no token (RFC 6750 §3); something on the way may take `Authorization` off".to_owned(),
                );
            }
            Vec::new()
        }
    }
}

fn known(scheme: &str) -> bool {
    [
        "bearer",
        "basic",
        "digest",
        "negotiate",
        "dpop",
        "ntlm",
        "hawk",
        "oauth",
        "token",
        "apikey",
        "signature",
    ]
    .iter()
    .any(|known| scheme.eq_ignore_ascii_case(known))
        || scheme.to_ascii_uppercase().starts_with("AWS4")
}

/// A bound token may be asked for as a bearer, and the other way round: that is another cause.
fn alike(one: &str, other: &str) -> bool {
    let token = |scheme: &str| ["bearer", "dpop"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    token(one) && token(other)
}
