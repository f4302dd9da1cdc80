//! The other side says what is the matter.

use super::super::cause::{Cause, CauseId};
use super::super::words::{Speaker, Utterance, WORDINGS};
use super::Case;

pub(super) fn causes(case: &Case<'_>) -> Vec<Cause> {
    let mut causes: Vec<Cause> = Vec::new();
    for said in &case.said {
        for wording in WORDINGS.iter().filter(|wording| wording.is_in(&said.words)) {
            if causes.iter().any(|known| known.cause == wording.means && known.weight >= wording.weight) {
                continue;
            }
            causes.retain(|known| known.cause != wording.means);
            causes.push(told(wording.means, wording.weight, said, case));
        }
    }
    causes
}

fn told(means: CauseId, weight: u8, said: &Utterance, case: &Case<'_>) -> Cause {
    let whose = match said.by {
        Speaker::Api => "the API",
        Speaker::Issuer => "the issuer",
    };
    let profile = profile(case, said.by);
    let (title, remedy) = match means {
        CauseId::Audience => (
            "the token is for another audience".to_owned(),
            format!(
                "set `audience` (of `oauth2` also `resource` or `scope`) of the profile {profile} to what {whose}'s owner names"
            ),
        ),
        CauseId::KeyId => (
            format!("{whose} does not know the key that the token names"),
            format!(
                "register the public key there (`countersign jwks {profile}`), and give the profile's `kid` as it is registered"
            ),
        ),
        CauseId::Key => (
            format!("the token was signed with another key than the one that {whose} has"),
            format!("compare the key that is registered there with `countersign jwks {profile}`"),
        ),
        CauseId::Algorithm => (
            format!("{whose} does not take the algorithm of the token's signature"),
            format!("set `algorithm` of the profile {profile} to one that is taken there"),
        ),
        CauseId::Issuer => (
            format!("{whose} does not trust the token's issuer"),
            format!(
                "compare the token's `iss` with what {whose} expects, to the last `/`: `issuer` or `token_url` of the profile {profile}"
            ),
        ),
        CauseId::Scope => ("the token lacks a scope".to_owned(), wider_scope(&profile)),
        CauseId::Permission => (
            "whoever the credential belongs to may not do that".to_owned(),
            "have the API's owner give the account or role that right".to_owned(),
        ),
        CauseId::Placement => (
            "the API finds no credential where it looks for one".to_owned(),
            format!(
                "look up in the API's documentation where it goes: `header`, `scheme`, `query` or `cookie` of the profile {profile}"
            ),
        ),
        CauseId::Nonce => (
            format!("{whose} demands a nonce of its own"),
            "use a profile that answers with it: `dpop` of `oauth2`, or the type `digest`".to_owned(),
        ),
        CauseId::Binding => (
            "the proof of possession that goes with the token is not accepted".to_owned(),
            format!("let the profile {profile} prove possession with the key that the token is bound to"),
        ),
        CauseId::SecretExpired => (
            "the secret has expired".to_owned(),
            format!("make a new one where {whose} keeps it, and put it where the profile {profile} reads it"),
        ),
        CauseId::Secret => (
            format!("{whose} does not accept the secret: it is wrong, has expired, or belongs elsewhere"),
            format!(
                "compare the id and the secret of the profile {profile} with what is registered there; mind the environment (test, production)"
            ),
        ),
        CauseId::Token => (
            "the token is not known there, or was revoked".to_owned(),
            format!("obtain a new one for the profile {profile}"),
        ),
        CauseId::LoginRequired => (
            "somebody has to log in, or to consent, at the issuer".to_owned(),
            format!("log in anew and give the profile {profile} the new refresh token"),
        ),
        CauseId::IssuerRefused => (
            "the issuer does not allow what the profile asks for".to_owned(),
            format!(
                "have its owner allow the grant to the client of the profile {profile}, or use another `grant`"
            ),
        ),
        CauseId::Signature => (
            "the request that the API read is not the one that was signed, or the secret key is another"
                .to_owned(),
            format!(
                "compare the secret key of the profile {profile}; look for a gateway that changes requests on their way"
            ),
        ),
        CauseId::SignatureScope => (
            "the signature is for another region or service".to_owned(),
            format!("set `region` and `service` of the profile {profile} as the API's host says"),
        ),
        CauseId::ClientCertificate => (
            format!("{whose} wants a client certificate, and none, or another one, was presented"),
            "add a profile that presents the certificate to the connector's `profiles`".to_owned(),
        ),
        CauseId::Address => (
            "the API does not take calls from this machine's address".to_owned(),
            "have the API's owner allow the address that calls come from".to_owned(),
        ),
        _ => (format!("{whose} says what is the matter"), "read its words".to_owned()),
    };
    let mut cause = Cause::new(means, weight, title).because(said.quoted()).remedy(remedy);
    if means == CauseId::Audience
        && let Some(token) = case.evidence.jwt()
        && said.by == Speaker::Api
    {
        cause = cause.because(format!("the token's `aud` is {}", list(&token.value.texts("aud"))));
    }
    if means == CauseId::KeyId
        && let Some(token) = case.evidence.jwt()
    {
        let kid = token.value.header("kid").map_or("absent".to_owned(), |kid| format!("`{kid}`"));
        cause = cause.because(format!("the token's `kid` is {kid}"));
    }
    cause
}

/// What to do about a scope that is missing.
pub(super) fn wider_scope(profile: &str) -> String {
    format!(
        "add what is missing to `scope` of the profile {profile}, and have the issuer's owner allow it to the client"
    )
}

/// The profile that it is about.
pub(super) fn profile(case: &Case<'_>, by: Speaker) -> String {
    let failed = case.evidence.failed_exchange().map(|(profile, _)| profile.name.clone());
    let placed = || case.evidence.last()?.placed.first().map(|placed| placed.profile.clone());
    let jwt = || case.evidence.jwt().map(|placed| placed.profile.clone());
    let first = || case.evidence.profiles.first().map(|profile| profile.name.clone());
    match by {
        Speaker::Issuer => failed.or_else(first),
        Speaker::Api => jwt().or_else(placed).or_else(first),
    }
    .unwrap_or_default()
}

/// Texts, each in backticks.
pub(super) fn list(texts: &[&str]) -> String {
    match texts {
        [] => "absent".to_owned(),
        texts => texts.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(", "),
    }
}
