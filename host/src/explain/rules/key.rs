//! The key of a JWT against those that its issuer publishes.

use super::super::cause::{Cause, CauseId};
use super::super::evidence::{Evidence, FoundKeys};
use super::Case;
use super::telling::list;

pub(super) fn causes(case: &Case<'_>) -> Vec<Cause> {
    let (Some(placed), Some(keys)) = (case.evidence.jwt(), &case.evidence.keys) else { return Vec::new() };
    if case.status() != Some(401) {
        return Vec::new();
    }
    let FoundKeys::Some { kids, knows_kid, verifies } = &keys.found else { return Vec::new() };
    let published = list(&kids.iter().map(String::as_str).collect::<Vec<_>>());
    let register = format!("publish or register the key (`countersign jwks {}`)", placed.profile);
    match (knows_kid, verifies) {
        (Some(false), _) => {
            let kid = placed.value.header("kid").unwrap_or_default();
            vec![
                Cause::new(CauseId::KeyId, 90, "the token names a key that its issuer does not publish")
                    .because(format!("the token's `kid` is `{kid}`; {} publishes {published}", keys.issuer))
                    .remedy(format!(
                        "give the profile {} the `kid` under which the key is published",
                        placed.profile
                    ))
                    .remedy(register),
            ]
        }
        (_, Some(false)) => vec![
            Cause::new(
                CauseId::Key,
                91,
                "the token was signed with another key than the one that its issuer publishes",
            )
            .because(format!("no key of {} verifies it; there are {published}", keys.issuer))
            .remedy(register),
        ],
        (None, _) if kids.len() > 1 => vec![
            Cause::new(CauseId::KeyId, 45, "the token does not say with which key it was signed")
                .because(format!("it has no `kid`; {} publishes {published}", keys.issuer))
                .remedy(format!("give the profile {} the `kid` of its key", placed.profile)),
        ],
        _ => Vec::new(),
    }
}

/// What was looked at and is well.
pub(super) fn alibis(evidence: &Evidence) -> Vec<(CauseId, String)> {
    let Some(keys) = &evidence.keys else { return Vec::new() };
    match &keys.found {
        FoundKeys::Some { verifies: Some(true), .. } => {
            let words = format!("the token's signature is verified by a key that {} publishes", keys.issuer);
            vec![(CauseId::Key, words.clone()), (CauseId::KeyId, words)]
        }
        _ => Vec::new(),
    }
}
