//! Signed requests: what the API read against what was sent.

use super::super::cause::{Cause, CauseId};
use super::Case;

pub(super) fn causes(case: &Case<'_>) -> Vec<Cause> {
    let Some(sent) = case.evidence.last().filter(|_| !case.evidence.as_expected) else { return Vec::new() };
    let Some(signed) = &sent.signed else { return Vec::new() };
    let profile = sent.placed.iter().find(|placed| placed.name == "authorization").or(sent.placed.first());
    let profile = profile.map(|placed| placed.profile.as_str()).unwrap_or_default();
    if let Some(difference) = &signed.difference {
        let lines =
            format!("{}: sent `{}`, the API read `{}`", difference.line, difference.sent, difference.read);
        let cause = match difference.line.as_str() {
            "host" => Cause::new(CauseId::Signature, 98, "the signature covers another host than the one that the API sees")
                .because(lines)
                .remedy(format!("something between here and the API changes `Host`: set `base_url` to `{}`, or let the gateway leave `Host` as it is", difference.read)),
            "scope" => Cause::new(CauseId::SignatureScope, 97, "the signature is for another region or service")
                .because(lines)
                .remedy(format!("set `region` and `service` of the profile {profile}")),
            line => Cause::new(CauseId::Signature, 96, format!("the API read another {line} than was signed"))
                .because(lines)
                .remedy("something between here and the API changes requests; let it leave alone what is signed"),
        };
        return vec![cause];
    }
    let mismatch = case.said.iter().find(|said| {
        ["signaturedoesnotmatch", "signature we calculated", "signature_invalid"]
            .iter()
            .any(|word| said.words.contains(word))
    });
    match mismatch {
        Some(said) if signed.told => vec![
            Cause::new(
                CauseId::Key,
                92,
                "the secret key is another than the one that belongs to the key's id",
            )
            .because("the API read the very request that was sent, and yet makes another signature of it")
            .because(said.quoted())
            .remedy(format!(
                "put the secret key that belongs to the key's id where the profile {profile} reads it"
            )),
        ],
        Some(said) => {
            vec![Cause::new(CauseId::Key, 84, "the secret key is wrong").because(said.quoted()).remedy(
                format!(
                    "put the secret key that belongs to the key's id where the profile {profile} reads it"
                ),
            )]
        }
        None => Vec::new(),
    }
}
