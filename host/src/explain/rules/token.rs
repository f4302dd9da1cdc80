//! What the token itself says: whom it is for, and until when.

use std::time::{Duration, SystemTime};

use countersign::Origin;

use super::super::cause::{Cause, CauseId};
use super::super::evidence::{Evidence, FoundKeys, Skew};
use super::super::token::Token;
use super::Case;
use super::telling::list;

pub(super) fn causes(case: &Case<'_>) -> Vec<Cause> {
    if !case.is_refused() {
        return Vec::new();
    }
    let Some(placed) = case.evidence.jwt() else { return opaque(case) };
    let token = &placed.value;
    let mut causes = Vec::new();
    let now = case.evidence.last().map_or_else(SystemTime::now, |sent| sent.at);
    if let Some(ends) = token.time("exp").filter(|ends| *ends <= now) {
        let ago = now.duration_since(ends).unwrap_or_default().as_secs();
        causes.push(
            Cause::new(CauseId::Expired, 96, "the token has expired")
                .because(format!("its `exp` was {} ago", span(ago)))
                .remedy(format!("put a new token where the profile {} reads it, or let a profile obtain tokens (`oauth2`)", placed.profile)),
        );
    }
    if let Some(life) =
        token.time("exp").zip(token.time("iat")).and_then(|(exp, iat)| exp.duration_since(iat).ok())
        && life > Duration::from_secs(3600)
        && case
            .evidence
            .profiles
            .iter()
            .any(|profile| profile.name == placed.profile && profile.type_name == "jwt-bearer")
    {
        causes.push(
            Cause::new(CauseId::Request, 40, "the token lives longer than many APIs accept")
                .because(format!("it lives {}", span(life.as_secs())))
                .remedy(format!("set `lifetime` of the profile {} to at most 1h", placed.profile)),
        );
    }
    causes.extend(audience(case, token, &placed.profile));
    causes.extend(issuer(case, token, &placed.profile));
    causes
}

/// What was looked at and is well.
pub(super) fn alibi(evidence: &Evidence) -> Vec<(CauseId, String)> {
    // By whose clock, if they differ?
    if evidence.skew().is_some_and(Skew::is_off) {
        return Vec::new();
    }
    let Some(placed) = evidence.jwt() else { return Vec::new() };
    let now = evidence.last().map_or_else(SystemTime::now, |sent| sent.at);
    let left = placed.value.time("exp").and_then(|ends| ends.duration_since(now).ok());
    left.map(|left| (CauseId::Expired, format!("the token is valid for another {}", span(left.as_secs()))))
        .into_iter()
        .collect()
}

/// The token names an API that is not the one that was called.
fn audience(case: &Case<'_>, token: &Token, profile: &str) -> Option<Cause> {
    if case.status() != Some(401) {
        return None;
    }
    let audiences = token.texts("aud");
    // Whatever else could be wrong with the token is well, if its signature is.
    let verified = matches!(&case.evidence.keys, Some(keys) if matches!(keys.found, FoundKeys::Some { verifies: Some(true), .. }));
    let base: Origin = case.evidence.base_url.parse().ok()?;
    let origins: Vec<Option<Origin>> = audiences.iter().map(|audience| audience.parse().ok()).collect();
    let (weight, why) = if audiences.is_empty() {
        (if verified { 70 } else { 45 }, "the token has no `aud`".to_owned())
    } else if origins.iter().flatten().any(|origin| *origin == base) {
        return None;
    } else if origins.iter().all(Option::is_some) {
        let why = format!("the token's `aud` is {}, and the API is {base}", list(&audiences));
        (if verified { 72 } else { 60 }, why)
    } else {
        (if verified { 62 } else { 42 }, format!("the token's `aud` is {}", list(&audiences)))
    };
    Some(
        Cause::new(CauseId::Audience, weight, "the token is for another audience than this API")
            .because(why)
            .remedy(format!("set `audience` (of `oauth2` also `resource` or `scope`) of the profile {profile} to what the API's owner names")),
    )
}

/// Nothing tells whom the API trusts; this is a place to look at.
fn issuer(case: &Case<'_>, token: &Token, profile: &str) -> Option<Cause> {
    if case.status() != Some(401) || !case.is_silent() {
        return None;
    }
    let iss = token.claim("iss").and_then(|iss| iss.as_str());
    let why = iss.map_or("the token has no `iss`".to_owned(), |iss| format!("the token's `iss` is `{iss}`"));
    Some(
        Cause::new(CauseId::Issuer, if iss.is_some() { 30 } else { 48 }, "the API may not trust the token's issuer")
            .because(why)
            .remedy(format!("compare it with what the API expects, to the last `/`: `issuer` or `token_url` of the profile {profile}")),
    )
}

/// A token into which nobody can look.
fn opaque(case: &Case<'_>) -> Vec<Cause> {
    let Some(placed) = case.evidence.last().and_then(|sent| sent.placed.first()) else { return Vec::new() };
    let bearer = placed.scheme.as_deref().is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer"));
    if case.status() != Some(401) || !bearer {
        return Vec::new();
    }
    let invalid = case.said.iter().any(|said| said.words.contains("invalid_token"));
    vec![
        Cause::new(
            CauseId::Token,
            if invalid { 70 } else { 40 },
            "the token is not known to the API: wrong, expired, revoked, or of another environment",
        )
        .because("the token cannot be looked into from here")
        .remedy(format!("obtain a new one for the profile {}, for this very API", placed.profile)),
    ]
}

/// Seconds, as people say them.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
