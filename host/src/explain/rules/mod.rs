//! What may be the matter, each rule by itself: it looks at the evidence, and says which causes it sees and how likely they
//! are. No rule knows another one.

mod api;
mod binding;
mod certificate;
mod clock;
mod issuer;
mod key;
mod permission;
mod placement;
mod profile;
mod redirect;
mod secret;
mod signature;
mod telling;
mod token;

use super::cause::{Cause, CauseId};
use super::evidence::Evidence;
use super::words::{Utterance, utterances};

/// What rules look at.
pub(crate) struct Case<'e> {
    pub(crate) evidence: &'e Evidence,
    /// What was said.
    pub(crate) said: Vec<Utterance>,
}

impl Case<'_> {
    /// The last answer's status.
    pub(crate) fn status(&self) -> Option<u16> {
        self.evidence.answer().map(|answer| answer.status)
    }

    /// Whether the API refused whoever called: 401, 403, and 400 or 404 where some hide it.
    pub(crate) fn is_refused(&self) -> bool {
        !self.evidence.as_expected && matches!(self.status(), Some(401 | 403))
    }

    /// Whether nothing was said about why.
    pub(crate) fn is_silent(&self) -> bool {
        self.said.iter().all(|said| said.words.len() < 40 && is_nothing(&said.words))
    }
}

/// What servers say when they do not say anything.
fn is_nothing(words: &str) -> bool {
    let known = [
        "unauthorized",
        "forbidden",
        "access denied",
        "authentication failed",
        "not authorized",
        "invalid_token",
        "authorization required",
        "denied",
        "401",
        "403",
        "about:blank",
    ];
    let mut rest = words.to_owned();
    known.iter().for_each(|word| rest = rest.replace(word, ""));
    !rest.contains(|c: char| c.is_alphabetic())
}

/// A rule.
type Rule = fn(&Case<'_>) -> Vec<Cause>;

const RULES: [Rule; 14] = [
    telling::causes,
    clock::causes,
    token::causes,
    key::causes,
    permission::causes,
    placement::causes,
    signature::causes,
    binding::causes,
    certificate::causes,
    secret::causes,
    issuer::causes,
    redirect::causes,
    api::causes,
    profile::causes,
];

/// What may be the matter, the likeliest first.
pub(crate) fn causes(evidence: &Evidence) -> Vec<Cause> {
    if evidence.as_expected {
        return Vec::new();
    }
    let case = Case { evidence, said: utterances(evidence) };
    let mut causes: Vec<Cause> = Vec::new();
    for cause in RULES.iter().flat_map(|rule| rule(&case)) {
        match causes.iter_mut().find(|known| known.cause == cause.cause) {
            Some(known) => known.join(cause),
            None => causes.push(cause),
        }
    }
    for (ruled_out, _) in alibis(evidence) {
        for cause in causes.iter_mut().filter(|cause| cause.cause == ruled_out && cause.weight < 90) {
            cause.weight = cause.weight.min(10);
        }
    }
    // Where something is as good as certain, guesses are noise.
    let certain = causes.iter().any(|cause| cause.weight >= 95);
    causes.retain(|cause| cause.weight > if certain { 49 } else { 10 });
    causes.sort_by(|one, other| other.weight.cmp(&one.weight).then(one.cause.cmp(&other.cause)));
    causes
}

/// What was looked at and is well, so that nobody looks there again.
pub(crate) fn alibis(evidence: &Evidence) -> Vec<(CauseId, String)> {
    [clock::alibi(evidence), token::alibi(evidence), key::alibis(evidence)].into_iter().flatten().collect()
}
