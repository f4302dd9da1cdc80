//! Given secrets: passwords, keys. Nothing but the other side's refusal tells that one is wrong.

use super::super::cause::{Cause, CauseId};
use super::super::token::Token;
use super::Case;

pub(super) fn causes(case: &Case<'_>) -> Vec<Cause> {
    if case.status() != Some(401) && !(case.status() == Some(403) && case.is_silent()) {
        return Vec::new();
    }
    if case.evidence.as_expected {
        return Vec::new();
    }
    let Some(sent) = case.evidence.last() else { return Vec::new() };
    let given = sent.placed.iter().find(|placed| {
        let of_key = matches!(placed.value, Token::Opaque { .. }) && placed.scheme.is_none();
        of_key || matches!(placed.value, Token::Basic { .. })
    });
    let Some(given) = given else { return Vec::new() };
    let what = if matches!(given.value, Token::Basic { .. }) { "user name or password" } else { "key" };
    vec![
        Cause::new(CauseId::Secret, if case.status() == Some(401) { 52 } else { 40 }, format!("the {what} is wrong, has expired, or is of another environment"))
            .because(format!("the API refuses what the profile {} placed as {} {}", given.profile, given.place, given.name))
            .remedy(format!("compare it with what is registered; mind white space, and that the file or variable behind the profile {} is the right one", given.profile)),
    ]
}
