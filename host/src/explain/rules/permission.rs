//! The caller is known and may not do that: scopes and rights.

use super::super::cause::{Cause, CauseId};
use super::Case;
use super::telling::{list, wider_scope};

pub(super) fn causes(case: &Case<'_>) -> Vec<Cause> {
    let Some(answer) = case.evidence.answer().filter(|_| !case.evidence.as_expected) else {
        return Vec::new();
    };
    let demanded: Vec<&str> = answer
        .challenges
        .iter()
        .filter(|challenge| {
            challenge.parameter("error") == Some("insufficient_scope") || answer.status == 403
        })
        .filter_map(|challenge| challenge.parameter("scope"))
        .flat_map(str::split_whitespace)
        .collect();
    let token = case.evidence.jwt();
    let has = token.map(|placed| placed.value.scopes()).unwrap_or_default();
    let mut causes = Vec::new();
    if !demanded.is_empty() {
        let missing: Vec<&str> = demanded.iter().copied().filter(|scope| !has.contains(scope)).collect();
        let title = if missing.is_empty() {
            "the token lacks a scope".to_owned()
        } else {
            format!("the token lacks the scope {}", list(&missing))
        };
        let mut cause =
            Cause::new(CauseId::Scope, 97, title).because(format!("the API wants {}", list(&demanded)));
        if token.is_some() {
            cause = cause.because(format!(
                "the token has {}",
                if has.is_empty() { "none".to_owned() } else { list(&has) }
            ));
        }
        let profile = token.map(|placed| placed.profile.as_str()).unwrap_or_default();
        causes.push(cause.remedy(wider_scope(profile)));
    } else if answer.status == 403 {
        if let Some(token) = token {
            let cause = Cause::new(CauseId::Scope, 56, "the token may lack a scope or a role")
                .because(format!(
                    "the API knows the caller (403, not 401); the token has {}",
                    if has.is_empty() { "no scope".to_owned() } else { list(&has) }
                ))
                .remedy(format!(
                    "compare that with what the API wants for this call: `scope` of the profile {}",
                    token.profile
                ));
            causes.push(cause);
        }
        causes.push(
            Cause::new(CauseId::Permission, 50, "whoever the credential belongs to may not do that")
                .because("the API knows the caller and refuses the call (403)")
                .remedy("have the API's owner give the account that right, or probe a path that it may read"),
        );
    }
    causes
}
